// Package inbox is the page where people answer questions of runs and watch runs. All state is Temporal's: it can be
// restarted at will, and several may run side by side if they share a secret.
package inbox

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	temporalclient "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/runs"
)

//go:embed page
var page embed.FS

// Config is what an inbox needs.
type Config struct {
	Temporal  temporalclient.Client
	Namespace string
	Token     string // empty: only loopback clients under loopback names are served
	Secret    []byte // signs login cookies and answer links; at least 32 bytes
	Files     string // folder for uploads that workers can read; empty: file questions take file ids alone
	// Previews opens an artifact of a job and tells its media type; nil: there are no previews.
	Previews   func(ctx context.Context, jobSpecID, artifactID string) (io.ReadCloser, string, error)
	TemporalUI string // root of Temporal's own page; empty: no links to it
	MaxUpload  int64  // bytes of one sending; 100 MiB where 0
	Logger     *zap.Logger
	Clock      func() time.Time
}

const (
	minSecret     = 32
	maxUploadDef  = 100 << 20
	pollEvery     = time.Second
	queryPatience = 5 * time.Second // a run that no worker answers for is shown from its memo
)

// Inbox serves the page and the API.
type Inbox struct {
	cfg       Config
	runs      *runs.Client
	pages     map[string]*template.Template
	hub       *hub
	attempts  *attempts
	upgrader  websocket.Upgrader
	patience  time.Duration
	snapshots snapshots
}

// snapshots keeps the last look at Temporal for a moment, so that many readers cost one look.
type snapshots struct {
	mu     sync.Mutex
	last   *snapshot
	silent map[string]time.Time // batches and watches that did not answer, and when they were asked
}

// New checks the configuration. Close stops what runs for open pages.
func New(cfg Config) (*Inbox, error) {
	if cfg.Temporal == nil {
		return nil, errors.New("the inbox needs a connection to Temporal")
	}
	if len(cfg.Secret) < minSecret {
		return nil, errors.New("the inbox needs a secret of at least 32 bytes")
	}
	if cfg.MaxUpload <= 0 {
		cfg.MaxUpload = maxUploadDef
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	in := &Inbox{cfg: cfg, runs: &runs.Client{Temporal: cfg.Temporal, Namespace: cfg.Namespace}, attempts: newAttempts(), patience: queryPatience}
	in.upgrader = websocket.Upgrader{HandshakeTimeout: 5 * time.Second, ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10}
	in.hub = newHub(in.look, func() (<-chan time.Time, func()) {
		ticker := time.NewTicker(pollEvery)
		return ticker.C, ticker.Stop
	})
	var err error
	in.pages, err = parsePages(in)
	return in, err
}

// Close ends every live connection.
func (in *Inbox) Close() { in.hub.close() }

// Handler serves everything under "/".
func (in *Inbox) Handler() http.Handler {
	mux := http.NewServeMux()
	private := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, in.private(h)) }
	private("GET /{$}", in.showList)
	private("GET /runs/{id}", in.showRun)
	private("POST /runs/{id}/answers", in.postRun)
	private("POST /runs/{id}/steering", in.postSteering)
	private("GET /groups/{key}", in.showGroup)
	private("POST /groups/{key}/answers", in.postGroup)
	private("GET /previews/{id}/{artifact}", in.showPreview)
	private("GET /live", in.live)
	mux.HandleFunc("GET /login", in.showLogin)
	mux.HandleFunc("POST /login", in.postLogin)
	mux.HandleFunc("POST /logout", in.postLogout)
	mux.HandleFunc("GET /answer/{token}", in.showLink)
	mux.HandleFunc("POST /answer/{token}", in.postLink)
	mux.HandleFunc("GET /answer/{token}/previews/{artifact}", in.showLinkPreview)
	mux.Handle("GET /api/questions", in.bearer(in.apiQuestions))
	mux.Handle("GET /api/runs/{id}/questions", in.bearer(in.apiRunQuestions))
	mux.Handle("GET /api/runs/{id}/answers", in.bearer(in.apiRunAnswers))
	mux.Handle("POST /api/runs/{id}/answers", in.bearer(in.apiAnswer))
	static, err := fs.Sub(page, "page")
	if err == nil {
		mux.Handle("GET /static/{name}", http.StripPrefix("/static/", assets(static)))
	}
	mux.HandleFunc("/", in.notFound)
	return in.guard(http.NewCrossOriginProtection().Handler(mux))
}

// assets serves the style and the script, not the templates beside them.
func assets(files fs.FS) http.Handler {
	serve := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "inbox.css" && r.URL.Path != "inbox.js" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		serve.ServeHTTP(w, r)
	})
}

// render writes a page; a page that cannot be written is one line, not half a page.
func (in *Inbox) render(w http.ResponseWriter, code int, name string, data any) {
	var out bytes.Buffer
	if err := in.pages[name].ExecuteTemplate(&out, "base", data); err != nil {
		in.cfg.Logger.Error("a page could not be written", zap.String("page", name), zap.Error(err))
		http.Error(w, "the page could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(out.Bytes())
}

// message is a page that says one thing.
type message struct {
	frame
	Heading, Text string
}

func (in *Inbox) renderMessage(w http.ResponseWriter, r *http.Request, code int, heading, text string) {
	in.render(w, code, "message", message{frame: in.frame(r, heading), Heading: heading, Text: text})
}

func (in *Inbox) notFound(w http.ResponseWriter, r *http.Request) {
	if !in.admitted(r) {
		in.renderMessage(w, r, http.StatusNotFound, "Not here", "There is no such page.")
		return
	}
	in.renderMessage(w, r, http.StatusNotFound, "Not here", "There is no such page. What waits is on the first one.")
}

// fail shows a fault of ours or of Temporal's; the details go to the log.
func (in *Inbox) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, runs.ErrNoSuchRun):
		in.renderMessage(w, r, http.StatusNotFound, "No such run", "There is no run of that name here. It may have been removed after its retention.")
	case errors.Is(err, runs.ErrEnded):
		in.renderMessage(w, r, http.StatusGone, "The run has ended", "It takes no more answers.")
	case runs.NoWorker(err):
		in.renderMessage(w, r, http.StatusServiceUnavailable, "No worker answers for this run at present", "Its questions wait. Nothing was sent; try again when a worker is back.")
	default:
		in.cfg.Logger.Warn("a request failed", zap.String("path", r.Pattern), zap.Error(err))
		in.renderMessage(w, r, http.StatusBadGateway, "Temporal could not be asked", "Nothing is lost: reload in a moment. The inbox's log says more.")
	}
}
