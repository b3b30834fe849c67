package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
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

// run is a run as pages show it.
type run struct {
	runs.Run
	Step  runs.Step
	Now   *batch.Progress // of a batch; nil where it was not asked or did not answer
	Watch *watch.Progress // of a watch, likewise
}

// Title is what people call the run; its id where they call it nothing.
func (r run) Title() string { return titleOf(r.Run) }

func titleOf(r runs.Run) string {
	switch {
	case r.Sealed != nil:
		return "sealed with key " + r.SealedWith()
	case r.Kind == runs.Conversion && r.Name != "":
		return r.Name + " → " + r.Target
	}
	return nameOf(r.Name, r.ID)
}

// State is what the run itself said last, else what lists know.
func (r run) State() string {
	switch {
	case r.ClosedAt != nil:
	case r.Now != nil:
		return r.Now.State
	case r.Watch != nil:
		return r.Watch.State
	}
	return r.Outcome()
}

// Begun is when the first history of the run began, where that is known.
func (r run) Begun() time.Time {
	switch {
	case r.Now != nil && !r.Now.StartedAt.IsZero():
		return r.Now.StartedAt
	case r.Watch != nil && !r.Watch.StartedAt.IsZero():
		return r.Watch.StartedAt
	}
	return r.StartedAt
}

// Trouble is why the last attempt of the step failed; empty where none did.
func (r run) Trouble() string {
	if r.Step.Attempt > 1 {
		return r.Step.Failure
	}
	return ""
}

// Percent is how far the step is, 0-100.
func (r run) Percent() int { return min(max(r.Step.Percent, 0), 100) }

// snapshot is what there is at one moment.
type snapshot struct {
	at      time.Time
	waiting []runs.Run // those that wait longest first
	batches []run      // that are open, as the next two
	watches []run
	running []run // conversions and goals
	ended   []run
	version string            // changes when anything shown does
	byRun   map[string]string // the same for one run
}

// look reads everything that the first page shows; readers within a moment share one look.
func (in *Inbox) look(ctx context.Context) (*snapshot, error) {
	in.snapshots.mu.Lock()
	defer in.snapshots.mu.Unlock()
	now := in.cfg.Clock()
	if s := in.snapshots.last; s != nil && now.Sub(s.at) < snapshotFresh {
		return s, nil
	}
	s := &snapshot{at: now}
	var err error
	if s.waiting, err = in.runs.Waiting(ctx, waitingLimit); err != nil {
		return nil, err
	}
	open := func(kinds ...*runs.Kind) runs.Filter { return runs.Filter{Kinds: kinds, State: workflows.StateRunning} }
	for _, list := range []struct {
		of    runs.Filter
		limit int
		into  *[]run
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
			*list.into = append(*list.into, run{Run: r})
		}
	}
	in.readSteps(ctx, s)
	s.fingerprint()
	in.snapshots.last = s
	return s, nil
}

// forget makes the next reader look again.
func (in *Inbox) forget() {
	in.snapshots.mu.Lock()
	in.snapshots.last = nil
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
			if seen, err := in.runs.Describe(ctx, s.running[i].ID); err == nil && seen.ClosedAt == nil {
				s.running[i] = run{Run: seen.Run, Step: seen.Step}
			}
		})
	}

	asked := s.asked()
	vain := make([]bool, len(asked))
	for i, r := range asked {
		if s.at.Sub(in.snapshots.silent[r.ID]) >= silenceFor {
			start(func() { vain[i] = in.readProgress(ctx, r) })
		}
	}
	all.Wait()
	in.keepSilent(s, vain)
}

// asked are the runs whose own progress is shown, since lists follow later.
func (s *snapshot) asked() []*run {
	var out []*run
	for i := range s.batches {
		out = append(out, &s.batches[i])
	}
	for i := range s.watches {
		out = append(out, &s.watches[i])
	}
	return out
}

