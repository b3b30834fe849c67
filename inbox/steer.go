package inbox

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// nobody is who steers where no name is known.
const nobody = "the inbox"

var errUnknownSignal = errors.New("there is no such button")

// postSteering sends a batch or a watch the signal of one of its page's buttons.
func (in *Inbox) postSteering(w http.ResponseWriter, r *http.Request) {
	if !in.parseForm(w, r) {
		return
	}
	defer dropForm(r)
	id := r.PathValue("id")
	seen, err := in.runs.Describe(r.Context(), id)
	if err != nil {
		in.fail(w, r, err)
		return
	}
	signal := r.PostFormValue("signal")
	steering, said, err := steeringOf(r, signal)
	if errors.Is(err, errUnknownSignal) {
		in.renderMessage(w, r, http.StatusBadRequest, "Not understood", "There is no such button. Nothing was changed.")
		return
	}
	if !seen.Kind.Takes(signal) {
		in.renderMessage(w, r, http.StatusUnprocessableEntity, "Not for this run", "Only batches and watched folders can be paused and resumed, and only batches tried again. Nothing was changed.")
		return
	}
	if err != nil {
		in.redirect(w, r, runPath(id), []outcome{{Text: err.Error() + ". Nothing was changed."}})
		return
	}
	steering.By = cmp.Or(in.answerer(w, r), nobody)
	ctx, cancel := in.patient(r)
	defer cancel()
	err = in.runs.Steer(ctx, id, signal, steering)
	in.forget()
	switch {
	case err == nil:
		in.redirect(w, r, runPath(id), []outcome{{Good: true, Text: said}})
	case errors.Is(err, runs.ErrEnded):
		in.redirect(w, r, runPath(id), []outcome{{Text: "It has ended meanwhile. Nothing was changed."}})
	case errors.Is(err, runs.ErrNoSuchRun):
		in.fail(w, r, err)
	default:
		in.cfg.Logger.Warn("a run could not be steered", zap.String("signal", signal), zap.Error(err))
		in.redirect(w, r, runPath(id), []outcome{{Text: "Could not be sent: Temporal could not be asked. Try it again."}})
	}
}

// steeringOf reads a button's form, and what to say when it was sent.
func steeringOf(r *http.Request, signal string) (batch.Steering, string, error) {
	s := batch.Steering{Note: cut(strings.TrimSpace(r.PostFormValue("note")), maxNote)}
	switch signal {
	case batch.SignalPause:
		return s, "Told to pause: nothing new is started, what is under way goes on to its end.", nil
	case batch.SignalResume:
		return s, "Told to go on.", nil
	case batch.SignalSetConcurrency:
		text := strings.TrimSpace(r.PostFormValue("concurrency"))
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > batch.MaxConcurrency {
			return s, "", fmt.Errorf("%q is not a number from 1 to %d", cut(text, 40), batch.MaxConcurrency)
		}
		s.Concurrency = n
		return s, fmt.Sprintf("Told to have %s under way at once at most.", term.Plural(n, "file", "files")), nil
	case batch.SignalRetryFailed:
		s.Codes = r.PostForm["code"]
		if len(s.Codes) == 0 {
			return s, "Told to try all failed files again.", nil
		}
		return s, fmt.Sprintf("Told to try again what failed with %s.", cut(strings.Join(s.Codes, ", "), 120)), nil
	}
	return s, "", errUnknownSignal
}
