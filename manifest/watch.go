package manifest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"strconv"
	"time"
)

// Watch looks at a source again and again and plans what there is to do. A file counts once its size and time have
// stayed the same for Spec.Settle by our own clock: those of other machines may be wrong.
type Watch struct {
	disk   Disk
	spec   Spec
	state  string // where plans are, as in NewFolder
	name   string
	mark   string // of the files as they were planned last
	now    func() time.Time
	looked bool
	last   map[uint64]uint64 // files of the last look: path to state
	next   map[uint64]uint64 // those of the look that is under way
	fresh  map[uint64]time.Time
}

// Sight is what a look has found.
type Sight struct {
	Files   int // that have settled
	Growing int
}

// NewWatch begins to watch for the batches of a name. mark is what an earlier watch of the same spec has left, so that
// it need not plan what was planned already; it may be empty.
func (d Disk) NewWatch(spec Spec, state, name, mark string, now func() time.Time) *Watch {
	return &Watch{disk: d, spec: spec, state: state, name: name, mark: mark, now: now, fresh: map[uint64]time.Time{}}
}

// Mark is a hash of the files as they were when Look planned last.
func (w *Watch) Mark() string { return w.mark }

// Look takes note of what is there. Its plan is nil where nothing is to be done that was not planned before; a plan
// without items has faults to report. A source that is not there is *Faults. progress may be nil.
func (w *Watch) Look(ctx context.Context, progress func(Tally)) (*Plan, Sight, error) {
	mark, sight, err := w.scan(ctx)
	if err != nil || mark == w.mark {
		return nil, sight, err
	}
	p, err := newPlanner(ctx, w.disk, w.spec, progress)
	if err != nil {
		return nil, sight, err
	}
	defer p.earlier.close()
	p.stable = w.hasSettled
	err = writePlan(p, NewFolder(w.state, w.spec.Output, w.name, w.now()), func() error {
		if err := buildPlan(p); err != nil || p.plan.Items > 0 || p.news > 0 {
			return err
		}
		return errNothing
	})
	switch {
	case errors.Is(err, errNothing):
		w.mark = mark
		return nil, sight, nil
	case err != nil:
		return nil, sight, err
	}
	w.mark = mark
	return &p.plan, sight, nil
}

// errNothing takes a plan back that nobody needs.
var errNothing = errors.New("there is nothing to do")

// scan is a walk over all files that reads none of them. The mark changes with the settled ones.
func (w *Watch) scan(ctx context.Context) (mark string, sight Sight, err error) {
	p, err := barePlanner(ctx, w.disk, w.spec, nil)
	if err != nil {
		return "", sight, err
	}
	w.next = make(map[uint64]uint64, len(w.last))
	all := fnv.New64a()
	p.look = func(c candidate) error {
		if err := p.step(); err != nil {
			return err
		}
		state := "gone"
		if info, err := os.Stat(c.path); err == nil {
			if !w.hasSettled(c.path, info) {
				return nil
			}
			state = stateOf(info)
		}
		sight.Files++
		_, _ = fmt.Fprintf(all, "%s\x00%s\x00", c.path, state)
		return nil
	}
	if err := buildPlan(p); err != nil {
		return "", sight, err
	}
	w.last, w.looked = w.next, true
	for key := range w.fresh {
		if _, there := w.last[key]; !there {
			delete(w.fresh, key)
		}
	}
	sight.Growing = len(w.fresh)
	return strconv.FormatUint(all.Sum64(), 16), sight, nil
}

// hasSettled reports whether a file has not changed for Spec.Settle. At the first look only its time is known.
func (w *Watch) hasSettled(path string, info fs.FileInfo) bool {
	key, state, now := hashText(path), hashText(stateOf(info)), w.now()
	was, known := w.last[key]
	w.next[key] = state
	if (!known || was != state) && (w.looked || now.Sub(info.ModTime()) < w.spec.Settle) {
		w.fresh[key] = now
	}
	since, growing := w.fresh[key]
	if growing && now.Sub(since) < w.spec.Settle {
		return false
	}
	delete(w.fresh, key)
	return true
}

func stateOf(info fs.FileInfo) string {
	return fmt.Sprintf("%d %d %o", info.Size(), info.ModTime().UnixNano(), info.Mode())
}
