package answering

import (
	"slices"
	"time"
)

// Since is when the oldest open question of a run was asked.
func (r Run) Since() time.Time {
	since := r.StartedAt
	for i, q := range r.Memo.Questions {
		if i == 0 || q.AskedAt.Before(since) {
			since = q.AskedAt
		}
	}
	return since
}

func sortByAge(runs []Run) {
	slices.SortStableFunc(runs, func(a, b Run) int { return a.Since().Compare(b.Since()) })
}
