package inbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// questions asks within the patience of a page.
func (in *Inbox) questions(r *http.Request, id string) ([]questions.Question, error) {
	ctx, cancel := in.patient(r)
	defer cancel()
	open, err := in.runs.Questions(ctx, id)
	return open, in.blame(r, id, err)
}

// describe looks at a run, which needs no worker: where it takes too long, Temporal is away.
func (in *Inbox) describe(r *http.Request, id string) (runs.Description, error) {
	ctx, cancel := context.WithTimeout(r.Context(), lookWithin)
	defer cancel()
	d, err := in.runs.Look(ctx, id)
	if err != nil && !errors.Is(err, runs.ErrNoSuchRun) && r.Context().Err() == nil {
		err = fmt.Errorf("%w: %w", errAway, err)
	}
	return d, err
}

// blame tells Temporal's absence from that of a worker.
func (in *Inbox) blame(r *http.Request, id string, err error) error {
	if !runs.NoWorker(err) || errors.Is(err, errAway) {
		return err
	}
	if _, away := in.describe(r, id); errors.Is(away, errAway) {
		return away
	}
	return err
}

// result is how a run ended; nil where that cannot be read in time.
func (in *Inbox) result(ctx context.Context, r pageRun) *runs.End {
	if r.Kind == nil {
		return nil
	}
	end, err := in.runs.Result(ctx, r.Kind, r.ID, r.RunID)
	if err != nil {
		return nil
	}
	return &end
}
