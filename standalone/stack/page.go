package stack

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"

	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/httpserver"
	"github.com/convilyn/convilyn-temporal/internal/login"
	"github.com/convilyn/convilyn-temporal/standalone/temporalserver"
)

// codecPath is where Temporal's page has payloads opened. It is of the same origin, and so behind the same login.
const codecPath = "/codec"

// pageConnections is how many connections Temporal's page has at once.
const pageConnections = 256

// servePage serves Temporal's page to who is logged in. The inbox knows the same login, unless it has a token of its own.
func (s *Stack) servePage(cfg config.Config, listener net.Listener) error {
	codec := ""
	if s.Keys.Sealer() != "" {
		path, err := filepath.Abs(s.Keys.Path())
		if err != nil {
			return fmt.Errorf("name the file of keys: %w", err)
		}
		codec = codecPath
		s.At.Codec, s.At.KeyFile, s.At.KeyIDs = s.At.UI+codecPath, path, append([]string{s.Keys.Sealer()}, s.Keys.Others()...)
	}
	page, err := temporalserver.Page(s.At.Temporal, s.access, codec)
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.Handle("/", page)
	if codec != "" {
		mux.Handle(codecPath+"/", s.Keys.Endpoint())
	}
	gate := login.New([]byte(cfg.InboxSecret), s.access, nil)
	about := login.About{Title: "Temporal's page", Hint: "standalone up prints a link that logs in. The token is also in " + AccessKeyFile(s.Dir)}

	s.listens("Temporal's page", listener.Addr().String(), GuardLogin)
	server := httpserver.NewGuarded(gate.Protect(mux, about), pageConnections)
	go serve(server, listener, "page of Temporal", s.Logger)
	s.OnClose(func() { _ = server.Close() })
	return nil
}
