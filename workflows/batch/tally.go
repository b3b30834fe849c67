package batch

import (
	"cmp"
	"slices"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// CodesOther stands for the codes of a FailureGroup beyond the first 50. It is no code to retry by.
const CodesOther = "OTHER"

// FailureGroup is failures of one code.
type FailureGroup struct {
	Code    string `json:"code"`
	Count   int    `json:"count"`
	Example string `json:"example"` // name and message of one of them
}

// FailedItem is one file that failed.
type FailedItem struct {
	Index   int       `json:"index"`
	Name    string    `json:"name"`
	Step    string    `json:"step"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

// tally counts what has ended. A shard that tries again what another one counted as failed can be below 0.
type tally struct {
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

// count counts a file that has ended; source names it.
func (t *tally) count(entry activities.BatchEntry, source string) {
	t.BytesIn += entry.Size
	switch entry.Status {
	case manifest.StatusCompleted:
		t.Completed++
		if len(entry.Warnings) > 0 {
			t.Warnings++
		}
		for _, output := range entry.Outputs {
			t.BytesOut += output.Size
		}
	case manifest.StatusCancelled:
		t.Cancelled++
	default:
		e := entry.Error
		t.countFailure(FailedItem{Index: entry.Index, Name: source, Step: e.Step, Code: e.Code, Message: e.Message, At: entry.EndedAt})
	}
}

func (t *tally) countFailure(f FailedItem) {
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

// uncountFailure takes back a failure that is tried again.
func (t *tally) uncountFailure(line activities.BatchItem) {
	t.Failed--
	group := t.group(line.Was)
	group.Count--
	t.Groups = slices.DeleteFunc(t.Groups, func(g FailureGroup) bool { return g.Count == 0 })
	t.Recent = slices.DeleteFunc(t.Recent, func(f FailedItem) bool { return f.Index == line.Index })
}

// forget drops the latest failures with one of the codes, or with any where there are none: they are tried again.
func (t *tally) forget(codes []string) {
	t.Recent = slices.DeleteFunc(t.Recent, func(f FailedItem) bool { return len(codes) == 0 || slices.Contains(codes, f.Code) })
}

// add counts what another tally has counted.
func (t *tally) add(other tally) {
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

func (t *tally) group(code string) *FailureGroup {
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

// JoinFailures joins the failures of a split batch and its shards, the latest first.
func JoinFailures(lists ...[]FailedItem) []FailedItem {
	var all []FailedItem
	for _, list := range lists {
		all = latest(all, list)
	}
	return all
}

// Sample is how many files were done between At and the next one.
type Sample struct {
	At   time.Time `json:"at"`
	Done int       `json:"done"`
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
