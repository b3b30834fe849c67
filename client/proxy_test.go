package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tunnels is a proxy that connects every tunnel to one address, and notes where it was to lead.
type tunnels struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newTunnels(t *testing.T, to string) *tunnels {
	t.Helper()
	p := &tunnels{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		p.mu.Lock()
		p.asked = append(p.asked, r.Host)
		p.mu.Unlock()
		server, err := net.Dial("tcp", to)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(server, conn); _ = server.Close() }()
		_, _ = io.Copy(conn, server)
		_ = conn.Close()
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *tunnels) option() Option {
	return withProxy(func(*http.Request) (*url.URL, error) { return url.Parse(p.URL) })
}

func (p *tunnels) targets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.asked...)
}

func TestProxy_countsForStorage(t *testing.T) {
	storage := httptest.NewTLSServer(answer(200, "bytes"))
	t.Cleanup(storage.Close)
	proxy := newTunnels(t, storage.Listener.Addr().String())
	c, err := New("https://api.example.org", testKey, proxy.option())
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	transport := c.storage.Transport.(*storageTransport)
	transport.proxied.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the certificate of a test server
	transport.lookUp = func(_ context.Context, _, host string) ([]netip.Addr, error) {
		if host == "inside.example" {
			return []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("10.0.0.7")}, nil
		}
		return nil, errors.New("there is no name server here")
	}
	fetch := func(link string) error {
		_, err := c.Convert.Fetch(t.Context(), ResultFile{URL: PresignedURL(link)}, FetchOptions{PartPath: filepath.Join(t.TempDir(), "p")})
		return err
	}

	require.NoError(t, fetch("https://bucket.example.net/x?sig=1"))
	assert.Equal(t, []string{"bucket.example.net:443"}, proxy.targets())
	for _, link := range []string{"https://10.1.2.3/x", "https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x", "https://inside.example/x", "https://db.svc/x"} {
		t.Run(link, func(t *testing.T) {
			require.ErrorIs(t, fetch(link), ErrForbiddenAddress, link)
		})
	}
	assert.Len(t, proxy.targets(), 1, "nothing of these was asked for")
}

func TestProxy_ofNoUseIsAnErrorWithoutItsURL(t *testing.T) {
	c, err := New("https://api.example.org", testKey, withProxy(func(*http.Request) (*url.URL, error) { return nil, errors.New("bad http://user:hush@proxy") }))
	require.NoError(t, err)
	_, err = c.Convert.Fetch(t.Context(), ResultFile{URL: "https://bucket.example.net/x"}, FetchOptions{PartPath: filepath.Join(t.TempDir(), "p")})
	require.ErrorContains(t, err, "check HTTPS_PROXY")
	assert.NotContains(t, err.Error(), "hush")
}

func TestProxy_countsForEvents(t *testing.T) {
	g := newGateway(t, session(2, finish(1)))
	proxy := newTunnels(t, strings.TrimPrefix(g.URL, "http://"))
	seen, _, err := follow(t, g.client(t, proxied(g, proxy)), EventOptions{})
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(seen, "completedJ"), seen)
	assert.Equal(t, []string{strings.TrimPrefix(g.URL, "http://")}, proxy.targets())
}

// proxied sends the stream alone through the proxy; looks at the job would not be tunnels.
func proxied(g *gateway, proxy *tunnels) Option {
	return withProxy(func(r *http.Request) (*url.URL, error) {
		if r.URL.Path != PathEvents {
			return nil, nil
		}
		return url.Parse(proxy.URL)
	})
}

func TestEvents_backOffWhereConnectionsDoNotLast(t *testing.T) {
	var slept []time.Duration
	var passed time.Duration
	fleeting := session(0, func(_ *gateway, ws *websocket.Conn) {
		send1(ws, frame("progress", 1, `{}`))
		_ = ws.Close()
	})
	g := newGateway(t, fleeting)
	sleeps := withSleep(func(ctx context.Context, d time.Duration) error {
		slept, passed = append(slept, d), passed+d
		if passed > time.Minute {
			g.set(goal(GoalCompleted, ""))
		}
		return ctx.Err()
	})
	_, last, err := follow(t, g.client(t, sleeps), EventOptions{})
	require.NoError(t, err)
	assert.Equal(t, EventCompleted, last.Type)
	assert.Less(t, len(g.dialled()), 20, "in a minute")
	assert.Greater(t, slept[len(slept)-1], 3*time.Second)
}

func TestEvents_comeBackAtOnceWhereConnectionsLast(t *testing.T) {
	var passed time.Duration
	var slept []time.Duration
	var mu sync.Mutex
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Unix(0, 0).Add(passed) }
	long := session(0, func(_ *gateway, ws *websocket.Conn) {
		mu.Lock()
		passed += time.Minute
		mu.Unlock()
		_ = ws.Close()
	})
	brief := session(0, func(_ *gateway, ws *websocket.Conn) { send1(ws, frame("progress", 1, `{}`)); _ = ws.Close() })
	g := newGateway(t, plays(brief, brief, brief, brief, brief, brief, long, long, finishing)...)
	sleeps := withSleep(func(ctx context.Context, d time.Duration) error {
		slept = append(slept, d)
		return ctx.Err()
	})
	_, _, err := follow(t, g.client(t, sleeps, withClock(now)), EventOptions{})
	require.NoError(t, err)
	require.Len(t, slept, 8)
	assert.Greater(t, slept[5], 3*time.Second, "after six that were brief")
	for _, d := range slept[6:] {
		assert.Less(t, d, time.Second, "after one that was not")
	}
}

// finishing is the stream of a job that completes.
var finishing = session(0, finish(1))

func TestWait_countsTheTimeOfItsRequests(t *testing.T) {
	for name, wait := range map[string]func(c *Client) error{
		"conversion": func(c *Client) error {
			_, err := c.Convert.Wait(t.Context(), "job_1", WaitOptions{Timeout: 10 * time.Second})
			return err
		},
		"goal": func(c *Client) error {
			_, err := c.Goals.Wait(t.Context(), "g", GoalWaitOptions{Timeout: 10 * time.Second})
			return err
		},
		"goal, idle": func(c *Client) error {
			_, err := c.Goals.Wait(t.Context(), "g", GoalWaitOptions{IdleTimeout: 10 * time.Second})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var passed atomic.Int64
			slow := func(w http.ResponseWriter, r *http.Request) {
				passed.Add(int64(4 * time.Second))
				body := queuedJob
				if strings.Contains(r.URL.Path, "goal") {
					body = goal(GoalExecuting, "")
				}
				answer(200, body)(w, r)
			}
			a := newAPI(t, slow)
			c, slept := newTestClient(t, a, withClock(func() time.Time { return time.Unix(0, passed.Load()) }))
			err := wait(c)
			require.Error(t, err)
			assert.True(t, errors.Is(err, ErrWaitTimeout) || errors.Is(err, ErrIdleTimeout), "%v", err)
			assert.LessOrEqual(t, len(*slept), 3, "each look takes four seconds of the ten")
		})
	}
}

func TestWait_endsARequestThatTakesTooLong(t *testing.T) {
	release := make(chan struct{})
	a := newAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	t.Cleanup(func() { close(release) })
	c, err := New(a.URL, testKey)
	require.NoError(t, err)
	_, err = c.Convert.Wait(t.Context(), "job_1", WaitOptions{Timeout: time.Millisecond})
	require.ErrorIs(t, err, ErrWaitTimeout)
	_, err = c.Goals.Wait(t.Context(), "g", GoalWaitOptions{Timeout: time.Millisecond})
	require.ErrorIs(t, err, ErrWaitTimeout)
}
