package backend

import (
	"context"
	"net/http"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

// Sweep lets tests have the janitor's work done now.
func (s *Service) Sweep(ctx context.Context) error { return s.sweep(ctx) }

// Wake lets tests have an idle worker of each lane look for jobs now.
func (s *Service) Wake() {
	s.pool.wake()
	s.passes.wake()
}

// Crash lets tests have done what a start after a crash does: passes that were under way are due again.
func (s *Service) Crash(ctx context.Context) error {
	err := s.store.recoverGoals(ctx, s.now())
	s.passes.wake()
	return err
}

// Sleep lets tests see how long the faults make somebody wait, and saves them the time.
func (f *Faults) Sleep(sleep func(ctx context.Context, d time.Duration) error) { f.sleep = sleep }

// Lag lets tests have an event stream that nobody reads; the channel says when it is dropped.
func (s *Service) Lag(jobID string) <-chan struct{} {
	c := &stream{jobID: jobID, events: make(chan client.WireEvent, streamBuffer), gone: make(chan struct{})}
	s.events.add(c)
	return c.gone
}

// NewServerFor is NewServer with room for fewer connections.
func NewServerFor(handler http.Handler, connections int) *http.Server {
	return newServer(handler, connections)
}

// Paced lets tests have less patience with slow clients.
func Paced(next http.Handler, within time.Duration) http.Handler { return paced(next, within) }