// readProgress asks a batch or a watch where it stands, and reports whether it was asked in vain.
func (in *Inbox) readProgress(ctx context.Context, r *run) bool {
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

func (s *snapshot) fingerprint() {
	hash := sha256.New()
	s.byRun = map[string]string{}
	add := func(id string, shown any) {
		body, err := json.Marshal(shown)
		if err != nil {
			return
		}
		_, _ = hash.Write(body)
		sum := sha256.Sum256([]byte(s.byRun[id] + string(body)))
		s.byRun[id] = hex.EncodeToString(sum[:8])
	}
	for _, w := range s.waiting {
		add(w.ID, w)
	}
	for _, r := range slices.Concat(s.batches, s.running, s.ended) {
		add(r.ID, r)
	}
	for _, r := range s.watches {
		add(r.ID, r)
		if r.Watch != nil && r.Watch.Wave != "" {
			add(r.ID, s.byRun[r.Watch.Wave]) // its page shows the wave, too
		}
	}
	s.version = hex.EncodeToString(hash.Sum(nil)[:8])
}

// versionFor is the version of one run, or of everything where id is empty.
func (s *snapshot) versionFor(id string) string {
	if id == "" {
		return s.version
	}
	return s.byRun[id]
}

// group is one question, as it waits in one run or in many.
type group struct {
	Key, Text, For string
	Since          time.Time
	Deadline       *time.Time // the earliest
	Runs           []groupRun
}

type groupRun struct{ ID, Name, Goal, SlotID string }

// Target is where the group is answered.
func (g group) Target() string {
	if len(g.Runs) == 1 {
		return runPath(g.Runs[0].ID)
	}
	return groupPath(g.Key)
}

// Goals are the different goals that ask.
func (g group) Goals() []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range g.Runs {
		if r.Goal != "" && !seen[r.Goal] {
			seen[r.Goal] = true
			out = append(out, r.Goal)
		}
	}
	return out
}

// filter narrows what waits.
type filter struct{ Text, Goal, Mine string }

func (f filter) takes(r runs.Run, q questions.MemoQuestion) bool {
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(f.Text)) }
	return (f.Goal == "" || r.Memo.Goal == f.Goal) && (f.Mine == "" || strings.EqualFold(q.For, f.Mine)) &&
		(f.Text == "" || has(q.Text) || has(r.Memo.Name) || has(r.Memo.Goal) || has(r.ID))
}

// groups puts the same question of different runs together, those that wait longest first.
func groups(waiting []runs.Run, f filter) []group {
	byKey := map[string]*group{}
	for _, r := range waiting {
		for _, q := range r.Memo.Questions {
			if !f.takes(r, q) {
				continue
			}
			key := q.Key
			if key == "" {
				key = r.ID + "\x00" + q.SlotID // groups with nothing
			}
			g := byKey[key]
			if g == nil {
				g = &group{Key: q.Key, Text: q.Text, For: q.For, Since: q.AskedAt}
				byKey[key] = g
			}
			g.add(r, q)
		}
	}
	out := make([]group, 0, len(byKey))
	for _, g := range byKey {
		out = append(out, *g)
	}
	sort.Slice(out, func(i, j int) bool {
		if !out[i].Since.Equal(out[j].Since) {
			return out[i].Since.Before(out[j].Since)
		}
		return out[i].Key+out[i].Runs[0].ID < out[j].Key+out[j].Runs[0].ID
	})
	return out
}

func (g *group) add(r runs.Run, q questions.MemoQuestion) {
	g.Runs = append(g.Runs, groupRun{ID: r.ID, Name: nameOf(r.Memo.Name, r.ID), Goal: r.Memo.Goal, SlotID: q.SlotID})
	if q.AskedAt.Before(g.Since) {
		g.Since = q.AskedAt
	}
	if q.Deadline != nil && (g.Deadline == nil || q.Deadline.Before(*g.Deadline)) {
		g.Deadline = q.Deadline
	}
	if g.For == "" {
		g.For = q.For
	}
}

func nameOf(name, id string) string {
	if name != "" {
		return name
	}
	return id
}
