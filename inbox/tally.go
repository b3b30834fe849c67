package inbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// tally counts the files of a batch by what became of them.
type tally struct{ Total, Completed, Current, Skipped, Kept, Failed, Cancelled, NotStarted int }

func tallyOf(p batch.Progress) tally {
	return tally{Total: p.Total, Completed: p.Completed, Current: p.Current, Skipped: p.Skipped, Kept: p.Kept, Failed: p.Failed, Cancelled: p.Cancelled}
}

func tallyOfReport(s activities.BatchSummary) tally {
	return tally{
		Total: s.Files, Completed: s.Completed, Current: s.Current, Skipped: s.Skipped, Failed: s.Failed, Cancelled: s.Cancelled, NotStarted: s.NotStarted,
	}
}

// Settled is how many files are through with.
func (t tally) Settled() int {
	return t.Completed + t.Current + t.Skipped + t.Kept + t.Failed + t.Cancelled
}

// Percent is 0-100, and 100 for the last file alone.
func (t tally) Percent() int {
	if t.Total <= 0 {
		return 0
	}
	return min(max(t.Settled()*100/t.Total, 0), 100)
}

// share is one part of a tally.
type share struct {
	Class, Name string // Class names the colour
	Count       int
	X, Width    float64 // of 1000
}

// Shares are the parts that are not empty, side by side; what is left comes last.
func (t tally) Shares() []share {
	left := t.Total - t.Settled() - t.NotStarted
	parts := []share{
		{Class: "done", Name: "converted", Count: t.Completed},
		{Class: "current", Name: "current", Count: t.Current},
		{Class: "skipped", Name: "skipped", Count: t.Skipped},
		{Class: "current", Name: "kept as they were", Count: t.Kept},
		{Class: "failed", Name: "failed", Count: t.Failed},
		{Class: "cancelled", Name: "cancelled", Count: t.Cancelled},
		{Class: "unstarted", Name: "not started", Count: t.NotStarted},
		{Class: "left", Name: "left", Count: left},
	}
	parts = slices.DeleteFunc(parts, func(s share) bool { return s.Count <= 0 })
	whole := 0
	for _, s := range parts {
		whole += s.Count
	}
	at := 0.0
	for i := range parts {
		parts[i].X, parts[i].Width = at, 1000*float64(parts[i].Count)/float64(whole)
		at += parts[i].Width
	}
	return parts
}

// Text is the shares in words: "231 converted, 4 failed, 65 left".
func (t tally) Text() string {
	var parts []string
	for _, s := range t.Shares() {
		parts = append(parts, fmt.Sprintf("%d %s", s.Count, s.Name))
	}
	return strings.Join(parts, ", ")
}

// groupsOf are the failures of a report, the most frequent first, with the examples that the batch still knows.
func groupsOf(codes map[string]int, known []batch.FailureGroup) []batch.FailureGroup {
	examples := map[string]string{}
	for _, g := range known {
		examples[g.Code] = g.Example
	}
	out := make([]batch.FailureGroup, 0, len(codes))
	for code, n := range codes {
		out = append(out, batch.FailureGroup{Code: code, Count: n, Example: examples[code]})
	}
	slices.SortFunc(out, func(a, b batch.FailureGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Code, b.Code))
	})
	return out
}
