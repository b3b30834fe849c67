package inbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// pageRun is a run as pages show it.
type pageRun struct {
	runs.Run
	Step     runs.Step
	Troubles []runs.Trouble  // why it does not come on
	Now      *batch.Progress // of a batch; nil where it was not asked or did not answer
	Watch    *watch.Progress // of a watch, likewise
}

// Title is what people call the run; its id where they call it nothing.
func (r pageRun) Title() string { return titleOf(r.Run) }

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
func (r pageRun) State() string {
	switch {
	case r.ClosedAt != nil:
	case r.Now != nil:
		return r.Now.State
	case r.Watch != nil:
		return r.Watch.State
	}
	return r.Run.State()
}

// Begun is when the first history of the run began, where that is known.
func (r pageRun) Begun() time.Time {
	switch {
	case r.Now != nil && !r.Now.StartedAt.IsZero():
		return r.Now.StartedAt
	case r.Watch != nil && !r.Watch.StartedAt.IsZero():
		return r.Watch.StartedAt
	}
	return r.StartedAt
}

// Trouble is why the last attempt of the step failed; empty where none did, and where Troubles say so.
func (r pageRun) Trouble() string {
	if r.Step.Attempt > 1 && len(r.Troubles) == 0 {
		return r.Step.Failure
	}
	return ""
}

// Percent is how far the step is, 0-100.
func (r pageRun) Percent() int { return min(max(r.Step.Percent, 0), 100) }

// snapshot is what there is at one moment.
type snapshot struct {
	at      time.Time
	waiting []runs.Run // those that wait longest first
	batches []pageRun  // that are open, as the next two
	watches []pageRun
	running []pageRun // conversions and goals
	ended   []pageRun
	version string            // changes when anything shown does
	byRun   map[string]string // the same for one run
}

// asked are the runs whose own progress is shown, since lists follow later.
func (s *snapshot) asked() []*pageRun {
	var out []*pageRun
	for i := range s.batches {
		out = append(out, &s.batches[i])
	}
	for i := range s.watches {
		out = append(out, &s.watches[i])
	}
	return out
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
