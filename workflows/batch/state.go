package batch

import (
	"cmp"
	"slices"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// State is everything that a run carries over when it continues as new. Its members are the run's own.
type State struct {
	Plan      *activities.BatchPlan   `json:"plan,omitempty"`
	Queue     []planCursor            `json:"queue,omitempty"`   // what is to be read, in this order
	Page      []batchItem             `json:"page,omitempty"`    // read and not begun
	Flights   []batchItem             `json:"flights,omitempty"` // begun, with the stage that each has reached
	Entries   []activities.BatchEntry `json:"entries,omitempty"` // ended, and in no part of the report yet
	Parts     int                     `json:"parts,omitempty"`
	Retries   []retryAsked            `json:"retries,omitempty"` // asked for and not begun
	Tally     batchTally              `json:"tally"`
	Pace      pace                    `json:"pace"`
	Series    series                  `json:"series"`
	Ledger    questions.Ledger        `json:"ledger"`
	Paused    string                  `json:"paused,omitempty"`   // by whom and why; empty where it is not
	Stopped   string                  `json:"stopped,omitempty"`  // why nothing is begun any more
	GivenUp   bool                    `json:"given_up,omitempty"` // what was to be mended; files under way end where they are
	StartedAt time.Time               `json:"started_at"`
	Runs      int                     `json:"runs"`
	Largest   int                     `json:"largest,omitempty"` // history, in events
	Mended    int                     `json:"mended,omitempty"`  // how often people have mended what stops every file
	Split     bool                    `json:"split,omitempty"`   // shards convert what is in the queue
	Told      int                     `json:"told,omitempty"`    // failures, as a shard has told its batch
}

// planCursor is the rest of a plan file.
type planCursor struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	End    int64  `json:"end"`
	Again  bool   `json:"again,omitempty"` // items that have failed before
	Items  int    `json:"items,omitempty"` // where it is a shard's
}

// batchItem is an item of the plan and how far it has come.
type batchItem struct {
	Item      activities.BatchItem `json:"item"`
	Again     bool                 `json:"again,omitempty"`
	FileID    string               `json:"file_id,omitempty"`
	JobID     string               `json:"job_id,omitempty"`
	Finished  bool                 `json:"finished,omitempty"` // the job
	Round     int                  `json:"round,omitempty"`
	Attempts  int                  `json:"attempts,omitempty"`
	Refused   int                  `json:"refused,omitempty"`
	Asked     int                  `json:"asked,omitempty"`
	Unsure    bool                 `json:"unsure,omitempty"` // whether it has a job
	Size      int64                `json:"size,omitempty"`   // of the source as it was uploaded
	SHA256    string               `json:"sha256,omitempty"`
	StartedAt time.Time            `json:"started_at,omitzero"`
}

// batchTally counts what has ended. A shard that tries again what another one counted as failed can be below 0.
type batchTally struct {
	Completed int            `json:"completed,omitempty"`
	Failed    int            `json:"failed,omitempty"`
	Cancelled int            `json:"cancelled,omitempty"`
	Warnings  int            `json:"warnings,omitempty"`
	BytesIn   int64          `json:"bytes_in,omitempty"`
	BytesOut  int64          `json:"bytes_out,omitempty"`
	Groups    []FailureGroup `json:"groups,omitempty"`
	Recent    []FailedItem   `json:"recent,omitempty"` // the latest first
}

const (
	maxGroups = 50 // codes are few; a service that makes up new ones must not fill the history
	maxRecent = 50
)

// fail counts a failure.
func (t *batchTally) fail(f FailedItem) {
	t.Failed++
	f.Message = run.Cut(f.Message, 200)
	t.Recent = slices.Insert(t.Recent, 0, f)
	t.Recent = t.Recent[:min(len(t.Recent), maxRecent)]
	group := t.group(f.Code)
	group.Count++
	if group.Example == "" {
		group.Example = run.Cut(f.Name+": "+f.Message, 200)
	}
	slices.SortStableFunc(t.Groups, func(a, b FailureGroup) int { return b.Count - a.Count })
}

