package inbox

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// group is one question, as it waits in one run or in many.
type group struct {
	Key, Text, For string
	Since          time.Time
	Deadline       *time.Time // the earliest
	Runs           []groupRun
}

type groupRun struct {
	ID, Name, Goal, SlotID string
	Answered, Asked        int // questions that have an answer, and all, of the run
}

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
type filter struct{ Text, Goal, Mine, Label string }

// takesRun narrows runs, waiting or not.
func (f filter) takesRun(r runs.Run) bool { return f.Label == "" || slices.Contains(r.Labels, f.Label) }

func (f filter) picked(all []pageRun) []pageRun {
	var out []pageRun
	for _, r := range all {
		if f.takesRun(r.Run) {
			out = append(out, r)
		}
	}
	return out
}

// labelsOf are the labels of everything that is listed, sorted.
func labelsOf(s *snapshot) []string {
	var out []string
	for _, r := range s.waiting {
		out = append(out, r.Labels...)
	}
	for _, r := range slices.Concat(s.batches, s.watches, s.running, s.ended) {
		out = append(out, r.Labels...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (f filter) takes(r runs.Run, q questions.MemoQuestion) bool {
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(f.Text)) }
	return f.takesRun(r) && (f.Goal == "" || r.Memo.Goal == f.Goal) && (f.Mine == "" || strings.EqualFold(q.For, f.Mine)) &&
		(f.Text == "" || has(q.Text) || has(r.Memo.Name) || has(r.Memo.Goal) || has(r.ID))
}

// grouped puts the same question of different runs together, those that wait longest first.
func grouped(waiting []runs.Run, f filter) []group {
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
	g.Runs = append(g.Runs, groupRun{
		ID: r.ID, Name: nameOf(r.Memo.Name, r.ID), Goal: r.Memo.Goal, SlotID: q.SlotID,
		Answered: r.Memo.Answered, Asked: r.Memo.Answered + len(r.Memo.Questions) + r.Memo.More,
	})
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
