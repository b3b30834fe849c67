package stack

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/httpserver"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// serveCodec serves the endpoint at which Temporal's page has payloads decoded, and notes in at what it serves.
func serveCodec(at *Addresses, keys *sealing.Keys, logger *zap.Logger) (stop func(), err error) {
	path, err := filepath.Abs(keys.Path())
	if err != nil {
		return nil, fmt.Errorf("name the file of keys: %w", err)
	}

	listener, err := loopback.Listen(0)
	if err != nil {
		return nil, err
	}

	server := codecServer(keys, at.UI)
	go serve(server, listener, "codec endpoint", logger)

	at.Codec = "http://" + listener.Addr().String()
	at.KeyFile, at.KeyIDs = path, append([]string{keys.Sealer()}, keys.Others()...)
	return func() { _ = server.Close() }, nil
}

// codecConnections is how many connections the codec endpoint has at once.
const codecConnections = 64

func codecServer(keys *sealing.Keys, page string) *http.Server {
	return httpserver.New(keys.Endpoint(page, strings.Replace(page, loopback.Host, "localhost", 1)), codecConnections)
}

func serve(server *http.Server, listener net.Listener, name string, logger *zap.Logger) {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		logger.Error("the "+name+" stopped", zap.Error(err))
	}
}

// joinedKeys are those of the stack that runs on dir, unless others are named; its worker must be able to open what they
// seal.
func joinedKeys(named *sealing.Keys, at Addresses, dir string) (*sealing.Keys, error) {
	keys, id := named, named.Sealer()

	switch {
	case id == "" && at.KeyFile == "":
		return keys, nil
	case id == "":
		var err error
		if keys, err = sealing.Load(at.KeyFile); err != nil {
			return nil, fmt.Errorf("the stack that runs seals payloads: %w", err)
		}
		id = keys.Sealer()
	case at.KeyFile == "":
		return nil, fmt.Errorf("the stack that runs on %s keeps payloads plain; end it, and start it with --encryption-key-file", dir)
	}

	if !slices.Contains(at.KeyIDs, id) {
		return nil, fmt.Errorf("the stack that runs on %s has no key %s; end it, and start it with --encryption-key-file", dir, id)
	}
	return keys, nil
}
