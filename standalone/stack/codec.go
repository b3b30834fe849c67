package stack

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/sealing"
)

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
