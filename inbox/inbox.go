// Package inbox is the page where people answer the questions of runs, and the HTTP API by which other systems
// do. All state is Temporal's: an inbox can be started and stopped at will.
package inbox

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/answering"
)

// Config says how an Inbox serves.
type Config struct {
	Temporal  temporalclient.Client
	Namespace string
	// Token lets people and systems in; where it is empty, only this machine is served.
	Token string
	// Secret signs logins and answer links, 32 bytes at least.
	Secret []byte
	// Files is the folder for uploads, which workers must be able to read; empty where files cannot be answered here.
	Files string
	// Previews fetches what a question asks to look at, with its media type; nil where it cannot be shown.
	Previews func(ctx context.Context, jobSpecID, artifactID string) (io.ReadCloser, string, error)
	// RunURL is where Temporal's own page shows a run; nil where there is none.
	RunURL    func(workflowID, runID string) string
	MaxUpload int64 // bytes of one form, 100 MiB where 0
	Logger    *zap.Logger
	Clock     func() time.Time
}

const (
	maxUploadDefault = 100 << 20
	// loginsAtOnce and loginsPerSecond bound how fast anybody can guess.
	loginsPerSecond, loginsAtOnce = 2, 10
)

// Inbox serves the page and the API.
type Inbox struct {
	cfg     Config
	board   board
	pages   *template.Template
	handler http.Handler
	logins  *rate.Limiter
	watch   *watch
}

//go:embed templates static
var assets embed.FS

// New prepares an inbox. Close ends its sockets.
func New(cfg Config) (*Inbox, error) {
	desk := &answering.Desk{Temporal: cfg.Temporal, Namespace: cfg.Namespace}
	return newInbox(cfg, desk)
}

func newInbox(cfg Config, b board) (*Inbox, error) {
	if len(cfg.Secret) < link.SecretMin {
		return nil, fmt.Errorf("the inbox's secret has %d bytes; it needs %d", len(cfg.Secret), link.SecretMin)
	}
	if cfg.MaxUpload <= 0 {
		cfg.MaxUpload = maxUploadDefault
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	in := &Inbox{cfg: cfg, board: b, logins: rate.NewLimiter(loginsPerSecond, loginsAtOnce)}
	pages, err := template.New("").Funcs(in.funcs()).ParseFS(assets, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the inbox's pages: %w", err)
	}
	in.pages = pages
	in.watch = newWatch(in)
	in.handler = in.routes()
	return in, nil
}

// Handler serves everything, at the root of a host.
func (in *Inbox) Handler() http.Handler { return in.handler }

// Close ends the live connections.
func (in *Inbox) Close() { in.watch.close() }

func (in *Inbox) routes() http.Handler {
	mux := http.NewServeMux()
	open := func(pattern string, h handler) { mux.Handle(pattern, in.page(h)) }
	known := func(pattern string, h handler) { mux.Handle(pattern, in.page(in.asPerson(h))) }
	open("GET /login", in.showLogin)
	open("POST /login", in.login)
	open("POST /logout", in.logout)
	open("GET /answer/{token}", in.showLink)
	open("POST /answer/{token}", in.answerByLink)
	open("GET /answer/{token}/previews/{artifact}", in.previewByLink)
	known("GET /{$}", in.showList)
	known("GET /runs/{id}", in.showRun)
	known("POST /runs/{id}/answers", in.answerRun)
	known("GET /groups/{key}", in.showGroup)
	known("POST /groups/{key}/answers", in.answerGroup)
	known("GET /previews/{id}/{artifact}", in.preview)
	known("GET /live", in.live)
	api := func(pattern string, h handler) { mux.Handle(pattern, in.system(h)) }
	api("GET /api/questions", in.apiQuestions)
	api("GET /api/runs/{id}/questions", in.apiRunQuestions)
	api("GET /api/runs/{id}/answers", in.apiRunAnswers)
	api("POST /api/runs/{id}/answers", in.apiAnswer)
	mux.Handle("GET /static/", http.FileServerFS(assets))
	mux.Handle("/", in.page(func(http.ResponseWriter, *http.Request) error {
		return fault(http.StatusNotFound, "There is no such page.")
	}))
	// Cookies are strict and forms are checked besides: a page elsewhere cannot answer in somebody's name.
	return in.guarded(http.NewCrossOriginProtection().Handler(mux))
}

type handler func(w http.ResponseWriter, r *http.Request) error

// httpFault is an error with what its caller is told.
type httpFault struct {
	status  int
	code    string
	message string
	details any
}

func (e *httpFault) Error() string { return e.message }

func fault(status int, format string, args ...any) error {
	return &httpFault{status: status, message: fmt.Sprintf(format, args...)}
}

// told turns any error into what may be said of it.
func (in *Inbox) told(r *http.Request, err error) *httpFault {
	var known *httpFault
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLarge):
		return &httpFault{status: http.StatusRequestEntityTooLarge, code: "TOO_LARGE", message: fmt.Sprintf("What was sent is larger than %d bytes.", tooLarge.Limit)}
	case errors.Is(err, answering.ErrNoSuchRun):
		return &httpFault{status: http.StatusNotFound, code: "NO_SUCH_RUN", message: "There is no such run."}
	case errors.Is(err, answering.ErrEnded):
		return &httpFault{status: http.StatusGone, code: "RUN_ENDED", message: "The run has ended; it takes no more answers."}
	}
	if r.Context().Err() == nil {
		in.cfg.Logger.Error("a request of the inbox failed", zap.String("method", r.Method), zap.String("path", r.Pattern), zap.Error(err))
	}
	return &httpFault{status: http.StatusBadGateway, code: "TEMPORAL_UNAVAILABLE", message: "Temporal or its workers do not answer; nothing is lost, try again."}
}

// page answers a browser.
func (in *Inbox) page(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, in.cfg.MaxUpload)
		if err := h(w, r); err != nil {
			f := in.told(r, err)
			in.render(w, f.status, "fault", map[string]any{"Title": http.StatusText(f.status), "Message": f.message})
		}
	})
}

// guarded sets what every answer carries, and lets in only whom it may.
func (in *Inbox) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer", // answer links are secrets
			"X-Frame-Options":         "DENY",
			"Cache-Control":           "no-store",
		} {
			w.Header().Set(name, value)
		}
		if in.cfg.Token == "" && !isLocal(r) {
			http.Error(w, "This inbox serves this machine alone; set a token (CONVILYN_INBOX_TOKEN) to open it to others.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
