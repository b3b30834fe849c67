//go:build deep

package secrets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// echoServer stands before a service and misbehaves as it is told: what it refuses, it refuses with everything that it was
// sent and that has been handed out so far. It notes every secret that it sees.
type echoServer struct {
	mu      sync.Mutex
	secrets map[string]string // by what they say; what they are
	link    string            // handed out last
	faults  []*fault
	talks   bool // jobs say what they should not, and go on
}

// fault is how some requests are answered.
type fault struct {
	method, path string
	left         int // times
	answer       func(w http.ResponseWriter, r *http.Request, says string)
}

func newEchoServer() *echoServer { return &echoServer{secrets: map[string]string{}} }

// note remembers a secret under a name of its own.
func (p *echoServer) note(kind, secret string) {
	if _, known := p.secrets[secret]; !known && secret != "" {
		p.secrets[secret] = fmt.Sprintf("%s %d", kind, len(p.secrets))
	}
}

// commit has requests answered so from now on.
func (p *echoServer) commit(faults ...*fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = faults
}

func (p *echoServer) speak(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.talks = on
}

// spent wants every fault to have happened.
func (p *echoServer) spent(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fault := range p.faults {
		assert.LessOrEqual(t, fault.left, 0, "%s %s", fault.method, fault.path)
	}
}

var (
	handedLink  = regexp.MustCompile(`"(?:url|downloadUrl)":"([^"]+)"`)
	handedMark  = regexp.MustCompile(`signature=([0-9a-f]+)`)
	handedField = regexp.MustCompile(`"(policy|x-amz-signature)":"([^"]+)"`)
	sentField   = regexp.MustCompile(`name="(policy|x-amz-signature)"\r\n\r\n([^\r]+)\r\n`)
)

func (p *echoServer) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		says, fault, talks := p.hear(r, body)
		if fault != nil {
			fault.answer(w, r, says)
			return
		}
		reply := httptest.NewRecorder()
		next.ServeHTTP(reply, r)
		out := reply.Body.Bytes()
		if strings.HasPrefix(r.URL.Path, "/api/") {
			p.learn(out)
			if talks && r.Method == http.MethodGet {
				out = babble(out, says)
			}
		}
		for name, values := range reply.Header() {
			if name != "Content-Length" {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(reply.Code)
		_, _ = w.Write(out)
	})
}

// hear is what can be repeated of a request, and the fault that strikes it.
func (p *echoServer) hear(r *http.Request, body []byte) (says string, strikes *fault, talks bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("API key", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	says = fmt.Sprintf("cannot serve %s http://%s%s with %v, last handed out: %s", r.Method, r.Host, r.URL.RequestURI(), r.Header, p.link)
	if r.URL.Path == "/api/v1/jobs" && len(body) > 0 {
		says = fmt.Sprintf("got %s, %s", body, says)
	}
	if strings.HasPrefix(r.URL.Path, "/storage/") {
		for _, field := range sentField.FindAllSubmatch(body, -1) {
			says = fmt.Sprintf("got %s, %s", field[2], says)
		}
		says = fmt.Sprintf("got %s, %.150s", r.URL.Query().Get("signature"), says) // bare: nothing says what it is
	}
	for _, fault := range p.faults {
		if fault.left > 0 && fault.method == r.Method && fixture.Matches(fault.path, r.URL.Path) {
			fault.left--
			return says, fault, false
		}
	}
	return says, nil, p.talks
}

// learn notes what a reply hands out.
func (p *echoServer) learn(reply []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := strings.ReplaceAll(string(reply), `\u0026`, "&")
	for _, link := range handedLink.FindAllStringSubmatch(text, -1) {
		p.link = link[1]
	}
	for _, mark := range handedMark.FindAllStringSubmatch(text, -1) {
		p.note("signature", mark[1])
	}
	for _, field := range handedField.FindAllStringSubmatch(text, -1) {
		p.note("grant", field[2])
	}
}

// babble has a job say something, wherever jobs have words of their own.
func babble(reply []byte, says string) []byte {
	var job map[string]any
	if json.Unmarshal(reply, &job) != nil {
		return reply
	}
	switch {
	case job["jobId"] != nil:
		job["progressMessage"], job["warnings"] = says, []string{says}
	case job["jobSpecId"] != nil:
		job["agentMessage"] = says
	}
	out, err := json.Marshal(job)
	if err != nil {
		return reply
	}
	return out
}

// Answers of faults.

func flat(status int, code string) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, says string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": says, "details": map[string]any{"request": says}})
	}
}

