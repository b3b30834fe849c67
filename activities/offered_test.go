package activities

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// catalogue counts how often it is asked.
type catalogue struct {
	asked atomic.Int32
	gate  chan struct{} // nil for an answer at once
	list  *client.SupportList
	err   error
}

func (c *catalogue) Support(ctx context.Context, _ client.Family) (*client.SupportList, error) {
	c.asked.Add(1)
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return c.list, c.err
}

var mdToHTML = &client.SupportList{
	Routes:      []client.Route{{Source: "md", Target: "html"}, {Source: "md", Target: "pdf"}},
	Unavailable: []client.UnavailableRoute{{Source: "md", Target: "odt", Install: "libreoffice"}},
}

func TestPairsThatAreNotOffered(t *testing.T) {
	o := &offered{support: &catalogue{list: mdToHTML}, now: time.Now}
	require.NoError(t, o.check(t.Context(), "md", "html"))
	require.NoError(t, o.check(t.Context(), "", "html"), "not told what it is converted from")
	require.ErrorContains(t, o.check(t.Context(), "md", "epub"), "does not convert md to epub; it makes html, pdf of it")
	require.ErrorContains(t, o.check(t.Context(), "md", "odt"), "needs libreoffice to convert md to odt")
	require.ErrorContains(t, o.check(t.Context(), "rtf", "pdf"), "converts no rtf files")
	for _, unknown := range []*catalogue{
		{list: &client.SupportList{}},
		{err: errors.New("404")},
		{list: &client.SupportList{Routes: []client.Route{{}}}}, // rows whose fields have names unknown to us
		{list: &client.SupportList{Routes: []client.Route{{Source: "md", Target: "documents"}}}},
		{list: &client.SupportList{Routes: []client.Route{{Source: ".MD", Target: "EPUB"}}}},
	} {
		o = &offered{support: unknown, now: time.Now}
		require.NoError(t, o.check(t.Context(), "md", "epub"), "a service that does not tell is taken to convert it")
	}
}

func TestTheServiceIsAskedOnce(t *testing.T) {
	for name, c := range map[string]*catalogue{"answers": {list: mdToHTML}, "fails": {err: errors.New("down")}} {
		c.gate = make(chan struct{})
		clock := testkit.NewClock()
		o := &offered{support: c, now: clock.Now}
		var waiting sync.WaitGroup
		for range 20 {
			waiting.Go(func() { assert.NoError(t, o.check(t.Context(), "md", "html")) })
		}
		close(c.gate)
		waiting.Wait()
		assert.EqualValues(t, 1, c.asked.Load(), name)
		clock.Advance(offeredFor)
		require.NoError(t, o.check(t.Context(), "md", "html"))
		assert.EqualValues(t, 2, c.asked.Load(), "%s: not for ever", name)
	}
}

func TestWhoLeavesDoesNotWait(t *testing.T) {
	c := &catalogue{list: mdToHTML, gate: make(chan struct{})}
	o := &offered{support: c, now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, o.check(ctx, "md", "html"))
	close(c.gate)
	require.NoError(t, o.check(t.Context(), "md", "html"))
}
