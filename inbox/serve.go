package inbox

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/login"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

//go:embed page
var embedded embed.FS

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
	in := &Inbox{
		cfg: cfg, runs: &runs.Client{Temporal: cfg.Temporal, Namespace: cfg.Namespace, Clock: cfg.Clock}, gate: login.New(cfg.Secret, cfg.Token, cfg.Clock),
		patience: queryPatience,
	}
	if err := in.locate(); err != nil {
		return nil, err
	}
	in.gate.Path = in.at("/")
	in.upgrader = websocket.Upgrader{HandshakeTimeout: 5 * time.Second, ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10, CheckOrigin: in.ours}
	in.hub = newHub(func(ctx context.Context) (versions, error) { return in.look(ctx) })
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
	private("GET /documents/{id}/{slot}/{which}", in.showDocument)
	private("GET /live", in.live)
	mux.HandleFunc("GET /login", in.showLogin)
	mux.HandleFunc("POST /login", in.postLogin)
	mux.HandleFunc("POST /logout", in.postLogout)
	mux.HandleFunc("GET /answer/{token}", in.showLink)
	mux.HandleFunc("POST /answer/{token}", in.postLink)
	mux.HandleFunc("GET /answer/{token}/live", in.liveLink)
	mux.HandleFunc("GET /answer/{token}/previews/{artifact}", in.showLinkPreview)
	mux.Handle("GET /api/questions", in.bearer(in.apiQuestions))
	mux.Handle("GET /api/runs/{id}/questions", in.bearer(in.apiRunQuestions))
	mux.Handle("GET /api/runs/{id}/answers", in.bearer(in.apiRunAnswers))
	mux.Handle("POST /api/runs/{id}/answers", in.bearer(in.apiAnswer))
	mux.HandleFunc("GET /healthz", wellness(nil))
	mux.HandleFunc("GET /readyz", wellness(in.cfg.Ready))
	if in.cfg.Metrics != nil {
		mux.Handle("GET /metrics", in.bearer(in.cfg.Metrics.ServeHTTP))
	}
	static, err := fs.Sub(embedded, "page")
	if err == nil {
		mux.Handle("GET /static/{name}", http.StripPrefix("/static/", assets(static)))
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		writeFault(w, http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("there is no %s %s here", r.Method, run.Cut(r.URL.Path, 200)))
	})
	mux.HandleFunc("/", in.notFound)
	origins := http.NewCrossOriginProtection()
	if in.origin != "" {
		_ = origins.AddTrustedOrigin(in.origin) // was read as one
	}
	return in.guard(in.rebase(origins.Handler(mux)))
}

// wellness tells load balancers, which have no login, whether all is well, and nothing else.
func wellness(fault func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if fault != nil {
			if err := fault(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = w.Write([]byte("ok\n"))
	}
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

func (in *Inbox) notFound(w http.ResponseWriter, r *http.Request) {
	if !in.admitted(r) {
		in.renderMessage(w, r, http.StatusNotFound, "Not here", "There is no such page.")
		return
	}
	in.renderMessage(w, r, http.StatusNotFound, "Not here", "There is no such page. What waits is on the first one.")
}

func parsePages(in *Inbox) (map[string]*template.Template, error) {
	funcs := template.FuncMap{
		"ago": in.ago, "until": in.until, "exact": exact, "runPath": runPath, "place": placeName, "cut": cut, "value": valueText,
		"bytes": term.Bytes, "took": took, "trouble": in.troubleText, "name": nameOf, "plural": term.Plural, "verdict": verdictClass, "step": stepText, "compared": comparedText, "goal": goalText,
		"mark": mark, "at": in.at, "who": whoOf, "answer": answerText, "folded": func(code string) bool { return code == batch.CodesOther }, "tally": func(p *batch.Progress) tally { return tallyOf(*p) },
	}
	out := map[string]*template.Template{}
	for _, name := range []string{"list", "run", "batch", "watch", "group", "link", "login", "message"} {
		t, err := template.New(name).Funcs(funcs).ParseFS(embedded, "page/base.html", "page/question.html", "page/parts.html", "page/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("the page %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

func (in *Inbox) ago(t time.Time) string { return term.Age(in.cfg.Clock().Sub(t)) }

func (in *Inbox) troubleText(t runs.Trouble) string { return t.Text(in.cfg.Clock()) }

// until is "in 3 h", or "overdue by 5 min".
func (in *Inbox) until(at any) string {
	t, ok := at.(*time.Time)
	if plain, is := at.(time.Time); is {
		t, ok = &plain, true
	}
	if !ok || t == nil {
		return ""
	}
	if left := t.Sub(in.cfg.Clock()); left > 0 {
		return "in " + term.Age(left)
	}
	return "overdue by " + term.Age(in.cfg.Clock().Sub(*t))
}