func detailed(status int) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, says string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"detail": says})
	}
}

func page502(w http.ResponseWriter, _ *http.Request, says string) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, "<html><body>"+says+"</body></html>")
}

func xml403(w http.ResponseWriter, _ *http.Request, says string) {
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>%.290s</Message><StringToSign>%s</StringToSign></Error>", says, says)
}

func redirected(w http.ResponseWriter, r *http.Request, _ string) {
	w.Header().Set("Location", "http://elsewhere.invalid"+r.URL.RequestURI())
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func misdirected(w http.ResponseWriter, r *http.Request, _ string) {
	w.Header().Set("Location", "http://[elsewhere"+r.URL.RequestURI())
	w.WriteHeader(http.StatusFound)
}

// garbled is no HTTP; net/http quotes such a line.
func garbled(w http.ResponseWriter, r *http.Request, says string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, _ = fmt.Fprintf(conn, "%s %s\r\n\r\n", r.URL.RequestURI(), says)
		_ = conn.Close()
	}
}

// halved sends the beginning of a file, and its ETag.
func halved(w http.ResponseWriter, _ *http.Request, _ string) {
	w.Header().Set("Etag", `"of-the-half"`)
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, "the first words")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// later asks to be asked again when the test is over.
func later(w http.ResponseWriter, _ *http.Request, says string) {
	w.Header().Set("Retry-After", "3600")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = fmt.Fprintf(w, "<Error><Code>SlowDown</Code><Message>%.290s</Message></Error>", says)
}

// failedJob is a job that failed, and why.
func failedJob(w http.ResponseWriter, _ *http.Request, says string) {
	_ = json.NewEncoder(w).Encode(map[string]any{
		"jobId": "job_failed", "status": "failed", "processorType": "document_conversion",
		"error": map[string]any{"code": "CORRUPT_FILE", "message": says, "detail": map[string]any{"reason": says}},
	})
}

// echoHook is a webhook that repeats what it is sent before it takes it.
type echoHook struct {
	*httptest.Server
	mu      sync.Mutex
	faults  []func(http.ResponseWriter, *http.Request, string)
	took    []activities.Notification
	secrets map[string]string
	posts   bytes.Buffer
}

func newEchoHook(t *testing.T) *echoHook {
	t.Helper()
	h := &echoHook{secrets: map[string]string{}, faults: []func(http.ResponseWriter, *http.Request, string){
		flat(http.StatusInternalServerError, "X"), redirected, misdirected, garbled, flat(http.StatusGone, "X"),
	}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		var n activities.Notification
		if assert.NoError(t, json.Unmarshal(body, &n)) && n.Question != nil {
			h.secrets[n.Question.AnswerURL[strings.LastIndex(n.Question.AnswerURL, "/")+1:]] = fmt.Sprintf("answer link %d", len(h.secrets))
		}
		h.secrets[strings.TrimPrefix(r.Header.Get("webhook-signature"), "v1,")] = fmt.Sprintf("webhook signature %d", len(h.secrets))
		h.posts.Write(body)
		if len(h.faults) > 0 {
			fault := h.faults[0]
			h.faults = h.faults[1:]
			fault(w, r, fmt.Sprintf("%s %v %s", r.URL.RequestURI(), r.Header, body))
			return
		}
		h.took = append(h.took, n)
	}))
	t.Cleanup(h.Close)
	return h
}

// answerLink is the newest link for a slot; empty where none was taken.
func (h *echoHook) answerLink(slotID string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	link := ""
	for _, n := range h.took {
		if n.Question != nil && n.Question.SlotID == slotID {
			link = n.Question.AnswerURL
		}
	}
	return link
}
