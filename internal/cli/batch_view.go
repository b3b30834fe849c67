package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// visibleFailures is how many kinds of failures a screen shows; the report has all.
const visibleFailures = 3

// batchView shows a running batch: a few lines on a live terminal, one a minute elsewhere.
type batchView struct {
	out      io.Writer
	terminal term.Screen
	live     *term.Live
	program  string
	id       string
	runs     *runs.Client
	progress *batch.Progress // what it last said; nil before
	troubles []runs.Trouble
	every    time.Duration // where lines cannot be redrawn
	silent   bool          // it did not answer lately
	ended    bool
}

func newBatchView(e *Env, id string, c *runs.Client) *batchView {
	return &batchView{out: e.Stderr, terminal: e.Terminal, live: term.NewLive(e.Stderr, e.Terminal), program: e.Program, id: id, runs: c, every: e.lineEvery()}
}

func (v *batchView) interval() time.Duration {
	if v.terminal.Live {
		return 500 * time.Millisecond
	}
	return v.every
}

func (v *batchView) done(int, result) { v.ended = true }

// refresh asks the batch. What it said before stays where it does not answer.
func (v *batchView) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if d, err := v.runs.Look(ctx, v.id); err == nil {
		v.troubles = d.Troubles
	}
	progress, err := v.runs.Progress(ctx, v.id)
	v.silent = err != nil
	if err == nil {
		progress = runs.Foreseen(progress, v.troubles, time.Now())
		v.progress = &progress
	}
}

func (v *batchView) draw() {
	if v.ended || v.progress == nil && !v.silent { // it was not asked yet
		return
	}
	if !v.terminal.Live {
		for _, line := range append([]string{v.line()}, troubleView(v.troubles)...) {
			_, _ = fmt.Fprintln(v.out, term.OneLine(line))
		}
		return
	}
	v.live.Draw(v.lines()...)
}

func (v *batchView) clear() { v.live.Clear() }

const noWord = "the batch does not answer; is a worker up?"

func (v *batchView) line() string {
	switch {
	case v.progress == nil:
		return noWord
	case v.silent:
		return batchLine(*v.progress) + "; " + noWord
	}
	return batchLine(*v.progress)
}

func (v *batchView) lines() []string {
	if v.progress == nil {
		return append([]string{noWord}, troubleView(v.troubles)...)
	}
	lines := append([]string{batchBar(*v.progress, v.terminal.Width())}, batchDetails(*v.progress, v.program, v.id)...)
	lines = append(lines, troubleView(v.troubles)...)
	if v.silent {
		lines = append(lines, noWord)
	}
	return lines
}

func settled(p batch.Progress) int {
	return p.Completed + p.Failed + p.Current + p.Skipped + p.Kept + p.Cancelled
}

// batchBar is the whole in one line for a screen of some width.
func batchBar(p batch.Progress, width int) string {
	done := settled(p)
	text := term.Bar(done, p.Total, max(10, min(width-50, 50))) + fmt.Sprintf(" %d of %s", done, term.Plural(p.Total, "file", "files"))
	if p.Total > 0 {
		text += fmt.Sprintf(", %d %%", done*100/p.Total)
	}
	return text
}

// batchLine is the whole in one line that may be of any length.
func batchLine(p batch.Progress) string {
	parts := []string{fmt.Sprintf("%d of %s", settled(p), term.Plural(p.Total, "file", "files"))}
	if p.State != workflows.StateRunning {
		parts[0] += " (" + p.State + ")"
	}
	if p.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", p.Failed))
	}
	parts = append(parts, pace(p)...)
	if p.Reason != "" {
		parts = append(parts, p.Reason)
	}
	return strings.Join(parts, ", ")
}

func pace(p batch.Progress) []string {
	var parts []string
	if p.Rate > 0 {
		parts = append(parts, fmt.Sprintf("%.1f a second", p.Rate))
	}
	if p.LeftFor > 0 {
		parts = append(parts, fmt.Sprintf("about %s left", term.Span(time.Duration(p.LeftFor))))
	}
	return parts
}

// batchDetails are the lines below the bar.
func batchDetails(p batch.Progress, program, id string) []string {
	counts := []string{fmt.Sprintf("%d converted", p.Completed)}
	for _, c := range []struct {
		n    int
		what string
	}{{p.Current, "current"}, {p.Skipped, "skipped"}, {p.Kept, "kept"}, {p.Failed, "failed"}, {p.Cancelled, "cancelled"}, {p.Warnings, "with warnings"}} {
		if c.n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	bytes := fmt.Sprintf("%s of %s in, %s out", term.Bytes(p.BytesIn), term.Bytes(p.TotalBytes), term.Bytes(p.BytesOut))
	lines := []string{strings.Join(counts, ", "), strings.Join(append(pace(p), bytes), ", "), inFlight(p)}
	for i, group := range p.Failures {
		if i == visibleFailures {
			lines = append(lines, fmt.Sprintf("  and %s more", term.Plural(len(p.Failures)-i, "kind", "kinds")))
			break
		}
		lines = append(lines, fmt.Sprintf("  %d × %s  %s", group.Count, group.Code, group.Example))
	}
	if standing := standsStill(p, program, id); standing != "" {
		lines = append(lines, standing)
	}
	return lines
}

// inFlight is what is under way by step, in the order of the steps, and how much may be.
func inFlight(p batch.Progress) string {
	steps := []string{activities.StepUpload, activities.StepCreate, activities.StepAwait, activities.StepDownload, activities.StepReview}
	for _, step := range slices.Sorted(maps.Keys(p.InFlight)) {
		if !slices.Contains(steps, step) {
			steps = append(steps, step)
		}
	}
	var parts []string
	for _, step := range steps {
		if n := p.InFlight[step]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", step, n))
		}
	}
	text := "in flight: "
	if len(parts) == 0 {
		text += "nothing"
	}
	text += strings.Join(parts, ", ") + fmt.Sprintf("; window %d of %d", p.Window, p.Concurrency)
	if p.Throttled > 0 {
		text += fmt.Sprintf(", throttled %s", term.Plural(p.Throttled, "time", "times"))
	}
	return text
}

// standsStill says why nothing is started, and how to go on; empty while the batch runs.
func standsStill(p batch.Progress, program, id string) string {
	reason := p.Reason
	if reason != "" {
		reason = ": " + reason
	}
	switch p.State {
	case workflows.StateRunning:
		return ""
	case workflows.StatePaused:
		// The reason says that it is paused, and by whom.
		return fmt.Sprintf("%s; go on with '%s runs resume %s'", cmp.Or(p.Reason, p.State), program, id)
	case workflows.StateWaiting:
		if p.Reason == batch.ReviewReason {
			return fmt.Sprintf("waiting%s; see '%s runs show %s', or all at once: '%s slots answer --all-runs %s=%s'", reason, program, id, program, questions.SlotLoss, questions.LossKeep)
		}
		return fmt.Sprintf("waiting%s; go on with '%s slots answer %s %s=%s'", reason, program, id, questions.SlotTrouble, questions.TroubleRetry)
	}
	return p.State + reason
}
