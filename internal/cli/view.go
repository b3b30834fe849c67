package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// Terminal is the screen behind Stderr.
type Terminal struct {
	// Live says that a person watches: lines may be redrawn.
	Live bool
	// Ask says that the person can be asked: Stdin is a terminal too.
	Ask   bool
	Width func() int
}

// screen shows how runs go.
type screen interface {
	interval() time.Duration
	refresh(ctx context.Context) // asks Temporal
	draw()
	clear() // takes the drawn lines off the screen
	done(index int, r result)
}

// newScreen is what suits the runs: a batch alone has its own.
func newScreen(e *Env, s *Session, runs []*watched, asJSON bool) screen {
	if len(runs) == 1 {
		switch item := runs[0].work.(type) {
		case watchItem:
			return newWatchView(e, s, item, asJSON)
		case batchItem:
			return &batchView{out: e.Stderr, terminal: e.Terminal, program: e.Program, id: item.id(), desk: s.desk()}
		}
	}
	return newView(e, s, runs)
}

// visibleRuns is how many runs a screen shows at once; the rest is in the summary line.
const visibleRuns = 8

// view shows running conversions: bars on a live terminal, a line a minute elsewhere.
type view struct {
	out       io.Writer
	terminal  Terminal
	session   *Session
	runs      []*watched
	closed    []bool
	lines     []viewLine // what is known of the visible runs
	drawn     int        // lines on the screen
	one, many string     // what the runs are called in the summary
	finished  int
	failed    int
	started   time.Time
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
	return &view{one: one, many: many, out: e.Stderr, terminal: e.Terminal, session: s, runs: runs, closed: make([]bool, len(runs)), started: time.Now()}
}

func (v *view) interval() time.Duration {
	if v.terminal.Live {
		return 400 * time.Millisecond
	}
	return time.Minute
}

func (v *view) done(index int, r result) {
	v.closed[index] = true
	v.finished++
	if r.state() != workflows.StateCompleted {
		v.failed++
	}
}

// refresh asks Temporal where the visible runs stand.
func (v *view) refresh(ctx context.Context) {
	v.lines = v.lines[:0]
	if !v.terminal.Live {
		return
	}
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
	if _, ok := w.work.(batchItem); ok {
		progress, err := v.session.desk().Progress(ctx, w.id())
		if err != nil {
			return ""
		}
		return fmt.Sprintf("%-30s %s", shorten(w.label(), 30), batchLine(progress))
	}
	description, err := v.session.Temporal.DescribeWorkflowExecution(ctx, w.id(), w.runID)
	if err != nil {
		return ""
	}
	return runLine(w.label(), answering.StepOf(description))
}

func runLine(name string, s answering.Step) string {
	text := fmt.Sprintf("%-30s %-9s", shorten(name, 30), s.Step)
	if s.Failure != "" && s.Attempt > 1 {
		return text + fmt.Sprintf(" attempt %d in %s: %s", s.Attempt, s.Wait.Round(time.Second), s.Failure)
	}
	if s.Percent > 0 {
		text += fmt.Sprintf(" %s %3d %%", bar(s.Percent, 100, 20), s.Percent)
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
		if time.Since(v.started) >= v.interval() {
			_, _ = fmt.Fprintln(v.out, v.summary())
		}
		return
	}
	v.clear()
	var lines []string
	for _, line := range v.lines {
		if !v.closed[line.index] {
			lines = append(lines, line.text)
		}
	}
	lines = append(lines, v.summary())
	for _, line := range lines {
		_, _ = fmt.Fprintln(v.out, shorten(printable(line), v.terminal.Width()-1))
	}
	v.drawn = len(lines)
}

// clear takes the drawn lines off the screen.
func (v *view) clear() {
	if v.drawn > 0 {
		_, _ = fmt.Fprintf(v.out, "\r\x1b[%dA\x1b[J", v.drawn)
	}
	v.drawn = 0
}

func (v *view) summary() string {
	elapsed := time.Since(v.started)
	text := fmt.Sprintf("%d of %s", v.finished, plural(len(v.runs), v.one, v.many))
	if v.terminal.Live {
		text = bar(v.finished, len(v.runs), 30) + " " + text
	}
	if v.failed > 0 {
		text += fmt.Sprintf(", %d failed", v.failed)
	}
	if v.finished > 0 {
		rate := float64(v.finished) / elapsed.Seconds()
		left := time.Duration(float64(len(v.runs)-v.finished) / rate * float64(time.Second))
		text += fmt.Sprintf(", %.1f a second, about %s left", rate, left.Round(time.Second))
	}
	return text
}

func bar(done, total, width int) string {
	filled := 0
	if total > 0 {
		filled = min(done*width/total, width)
	}
	return strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
}

func shorten(text string, width int) string {
	runes := []rune(text)
	if width <= 1 || len(runes) <= width {
		return text
	}
	return string(runes[:width-1]) + "…"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
