package inbox

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

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

func (in *Inbox) showBatch(w http.ResponseWriter, r *http.Request, p runPage) {
	b := batchPage{runPage: p}
	in.askBatch(r, &b)
	b.settle()
	in.render(w, p.Code, "batch", &b)
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
	if b.Now != nil {
		*b.Now = runs.Foreseen(*b.Now, b.Run.Troubles, in.cfg.Clock())
	}
	b.ask(in, open)
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

// Facts are the numbers beside the bar: of the result, or of now.
func (b *batchPage) Facts() []fact {
	var out []fact
	add := func(name, text string) {
		if text != "" {
			out = append(out, fact{name, text})
		}
	}
	switch now, report := b.Now, b.report(); {
	case report != nil:
		sum := report.Summary
		add("Bytes in", term.Bytes(sum.BytesIn))
		add("Bytes out", term.Bytes(sum.BytesOut))
		add("Outputs", fmt.Sprint(sum.Outputs))
		add("With warnings", countText(sum.Warnings, "file", "files"))
		if sum.Checked+sum.NotChecked > 0 {
			add("Compared with sources", fmt.Sprintf("%d, %d not", sum.Checked, sum.NotChecked))
			add("With a measured loss", cmp.Or(countText(sum.Lossy, "file", "files"), "none"))
		}
		add("Histories", fmt.Sprintf("%d, the largest of %s", report.Runs, term.Plural(report.LargestHistory, "event", "events")))
		add("Report", sum.Report)
	case now != nil:
		if b.Run.ClosedAt == nil {
			add("Rate", rateText(now.Rate))
			add("Left", leftText(time.Duration(now.LeftFor)))
			add("In flight", inFlight(now.InFlight))
			add("Window", fmt.Sprintf("%d of %d at once", now.Window, now.Concurrency))
		}
		add("Throttled", countText(now.Throttled, "time", "times"))
		add("Bytes in", term.Bytes(now.BytesIn)+" of "+term.Bytes(now.TotalBytes))
		add("Bytes out", term.Bytes(now.BytesOut))
		add("With warnings", countText(now.Warnings, "file", "files"))
		add("Histories", fmt.Sprint(now.Runs))
		add("Report", now.Report)
	}
	return out
}

// Why says why the batch stands still or was stopped. What it asks says so itself.
func (b *batchPage) Why() string {
	switch {
	case b.report() != nil:
		return b.report().Reason
	case b.Now == nil || b.Open > 0:
		return ""
	}
	return b.Now.Reason
}

// Slowest are the files longest under way.
func (b *batchPage) Slowest() []batch.ItemNow {
	if b.Now == nil || b.Run.ClosedAt != nil {
		return nil
	}
	return b.Now.Slowest
}

func countText(n int, one, many string) string {
	if n == 0 {
		return ""
	}
	return term.Plural(n, one, many)
}

// rateText is for files a second; slow ones are told by the minute or the hour.
func rateText(rate float64) string {
	switch {
	case rate <= 0:
		return "nothing done lately"
	case rate >= 1:
		return fmt.Sprintf("%.1f files a second", rate)
	case rate*60 >= 1:
		return fmt.Sprintf("%.1f files a minute", rate*60)
	}
	return fmt.Sprintf("%.1f files an hour", rate*3600)
}

func leftText(left time.Duration) string {
	if left <= 0 {
		return ""
	}
	return "about " + term.Span(left)
}

// stepsInOrder are those that files of a batch go through.
var stepsInOrder = []string{activities.StepUpload, activities.StepCreate, activities.StepAwait, activities.StepDownload, activities.StepReview}

// inFlight is what is under way by step, in the order of the steps: "upload 2, convert 5".
func inFlight(steps map[string]int) string {
	names := slices.SortedFunc(maps.Keys(steps), func(a, b string) int {
		return cmp.Or(cmp.Compare(placeOf(stepsInOrder, a), placeOf(stepsInOrder, b)), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		if steps[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", cut(name, 60), steps[name]))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing")
}

// placeOf is after all others for what is not in the list.
func placeOf(list []string, item string) int {
	if at := slices.Index(list, item); at >= 0 {
		return at
	}
	return len(list)
}
