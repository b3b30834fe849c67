package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// watchView tells of each wave as it ends: one line, or one JSON object. On a live terminal it also shows where the watch
// stands.
type watchView struct {
	env      *Env
	session  *Session
	id       string
	asJSON   bool
	reported int // the number of the last wave that was reported; below 0 before the first look
	state    string
	now      *watch.Progress // what it last said; nil before
	wave     *batch.Progress // of the wave under way, where it answers
	look     string          // what the last look at the folder has seen
	troubles []runs.Trouble
	troubled string // as it was told last
	ended    bool
	live     *term.Live
}

func newWatchView(e *Env, s *Session, w *watched, asJSON bool) *watchView {
	v := &watchView{env: e, session: s, id: w.id(), asJSON: asJSON, reported: -1, live: term.NewLive(e.Stderr, e.Terminal)}
	if w.fresh {
		v.reported = 0
	}
	return v
}

func (v *watchView) interval() time.Duration {
	if v.env.Terminal.Live {
		return time.Second
	}
	return 2 * time.Second
}

// done tells of the waves that nobody has asked for yet, the cancelled one too.
func (v *watchView) done(int, result) {
	v.refresh(context.Background())
	v.report()
	v.ended = true
}

// refresh asks the watch. What it said before stays where it does not answer.
func (v *watchView) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	d, lookErr := v.session.runs().Look(ctx, v.id)
	if lookErr == nil {
		v.troubles = d.Troubles
	}
	progress, err := v.session.runs().WatchProgress(ctx, v.id)
	if err != nil {
		return
	}
	v.now, v.wave, v.look = &progress, nil, ""
	if !v.env.Terminal.Live {
		return
	}
	if progress.Wave != "" {
		if wave, err := v.session.runs().Progress(ctx, progress.Wave); err == nil {
			v.wave = &wave
		}
		return
	}
	if lookErr == nil && len(d.Troubles) == 0 {
		v.look = stepText(d.Step)
	}
}

func stepText(s runs.Step) string {
	if s.Failure != "" && s.Attempt > 1 {
		return fmt.Sprintf("attempt %d in %s: %s", s.Attempt, term.Span(s.Wait), s.Failure)
	}
	return s.Message
}

func (v *watchView) draw() {
	if v.ended {
		return
	}
	v.clear()
	v.report()
	if !v.env.Terminal.Live {
		v.reportTrouble()
		return
	}
	v.live.Draw(v.lines()...)
}

// report prints what has ended since it was called last, and when the watch is paused or goes on.
func (v *watchView) report() {
	if v.now == nil {
		return
	}
	for _, end := range v.now.Recent {
		if v.reported < 0 || end.Number <= v.reported {
			continue
		}
		v.reported = end.Number
		if v.asJSON {
			_ = v.env.printJSON(end) // a pipe that is closed ends the command elsewhere
			continue
		}
		_, _ = fmt.Fprintln(v.env.Stdout, term.OneLine(waveLine(end)))
	}
	if n := len(v.now.Recent); n > 0 {
		v.reported = v.now.Recent[n-1].Number
	}
	v.reported = max(v.reported, 0)
	state := "" // of a wave its end tells
	if v.now.State == workflows.StatePaused {
		state = pausedText(*v.now, v.env.Program, v.id)
	}
	if state != v.state && !v.env.Terminal.Live {
		v.env.printf("%s", cmp.Or(state, "it goes on"))
	}
	v.state = state
}

// reportTrouble prints trouble when it begins, and its end. How often it was tried since is for a screen.
func (v *watchView) reportTrouble() {
	mark := ""
	for _, t := range v.troubles {
		mark += t.WorkflowID + " " + t.Step + " " + t.Code + "\n"
	}
	switch mark {
	case v.troubled:
		return
	case "":
		v.env.printf("no trouble any more")
	default:
		for _, line := range troubleView(v.troubles) {
			v.env.printf("%s", line)
		}
	}
	v.troubled = mark
}

func (v *watchView) clear() { v.live.Clear() }

func (v *watchView) lines() []string {
	if v.now == nil {
		return append([]string{"the watch does not answer; is a worker up?"}, troubleView(v.troubles)...)
	}
	lines := []string{fmt.Sprintf("%s: %s", v.now.Name, watchLine(*v.now))}
	switch {
	case v.wave != nil:
		lines = append(lines, fmt.Sprintf("wave %d: ", v.now.Waves)+batchBar(*v.wave, v.env.Terminal.Width()-10))
		if standing := standsStill(*v.wave, v.env.Program, v.now.Wave); standing != "" {
			lines = append(lines, standing)
		}
	case v.now.State == workflows.StatePaused:
		lines = append(lines, pausedText(*v.now, v.env.Program, v.id))
	case v.look != "":
		lines = append(lines, "waits for "+v.now.WaitsFor, v.look)
	default:
		lines = append(lines, "waits for "+v.now.WaitsFor)
	}
	return append(lines, troubleView(v.troubles)...)
}

// watchLine is the whole in one line.
func watchLine(p watch.Progress) string {
	text := fmt.Sprintf("%s, %s converted", term.Plural(p.Waves, "wave", "waves"), term.Plural(p.Converted, "file", "files"))
	if p.Files > 0 {
		text += fmt.Sprintf("; the report has %s", term.Plural(p.Files, "file", "files"))
	}
	if p.Failed > 0 {
		text += fmt.Sprintf(", %d failed", p.Failed)
	}
	return text
}

// pausedText is why no wave begins, and how to go on; empty where one may.
func pausedText(p watch.Progress, program, id string) string {
	if p.State != workflows.StatePaused {
		return ""
	}
	return fmt.Sprintf("%s; go on with '%s runs resume %s'", p.Reason, program, id)
}

// waveLine is how a wave ended.
func waveLine(end watch.WaveEnd) string {
	text := fmt.Sprintf("%s  wave %d: ", end.EndedAt.Local().Format("15:04:05"), end.Number)
	switch end.Status {
	case workflows.StateCompleted, workflows.StatePartial:
	default:
		text += end.Status + ": "
		if end.Reason != "" {
			text += end.Reason + ": "
		}
	}
	sum := end.Summary
	text += term.Plural(sum.Completed, "file", "files") + " converted"
	if sum.Failed > 0 {
		text += fmt.Sprintf(", %d failed of %d so far", sum.Failed, sum.Files)
	}
	return text
}
