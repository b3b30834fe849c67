// Package api is the service as its clients see it: routes, uploads, storage links, keys, and events of goal jobs.
package api

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/backend/queue"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

// Config says what the API is in front of. All of it is needed, but for what is said to be optional.
type Config struct {
	Store    *store.Store
	Jobs     *queue.Jobs
	Goals    *queue.Goals
	Catalog  goals.Catalog
	Registry *engines.Registry // for what is offered
	Events   *Events

	Keys      []string // accepted keys; one that is made once and kept where it is empty
	BaseURL   string   // how clients reach the service; optional
	MaxUpload int64    // bytes
	GrantTTL  time.Duration
	LinkTTL   time.Duration
	// Around is put around the handlers, inside of what bounds and logs requests; optional.
	Around func(http.Handler) http.Handler
	// EventFilter gives, for each stream, what frames are handed to before they are sent; optional.
	EventFilter func() func(kind client.EventType, frame []byte) ([][]byte, error)

	Life   context.Context //nolint:containedctx // streams end with the service, not with a request
	Logger *zap.Logger
	Now    func() time.Time
}

// server has the handlers.
type server struct {
	cfg    Config
	store  *store.Store
	jobs   *queue.Jobs
	goals  *queue.Goals
	events *Events
	keys   keyring
	signer signer
}

func (s *server) baseURL(r *http.Request) string {
	if s.cfg.BaseURL != "" {
		return s.cfg.BaseURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
