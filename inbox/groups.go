package inbox

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// group is one question, as it waits in one run or in many.
type group struct {
	Key, Text, For string
	Since          time.Time
	Deadline       *time.Time // the earliest
	Runs           []groupRun
	More           bool // its runs may ask it of more files than lists know
}

type groupRun struct {
	ID, Name, Goal, SlotID string
	Answered, Asked        int // questions that have an answer, and all, of the run
	Text                   string
	Refused                string // why its answer was refused
}

// Picked is what the form of a group sends for it: a run may ask the same about several files.
func (r groupRun) Picked() string { return r.ID + pickedBy + r.SlotID }

// pickedBy is in no workflow id.
const pickedBy = "\t"

// Same reports whether all of them are worded alike.
func (g group) Same() bool {
	return !slices.ContainsFunc(g.Runs, func(r groupRun) bool { return r.Text != g.Text })
}

// Title is what the group asks, in a list.
func (g group) Title() string {
	if g.Same() {
		return g.Text
	}
	return fmt.Sprintf("%s (and %s%d more like it)", g.Text, g.atLeast(), len(g.Runs)-1)
}

// Names are those that ask, each once.
func (g group) Names() []groupRun {
	var out []groupRun
	for _, r := range g.Runs {
		if !slices.ContainsFunc(out, func(named groupRun) bool { return named.ID == r.ID }) {
			out = append(out, r)
		}
	}
	return out
}

// Refused is what became of answers that the question had in some of its runs; empty where there was none.
func (g group) Refused() string {
	n, reason := 0, ""
	for _, r := range g.Runs {
		if r.Refused != "" {
			n, reason = n+1, r.Refused
		}
	}
	switch {
	case n == 0:
		return ""
	case len(g.Runs) == 1:
		return "The answer was refused: " + reason
	}
	return fmt.Sprintf("The answer was refused for %d of %d, for one of them: %s", n, len(g.Runs), reason)
}

// Count is how many ask.
func (g group) Count() string {
	runs := len(g.Names())
	if runs == len(g.Runs) && !g.More {
		return term.Plural(runs, "run", "runs")
	}
	return fmt.Sprintf("%s%s of %s", g.atLeast(), term.Plural(len(g.Runs), "file", "files"), term.Plural(runs, "run", "runs"))
}

func (g group) atLeast() string {
	if g.More {
		return "at least "
	}
	return ""
}

// groupText is the question that all of a group ask, each about a file of its own.
func groupText(q questions.Question) string {
	if q.Loss == nil {
		return q.Text
	}
	return "These outputs lack something of their sources. Keep them?"
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
		ID: r.ID, Name: nameOf(r.Memo.Name, r.ID), Goal: r.Memo.Goal, SlotID: q.SlotID, Text: q.Text, Refused: q.Refused,
		Answered: r.Memo.Answered, Asked: r.Memo.Answered + len(r.Memo.Questions) + r.Memo.More,
	})
	g.More = g.More || r.Memo.More > 0 && questions.IsLoss(q.SlotID)
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
