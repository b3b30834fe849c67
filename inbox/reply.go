package inbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// frame is what every page has around it.
type frame struct {
	Title   string
	Person  string // who is logged in
	Login   bool   // there is a login to leave
	Bare    bool   // without the way to other pages
	Version string // of what is shown; empty on pages that do not change
	Live    string // the run that is watched; empty for everything
	LiveAt  string // where that is, on this inbox
	Here    string // this page, to be loaded again
	Notice  string // what everybody should know; empty for nothing
}

func (in *Inbox) frame(r *http.Request, title string) frame {
	s, known := in.gate.Session(r)
	query := r.URL.Query()
	query.Del("said")
	query.Del("token")
	here := r.URL.EscapedPath()
	if encoded := query.Encode(); encoded != "" {
		here += "?" + encoded
	}
	f := frame{Title: title, Person: s.Name, Login: known && in.cfg.Token != "", Bare: !in.admitted(r), Here: here, LiveAt: "/live"}
	if in.cfg.Notice != nil && !f.Bare {
		f.Notice = in.cfg.Notice()
	}
	return f
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

// fail shows a fault of ours or of Temporal's; the details go to the log.
func (in *Inbox) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, runs.ErrNoSuchRun):
		in.renderMessage(w, r, http.StatusNotFound, "No such run", "There is no run of that name here. It may have been removed after its retention.")
	case errors.Is(err, runs.ErrEnded):
		in.renderMessage(w, r, http.StatusGone, "The run has ended", "It takes no more answers.")
	case runs.NoWorker(err) && !errors.Is(err, errAway):
		in.renderMessage(w, r, http.StatusServiceUnavailable, "No worker answers for this run at present", "Its questions wait. Nothing was sent; try again when a worker is back.")
	default:
		in.cfg.Logger.Warn("a request failed", zap.String("path", r.Pattern), zap.Error(err))
		in.renderMessage(w, r, http.StatusBadGateway, "Temporal does not answer", "Nothing is lost. The inbox's log says more.")
	}
}

// apiFault is every error of the API.
type apiFault struct {
	Code    string              `json:"code"`
	Message string              `json:"message"`
	Receipt *questions.Receipt  `json:"receipt,omitempty"` // of an answer that did not count
	Options []activities.Option `json:"options,omitempty"` // what would have been taken
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		code, body = http.StatusInternalServerError, []byte(`{"code":"INTERNAL","message":"the reply could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}

func writeFault(w http.ResponseWriter, code int, name, text string) {
	writeJSON(w, code, apiFault{Code: name, Message: text})
}

// codeOf is the HTTP status of a fault of answering.
func codeOf(err error) int {
	var refused *runs.RefusedError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &refused):
		if refused.Receipt.Verdict == questions.VerdictConflict {
			return http.StatusConflict
		}
		return http.StatusUnprocessableEntity
	case errors.Is(err, runs.ErrNoVerdict):
		return http.StatusAccepted
	case errors.Is(err, runs.ErrEnded):
		return http.StatusGone
	case errors.Is(err, runs.ErrNoSuchRun):
		return http.StatusNotFound
	case runs.NoWorker(err) && !errors.Is(err, errAway):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}

// patient bounds a query: a run that no worker answers for must not hold a page up.
func (in *Inbox) patient(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), in.patience)
}

func (in *Inbox) admitted(r *http.Request) bool {
	if in.cfg.Token == "" {
		return true // guard has seen to it
	}
	_, ok := in.gate.Session(r)
	return ok
}
