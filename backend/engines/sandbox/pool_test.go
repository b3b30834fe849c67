package sandbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// member is a program that does nothing.
type member struct {
	end   sync.Once
	ended chan struct{}
	tired bool
}

func newMember() *member { return &member{ended: make(chan struct{})} }

func (m *member) Tired() bool            { return m.tired }
func (m *member) Ended() <-chan struct{} { return m.ended }
func (m *member) Discard()               { m.end.Do(func() { close(m.ended) }) }

func TestPool_KeepsOneOwnersProgramsForThatOwner(t *testing.T) {
	pool := sandbox.NewPool[*member](time.Hour, 0)
	defer pool.Close()
	first, second := newMember(), newMember()
	pool.Put("anna", first)
	pool.Put("anna", second)

	_, ok := pool.Take("bert")
	assert.False(t, ok)
	for _, want := range []*member{second, first} {
		got, ok := pool.Take("anna")
		require.True(t, ok)
		assert.Same(t, want, got, "the one that worked last")
	}
	_, ok = pool.Take("anna")
	assert.False(t, ok, "one that works is nobody else's")
}

func TestPool_Ends(t *testing.T) {
	for name, c := range map[string]struct {
		idle time.Duration
		most int
		put  []*member
		last bool // the last one stays
	}{
		"what is tired":                   {time.Hour, 0, []*member{{ended: make(chan struct{}), tired: true}}, false},
		"what has rested for long":        {time.Nanosecond, 0, []*member{newMember()}, false},
		"what has rested longest of many": {time.Hour, 1, []*member{newMember(), newMember()}, true},
	} {
		t.Run(name, func(t *testing.T) {
			pool := sandbox.NewPool[*member](c.idle, c.most)
			defer pool.Close()
			for _, one := range c.put {
				pool.Put("anna", one)
			}
			<-c.put[0].ended
			require.Eventually(t, func() bool {
				one, ok := pool.Take("anna")
				if ok {
					pool.Put("anna", one)
				}
				return ok == c.last
			}, testkit.Patience, time.Millisecond)
		})
	}
}

func TestPool_PassesOverWhatHasEndedByItself(t *testing.T) {
	pool := sandbox.NewPool[*member](time.Hour, 0)
	defer pool.Close()
	dead := newMember()
	pool.Put("anna", dead)
	close(dead.ended)
	dead.end.Do(func() {})

	_, ok := pool.Take("anna")
	assert.False(t, ok)
}

func TestPool_CloseEndsWhatRestsAndWhatComesLater(t *testing.T) {
	pool := sandbox.NewPool[*member](time.Hour, 0)
	resting, working := newMember(), newMember()
	pool.Put("anna", resting)
	pool.Close()
	<-resting.ended
	pool.Put("anna", working)
	<-working.ended
}

func TestPool_Use(t *testing.T) {
	starts := 0
	start := func(context.Context) (*member, error) { starts++; return newMember(), nil }
	pool := sandbox.NewPool[*member](time.Hour, 0)
	defer pool.Close()
	var used *member
	work := func(m *member) error { used = m; return nil }

	require.NoError(t, pool.Use(t.Context(), "anna", start, work))
	require.NoError(t, pool.Use(t.Context(), "anna", start, work))
	assert.Equal(t, 1, starts)

	failed := errors.New("no")
	require.ErrorIs(t, pool.Use(t.Context(), "anna", start, func(*member) error { return failed }), failed)
	<-used.ended
	require.NoError(t, pool.Use(t.Context(), "anna", start, work))
	assert.Equal(t, 2, starts)
}

// Whoever waits for a start that fails each time waits in vain each time.
func TestPool_StartsNoneForAWhileAfterOneFailed(t *testing.T) {
	pool := sandbox.NewPool[*member](time.Hour, 0)
	defer pool.Close()
	starts := 0
	broken := func(context.Context) (*member, error) { starts++; return nil, errors.New("no program") }
	work := func(*member) error { return nil }

	require.ErrorContains(t, pool.Use(t.Context(), "anna", broken, work), "no program")
	require.ErrorIs(t, pool.Use(t.Context(), "anna", broken, work), sandbox.ErrNotStarted)
	assert.Equal(t, 1, starts)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	other := sandbox.NewPool[*member](time.Hour, 0)
	defer other.Close()
	require.Error(t, other.Use(cancelled, "anna", broken, work))
	require.ErrorContains(t, other.Use(t.Context(), "anna", broken, work), "no program", "that somebody gave up says nothing of the program")
}
