package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// pastPatience is how long an ended batch is asked for more than its result.
const pastPatience = 2 * time.Second

// batchPage is one batch: how it stands or ended, what failed, and how to steer it.
type batchPage struct {
	runPage
	Now     *batch.Progress // nil where it did not answer
	Tally   *tally          // of the result or of Now; nil where neither is known
	Chart   *chart
	Groups  []batch.FailureGroup
	Failed  []batch.FailedItem // the latest first
	Retries string             // how the section of failures steers; empty where it may not
	Steers  steering
	Asked   string // versions of what people type into
	Steered string
}

// steering is what people may do to a batch.
type steering struct {
	Path        string
	Open        bool // it can be steered
	Paused      bool
	Waiting     bool // for an answer, which lets it go on
	Concurrency int  // 0 where it is not known
	Most        int  // that it may be; 0 where it cannot be set
}

func (in *Inbox) showBatch(w http.ResponseWriter, r *http.Request, p runPage) {
	b := batchPage{runPage: p}
	in.askBatch(r, &b)
	b.settle()
	in.render(w, http.StatusOK, "batch", &b)
}

// askBatch asks everything at once; what no worker answers is left out, and said.
func (in *Inbox) askBatch(r *http.Request, b *batchPage) {
	ended := b.Run.ClosedAt != nil
	patience := in.patience
	if ended {
		patience = min(patience, pastPatience)
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var all sync.WaitGroup
	var open []questions.Question
	all.Go(func() {
		if now, err := in.runs.Progress(ctx, b.Run.ID); err == nil {
			b.Now = &now
		}
	})
	all.Go(func() { b.Failed, _ = in.runs.Failures(ctx, b.Run.ID) })
	all.Go(func() { b.Ledger, _ = in.runs.Answers(ctx, b.Run.ID) })
	all.Go(func() {
		if ended {
			b.Result = in.result(ctx, b.Run)
			return
		}
		open, _ = in.runs.Questions(ctx, b.Run.ID)
	})
	all.Wait()
	b.Silent = b.Now == nil && !ended
	for i, q := range open {
		b.Fields = append(b.Fields, in.fieldOf(q, i+1, previewPath(b.Run.ID)))
		if !q.Answered {
			b.Open++
		}
	}
}

// settle decides what is shown from what was told.
func (b *batchPage) settle() {
	ended := b.Run.ClosedAt != nil
	if now := b.Now; now != nil {
		t := tallyOf(*now)
		b.Tally, b.Groups, b.Chart = &t, now.Failures, chartOf(now.Throughput, !ended && now.State == workflows.StateRunning)
		b.Run.Now = now
		b.Steers.Concurrency = now.Concurrency
	}
	if report := b.report(); report != nil {
		t := tallyOfReport(report.Summary)
		b.Tally, b.Groups = &t, groupsOf(report.Summary.Codes, b.Groups)
	}
	b.Steers.Path, b.Steers.Most = runPath(b.Run.ID)+"/steering", batch.MaxConcurrency
	state := b.State()
	b.Steers.Open = !ended && state != workflows.StateReporting
	b.Steers.Paused, b.Steers.Waiting = state == workflows.StatePaused, state == workflows.StateWaiting
	if b.Steers.Open {
		b.Retries = b.Steers.Path
	}
	b.Steered = mark(b.Steers)
	var asked []any
	for _, f := range b.Fields {
		asked = append(asked, f.SlotID, f.Round, f.Text, f.Answered)
	}
	b.Asked = mark(asked...)
}

// report is how the batch ended; nil while it runs, and where it came to no report.
func (b *batchPage) report() *batch.Result {
	if b.Result == nil {
		return nil
	}
	return b.Result.Batch
}

// State is what the batch's report says, else what the batch says.
func (b *batchPage) State() string {
	if report := b.report(); report != nil {
		return report.Status
	}
	return b.Run.State()
}

// mark is a short name for values: the same for the same ones.
func mark(values ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v", values))
	return hex.EncodeToString(sum[:8])
}
