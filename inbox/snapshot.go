package inbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows"
)

const (
	waitingLimit  = 1000
	runningLimit  = 50
	endedLimit    = 15
	batchLimit    = 50
	watchLimit    = 50
	lookedInto    = 20 // running ones whose step is read, newest first
	lookPatience  = 2 * time.Second
	silenceFor    = 15 * time.Second // that a batch or watch which did not answer is not asked again for lists
	snapshotFresh = 800 * time.Millisecond
)

// errAway reports that Temporal itself does not answer, and not a worker.
var errAway = errors.New("no answer from Temporal")

// look reads everything that the first page shows; readers within a moment share one look. Its error is errAway.
func (in *Inbox) look(ctx context.Context) (*snapshot, error) {
	in.snapshots.mu.Lock()
	defer in.snapshots.mu.Unlock()
	now := in.cfg.Clock()
	if s := in.snapshots.last; s != nil && now.Sub(s.at) < snapshotFresh {
		return s, nil
	}
	if in.snapshots.fault != nil && now.Sub(in.snapshots.lost) < snapshotFresh {
		return nil, in.snapshots.fault
	}

	within, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	s, err := in.readSnapshot(within, now)
	switch {
	case err == nil:
		in.snapshots.last, in.snapshots.fault = s, nil
	case ctx.Err() == nil: // else whoever asked has left
		err = fmt.Errorf("%w: %w", errAway, err)
		in.snapshots.fault, in.snapshots.lost = err, in.cfg.Clock()
	}
	return s, err
}

func (in *Inbox) readSnapshot(ctx context.Context, now time.Time) (*snapshot, error) {
	s := &snapshot{at: now}
	var err error
	if s.waiting, err = in.runs.Waiting(ctx, waitingLimit); err != nil {
		return nil, err
	}
	open := func(kinds ...*runs.Kind) runs.Filter { return runs.Filter{Kinds: kinds, State: workflows.StateRunning} }
	for _, list := range []struct {
		of    runs.Filter
		limit int
		into  *[]pageRun
	}{
		{open(runs.Batch), batchLimit, &s.batches},
		{open(runs.Watch), watchLimit, &s.watches},
		{open(runs.Conversion, runs.Goal), runningLimit, &s.running},
		{runs.Filter{Ended: true}, endedLimit, &s.ended},
	} {
		found, err := in.runs.List(ctx, list.of, list.limit)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			*list.into = append(*list.into, pageRun{Run: r})
		}
	}
	in.readSteps(ctx, s)
	s.fingerprint()
	return s, nil
}

// forget makes the next reader look again.
func (in *Inbox) forget() {
	in.snapshots.mu.Lock()
	in.snapshots.last, in.snapshots.fault = nil, nil
	in.snapshots.mu.Unlock()
}

// readSteps asks what runs where it is, a few at once; what does not answer in time is left as the list has it.
func (in *Inbox) readSteps(ctx context.Context, s *snapshot) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	var all sync.WaitGroup
	slots := make(chan struct{}, 5)
	start := func(work func()) {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			work()
		})
	}
	looked := 0
	for i := range s.running {
		if s.running[i].State() == workflows.StateWaiting || looked == lookedInto {
			continue // one that waits for people has no step
		}
		looked++
		start(func() {
			if seen, err := in.runs.Look(ctx, s.running[i].ID); err == nil && seen.ClosedAt == nil {
				s.running[i] = pageRun{Run: seen.Run, Step: seen.Step, Troubles: seen.Troubles}
			}
		})
	}

	asked := s.asked()
	for _, r := range asked {
		start(func() {
			if seen, err := in.runs.Look(ctx, r.ID); err == nil {
				r.Troubles = seen.Troubles
			}
		})
	}
	all.Wait() // where no worker is up, the next ones take all the time
	vain := make([]bool, len(asked))
	for i, r := range asked {
		if s.at.Sub(in.snapshots.silent[r.ID]) >= silenceFor {
			start(func() { vain[i] = in.readProgress(ctx, r) })
		}
	}
	all.Wait()
	in.keepSilent(s, vain)
}

// readProgress asks a batch or a watch where it stands, and reports whether it was asked in vain.
func (in *Inbox) readProgress(ctx context.Context, r *pageRun) bool {
	if ctx.Err() != nil {
		return false // others have taken all the time: no fault of this one
	}
	if r.Kind == runs.Watch {
		waves, err := in.runs.WatchProgress(ctx, r.ID)
		if err == nil {
			r.Watch = &waves
		}
		return err != nil
	}
	now, err := in.runs.Progress(ctx, r.ID)
	if err == nil {
		now = runs.Foreseen(now, r.Troubles, in.cfg.Clock())
		r.Now = &now
	}
	return err != nil
}

// keepSilent remembers which runs do not answer, so that not every look waits for them.
func (in *Inbox) keepSilent(s *snapshot, vain []bool) {
	silent := map[string]time.Time{}
	for i, r := range s.asked() {
		if since := in.snapshots.silent[r.ID]; vain[i] {
			silent[r.ID] = s.at
		} else if s.at.Sub(since) < silenceFor {
			silent[r.ID] = since
		}
	}
	in.snapshots.silent = silent
}