// forgive takes a failure back that is tried again.
func (t *batchTally) forgive(item activities.BatchItem) {
	t.Failed--
	group := t.group(item.Was)
	group.Count--
	t.Groups = slices.DeleteFunc(t.Groups, func(g FailureGroup) bool { return g.Count == 0 })
	t.Recent = slices.DeleteFunc(t.Recent, func(f FailedItem) bool { return f.Index == item.Index })
}

// forget drops the latest failures with one of the codes, or any: they are tried again.
func (t *batchTally) forget(codes []string) {
	t.Recent = slices.DeleteFunc(t.Recent, func(f FailedItem) bool { return len(codes) == 0 || slices.Contains(codes, f.Code) })
}

// add counts what another tally has counted.
func (t *batchTally) add(other batchTally) {
	t.Completed += other.Completed
	t.Failed += other.Failed
	t.Cancelled += other.Cancelled
	t.Warnings += other.Warnings
	t.BytesIn += other.BytesIn
	t.BytesOut += other.BytesOut
	for _, more := range other.Groups {
		group := t.group(more.Code)
		group.Count += more.Count
		group.Example = cmp.Or(group.Example, more.Example)
	}
	t.Groups = slices.DeleteFunc(t.Groups, func(g FailureGroup) bool { return g.Count == 0 })
	slices.SortStableFunc(t.Groups, func(a, b FailureGroup) int { return b.Count - a.Count })
	t.Recent = latest(t.Recent, other.Recent)
}

// latest joins two lists of failures.
func latest(a, b []FailedItem) []FailedItem {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b FailedItem) int { return b.At.Compare(a.At) })
	return all[:min(len(all), maxRecent)]
}

func (t *batchTally) group(code string) *FailureGroup {
	at := slices.IndexFunc(t.Groups, func(g FailureGroup) bool { return g.Code == code })
	if at < 0 && len(t.Groups) >= maxGroups {
		code = CodesOther
		at = slices.IndexFunc(t.Groups, func(g FailureGroup) bool { return g.Code == code })
	}
	if at < 0 {
		t.Groups = append(t.Groups, FailureGroup{Code: code})
		at = len(t.Groups) - 1
	}
	return &t.Groups[at]
}

// series counts files over time in evenly spaced samples, which widen as time goes on.
type series struct {
	From   time.Time     `json:"from,omitzero"`
	Width  time.Duration `json:"width,omitempty"`
	Counts []int         `json:"counts,omitempty"`
}

const (
	seriesFirst = 5 * time.Second
	seriesMost  = 60
)

func (s *series) add(now time.Time, files int) {
	if s.Width == 0 {
		s.From, s.Width = now, seriesFirst
	}
	at := int(now.Sub(s.From) / s.Width)
	for at >= seriesMost {
		for i := range (len(s.Counts) + 1) / 2 {
			s.Counts[i] = s.Counts[2*i] + at0(s.Counts, 2*i+1)
		}
		s.Counts = s.Counts[:(len(s.Counts)+1)/2]
		s.Width *= 2
		at = int(now.Sub(s.From) / s.Width)
	}
	for len(s.Counts) <= at {
		s.Counts = append(s.Counts, 0)
	}
	s.Counts[at] += files
}

// joined is the series of samples of several.
func joined(samples ...[]Sample) series {
	all := slices.Concat(samples...)
	slices.SortStableFunc(all, func(a, b Sample) int { return a.At.Compare(b.At) })
	var s series
	for _, sample := range all {
		s.add(sample.At, sample.Done)
	}
	return s
}

func at0(counts []int, i int) int {
	if i < len(counts) {
		return counts[i]
	}
	return 0
}

func (s *series) samples() []Sample {
	out := make([]Sample, len(s.Counts))
	for i, n := range s.Counts {
		out[i] = Sample{At: s.From.Add(time.Duration(i) * s.Width), Done: n}
	}
	return out
}

// rate is files a second over the last samples.
func (s *series) rate(now time.Time) float64 {
	const lately = 6
	first := max(0, len(s.Counts)-lately)
	done := 0
	for _, n := range s.Counts[first:] {
		done += n
	}
	took := now.Sub(s.From.Add(time.Duration(first) * s.Width)).Seconds()
	if done == 0 || took <= 0 {
		return 0
	}
	return float64(done) / took
}
