//go:build crash && linux && amd64

package crash

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// proxy brings requests of the worker to the service. It is where requests and replies are lost: whoever asks when the
// service or the worker has just been killed gets no reply.
func (l *processes) proxy(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	what := r.Method + " " + anonymous.ReplaceAllString(r.URL.Path, "*")
	at := func(when string) []string {
		if r.URL.Path == pathHook {
			return l.reach(notifies + ": " + when + what)
		}
		return l.reach(when + what)
	}
	lost(at("before "))
	if l.refuses(what) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	half := len(body)
	if strings.HasPrefix(r.URL.Path, "/storage/") {
		half /= 2
	}
	middle := readerFunc(func([]byte) (int, error) {
		if half < len(body) && breaks(at("in the middle of ")) {
			return 0, io.ErrUnexpectedEOF
		}
		return 0, io.EOF
	})
	response, data, err := l.forward(r, io.MultiReader(bytes.NewReader(body[:half]), middle, bytes.NewReader(body[half:])), int64(len(body)))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	lost(at("after "))
	if l.loses(what) {
		panic(http.ErrAbortHandler)
	}
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(response.StatusCode)
	if half = len(data) / 2; strings.HasPrefix(r.URL.Path, "/storage/") && half > 0 {
		_, _ = w.Write(data[:half])
		_ = http.NewResponseController(w).Flush()
		lost(at("in the middle of the reply to "))
		data = data[half:]
	}
	_, _ = w.Write(data)
}

// lost ends the connection where one of its two ends was killed.
func lost(killed []string) {
	if breaks(killed) {
		panic(http.ErrAbortHandler)
	}
}

func breaks(killed []string) bool {
	return slices.Contains(killed, theWorker) || slices.Contains(killed, theService)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (l *processes) forward(r *http.Request, body io.Reader, length int64) (*http.Response, []byte, error) {
	if r.URL.Path == pathHook {
		reply := httptest.NewRecorder()
		l.hook.ServeHTTP(reply, r)
		return reply.Result(), reply.Body.Bytes(), nil
	}
	target := *r.URL
	target.Scheme, target.Host = "http", l.address(theService)
	request, err := http.NewRequestWithContext(r.Context(), r.Method, target.String(), body)
	if err != nil {
		return nil, nil, err
	}
	request.Header, request.ContentLength, request.Host = r.Header.Clone(), length, r.Host
	response, err := straight.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response, data, err
}

// straight keeps no connections: one to a process that was killed would fail the request of the next.
var straight = &http.Transport{DisableKeepAlives: true, DisableCompression: true}

// loses tells once that a reply gets lost, killed or not.
func (l *processes) loses(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.fault
	now := s != nil && s.loses == what && !s.lost
	if now {
		s.lost = true
	}
	return now
}

// refuses tells whether the service shall not know a request.
func (l *processes) refuses(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault != nil && l.fault.refuses == what
}

const pathHook = "/hook"

// postbox takes notifications and counts each id.
type postbox struct {
	mu  sync.Mutex
	ids map[string]int
}

func (p *postbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids[r.Header.Get("webhook-id")]++
}
