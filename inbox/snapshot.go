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

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const (
	waitingLimit  = 1000
	runningLimit  = 50
	endedLimit    = 15
	batchLimit    = 50
	lookedInto    = 20 // running ones whose step is read, newest first
	lookPatience  = 2 * time.Second
	silenceFor    = 15 * time.Second // that a batch which did not answer is not asked again for lists
	snapshotFresh = 800 * time.Millisecond
)

// snapshot is what there is at one moment.
type snapshot struct {
	at      time.Time
	waiting []answering.Run // those that wait longest first
	batches []run           // that are open
	running []run
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
	if s.waiting, err = in.desk.Waiting(ctx, waitingLimit); err != nil {
		return nil, err
	}
	for _, kind := range []struct {
		of    listing
		limit int
		into  *[]run
	}{{listBatches, batchLimit, &s.batches}, {listRunning, runningLimit, &s.running}, {listEnded, endedLimit, &s.ended}} {
		if *kind.into, err = in.desk.Runs(ctx, kind.of, kind.limit); err != nil {
			return nil, err
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
		if s.running[i].State == workflows.StateWaiting || looked == lookedInto {
			continue // one that waits for people has no step
		}
		looked++
		start(func() {
			if seen, err := in.desk.Look(ctx, s.running[i].ID); err == nil && seen.ClosedAt == nil {
				s.running[i] = seen
			}
		})
	}
	vain := make([]bool, len(s.batches))
	for i := range s.batches {
		if s.at.Sub(in.snapshots.silent[s.batches[i].ID]) >= silenceFor {
			start(func() { vain[i] = in.readBatch(ctx, &s.batches[i]) })
		}
	}
	all.Wait()
	in.hush(s, vain)
}

// readBatch takes the state from the batch itself, since lists follow later. It says whether it was asked in vain.
func (in *Inbox) readBatch(ctx context.Context, b *run) bool {
	if ctx.Err() != nil {
		return false // others have taken all the time: no fault of this one
	}
	now, err := in.desk.Progress(ctx, b.ID)
	if err != nil {
		return true
	}
	b.Batch.Now, b.State = &now, now.State
	if !now.StartedAt.IsZero() {
		b.StartedAt = now.StartedAt // of the first history, not of the last
	}
	return false
}

// hush remembers which batches do not answer, so that not every look waits for them.
func (in *Inbox) hush(s *snapshot, vain []bool) {
	silent := map[string]time.Time{}
	for i, b := range s.batches {
		if since := in.snapshots.silent[b.ID]; vain[i] {
			silent[b.ID] = s.at
		} else if s.at.Sub(since) < silenceFor {
			silent[b.ID] = since
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
		add(w.WorkflowID, w)
	}
	for _, r := range slices.Concat(s.batches, s.running, s.ended) {
		add(r.ID, r)
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

func (f filter) takes(r answering.Run, q questions.MemoQuestion) bool {
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(f.Text)) }
	return (f.Goal == "" || r.Memo.Goal == f.Goal) && (f.Mine == "" || strings.EqualFold(q.For, f.Mine)) &&
		(f.Text == "" || has(q.Text) || has(r.Memo.Name) || has(r.Memo.Goal) || has(r.WorkflowID))
}

// groups puts the same question of different runs together, those that wait longest first.
func groups(runs []answering.Run, f filter) []group {
	byKey := map[string]*group{}
	for _, r := range runs {
		for _, q := range r.Memo.Questions {
			if !f.takes(r, q) {
				continue
			}
			key := q.Key
			if key == "" {
				key = r.WorkflowID + "\x00" + q.SlotID // groups with nothing
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

func (g *group) add(r answering.Run, q questions.MemoQuestion) {
	g.Runs = append(g.Runs, groupRun{ID: r.WorkflowID, Name: nameOf(r.Memo.Name, r.WorkflowID), Goal: r.Memo.Goal, SlotID: q.SlotID})
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
