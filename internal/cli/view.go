package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// screen shows how runs go.
type screen interface {
	interval() time.Duration
	refresh(ctx context.Context) // asks Temporal
	draw()
	clear() // takes the drawn lines off the screen
	done(index int, r result)
}

// newScreen is what suits the runs: a batch alone has its own.
func newScreen(e *Env, s *Session, all []*watched, asJSON bool) screen {
	if e.looks.quiet && (len(all) != 1 || all[0].kind() != runs.Watch) { // waves are results
		return silent{}
	}
	if len(all) == 1 {
		switch all[0].kind() {
		case runs.Watch:
			return newWatchView(e, s, all[0], asJSON)
		case runs.Batch:
			return newBatchView(e, all[0].id(), s.runs())
		}
	}
	return newView(e, s, all)
}

// labelWidth is how many columns the name of a run takes.
const labelWidth = 30

// visibleRuns is how many runs a screen shows at once; the rest is in the summary line.
const visibleRuns = 8

// view shows running conversions: bars on a live terminal, a line a minute elsewhere.
type view struct {
	out       io.Writer
	terminal  term.Screen
	live      *term.Live
	session   *Session
	runs      []*watched
	closed    []bool
	lines     []viewLine     // what is known of the visible runs
	one, many string         // what the runs are called in the summary
	troubles  []runs.Trouble // of the visible runs
	finished  int
	latest    time.Time // when one ended last
	failed    int
	started   time.Time
	every     time.Duration // where lines cannot be redrawn
	verbose   bool
}

// viewLine is what is known of one run.
type viewLine struct {
	index int
	text  string
}

func newView(e *Env, s *Session, runs []*watched) *view {
	one, many := "file", "files"
	if noun, nouns := nouns(runs); noun != "conversion" {
		one, many = noun, nouns
	}
	return &view{
		out: e.Stderr, terminal: e.Terminal, live: term.NewLive(e.Stderr, e.Terminal), session: s, runs: runs, closed: make([]bool, len(runs)),
		one: one, many: many, started: time.Now(), every: e.lineEvery(), verbose: e.looks.verbose,
	}
}

func (v *view) interval() time.Duration {
	if v.terminal.Live {
		return 400 * time.Millisecond
	}
	return v.every
}

func (v *view) done(index int, r result) {
	v.closed[index] = true
	v.finished++
	v.latest = time.Now()
	if r.state() != workflows.StateCompleted {
		v.failed++
	}
}

// refresh asks Temporal where the visible runs stand.
func (v *view) refresh(ctx context.Context) {
	v.lines, v.troubles = v.lines[:0], nil
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for i, w := range v.runs {
		if v.closed[i] {
			continue
		}
		if len(v.lines) == visibleRuns {
			return
		}
		if text := v.line(ctx, w); text != "" {
			v.lines = append(v.lines, viewLine{index: i, text: text})
		}
	}
}

// line is empty where nothing can be learned of a run.
func (v *view) line(ctx context.Context, w *watched) string {
	d, err := v.session.runs().Look(ctx, w.id())
	if err != nil {
		return ""
	}
	v.troubles = append(v.troubles, d.Troubles...)
	if w.kind() != runs.Batch {
		return runLine(w.label(), d)
	}
	name := term.Pad(term.OneLine(w.label()), labelWidth) + " "
	switch progress, err := v.session.runs().Progress(ctx, w.id()); {
	case err == nil && len(d.Troubles) > 0:
		return name + batchLine(progress) + "; " + d.Troubles[0].Text(time.Now())
	case err == nil:
		return name + batchLine(progress)
	case len(d.Troubles) > 0:
		return name + d.Troubles[0].Text(time.Now())
	}
	return ""
}

func runLine(name string, d runs.Description) string {
	if len(d.Troubles) > 0 {
		return term.Pad(term.OneLine(name), labelWidth) + " " + d.Troubles[0].Text(time.Now())
	}
	s := d.Step
	text := fmt.Sprintf("%s %-9s", term.Pad(term.OneLine(name), labelWidth), s.Step)
	if s.Failure != "" && s.Attempt > 1 {
		return text + fmt.Sprintf(" attempt %d in %s: %s", s.Attempt, term.Span(s.Wait), s.Failure)
	}
	if s.Percent > 0 {
		text += fmt.Sprintf(" %s %3d %%", term.Bar(s.Percent, 100, 20), s.Percent)
	}
	if s.Message != "" {
		text += "  " + s.Message
	}
	return text
}

func (v *view) draw() {
	if v.finished == len(v.runs) {
		return
	}
	if !v.terminal.Live {
		if time.Since(v.started) < v.interval() {
			return
		}
		_, _ = fmt.Fprintln(v.out, v.summary())
		if !v.verbose {
			for _, line := range troubleView(v.troubles) {
				_, _ = fmt.Fprintln(v.out, term.OneLine(line))
			}
			return
		}
		for _, line := range v.lines {
			if !v.closed[line.index] {
				_, _ = fmt.Fprintln(v.out, "  "+term.OneLine(line.text))
			}
		}
		return
	}
	var lines []string
	for _, line := range v.lines {
		if !v.closed[line.index] {
			lines = append(lines, line.text)
		}
	}
	lines = append(lines, v.summary())
	v.live.Draw(lines...)
}

// clear takes the drawn lines off the screen.
func (v *view) clear() { v.live.Clear() }

func (v *view) summary() string {
	elapsed := time.Since(v.started)
	text := fmt.Sprintf("%d of %s", v.finished, term.Plural(len(v.runs), v.one, v.many))
	if v.terminal.Live {
		text = term.Bar(v.finished, len(v.runs), 30) + " " + text
	}
	if v.failed > 0 {
		text += fmt.Sprintf(", %d failed", v.failed)
	}
	if v.finished > 0 {
		rate := float64(v.finished) / elapsed.Seconds()
		left := time.Duration(float64(len(v.runs)-v.finished) / rate * float64(time.Second))
		text += fmt.Sprintf(", %.1f a second", rate)
		if len(v.troubles) == 0 && !runs.Quiet(v.latest, rate, time.Now()) {
			text += fmt.Sprintf(", about %s left", term.Span(left))
		}
	}
	return text
}
