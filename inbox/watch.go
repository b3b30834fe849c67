package inbox

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// watchPage is one watched folder: how it stands or ended, its waves, and how to steer it.
type watchPage struct {
	runPage
	Now     *watch.Progress // nil where it did not answer
	Wave    *batch.Progress // of the wave under way; nil where there is none, or where it did not answer
	Steers  steering
	Steered string // the version of what people type into
}

func (in *Inbox) showWatch(w http.ResponseWriter, r *http.Request, p runPage) {
	page := watchPage{runPage: p}
	in.askWatch(r, &page)
	page.decide()
	in.render(w, p.Code, "watch", &page)
}

// askWatch asks the watch, then its wave; what no worker answers is left out, and the page says so.
func (in *Inbox) askWatch(r *http.Request, p *watchPage) {
	ctx, cancel := in.patient(r)
	defer cancel()
	var all sync.WaitGroup
	if p.Run.ClosedAt != nil {
		var past context.CancelFunc
		ctx, past = context.WithTimeout(ctx, pastPatience)
		defer past()
		ended := p.Run // which changes below
		all.Go(func() { p.Result = in.result(ctx, ended) })
	}
	if now, err := in.runs.WatchProgress(ctx, p.Run.ID); err == nil {
		p.Now, p.Run.Watch = &now, &now
		if now.Wave != "" && p.Run.ClosedAt == nil {
			if wave, err := in.runs.Progress(ctx, now.Wave); err == nil {
				p.Wave = &wave
			}
		}
	}
	all.Wait()
	p.Silent = p.Now == nil && p.Run.ClosedAt == nil
}

// decide settles what can be steered.
func (p *watchPage) decide() {
	state := p.Run.State()
	p.Steers = steering{Path: runPath(p.Run.ID) + "/steering", Open: p.Run.ClosedAt == nil, Paused: state == workflows.StatePaused}
	p.Steered = mark(p.Steers)
}

// Ended reports whether somebody has ended the watch, which is how it ends.
func (p *watchPage) Ended() bool { return p.Run.State() == workflows.StateCancelled }

// Why is why the watch is paused; empty where it is not.
func (p *watchPage) Why() string {
	if p.Now == nil || p.Run.ClosedAt != nil {
		return ""
	}
	return p.Now.Reason
}

// Facts are the counts of all waves: of the result, of now, or as far as the list knows.
func (p *watchPage) Facts() []fact {
	waves, converted, failed, report := p.Run.Waves, p.Run.Files, p.Run.Failed, ""
	accounted := 0 // for by the report
	switch {
	case p.Result != nil && p.Result.Watch != nil:
		end := p.Result.Watch
		waves, converted, failed, report, accounted = end.Waves, end.Converted, end.Failed, end.Report, end.Files
	case p.Now != nil:
		waves, converted, failed, report, accounted = p.Now.Waves, p.Now.Converted, p.Now.Failed, p.Now.Report, p.Now.Files
	}

	facts := []fact{{"Waves", fmt.Sprint(waves)}, {"Converted", term.Plural(converted, "file", "files")}}
	if accounted > 0 {
		facts = append(facts, fact{"In the report", term.Plural(accounted, "file", "files")})
	}
	if failed > 0 {
		facts = append(facts, fact{"Failed", term.Plural(failed, "file", "files")})
	}
	if report != "" {
		facts = append(facts, fact{"Report", report})
	}
	return facts
}

// Recent are the latest waves, the newest first.
func (p *watchPage) Recent() []watch.WaveEnd {
	if p.Now == nil {
		return nil
	}
	newest := slices.Clone(p.Now.Recent)
	slices.Reverse(newest)
	return newest
}
