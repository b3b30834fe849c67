package goals_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// BenchmarkGoal is one job from its first pass to its artifacts, with the answers that it suggests.
func BenchmarkGoal(b *testing.B) {
	all := children(b)
	for _, test := range []struct{ id, name, file string }{
		{"goal_lane.redactor", "redactor", "letter.docx"}, {"goal_lane.table_extractor", "tables", "people.csv"}, {"goal_lane.image_set", "images", "photo.png"},
	} {
		in := input(b, test.file, testkit.Examples(b, test.file))
		here := goals.All()[slices.IndexFunc(goals.All(), func(g goals.Goal) bool { return g.ID == test.id })]
		b.Run(test.name, func(b *testing.B) {
			for name, goal := range map[string]goals.Goal{"in-process": here, "child": here.In(all, time.Hour)} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						runThrough(b, goal, in)
					}
				})
			}
		})
	}
}

// runThrough takes every suggestion.
func runThrough(b *testing.B, goal goals.Goal, in goals.Input) {
	b.Helper()
	dir := b.TempDir()
	answers, confirmed := map[string]json.RawMessage{}, false
	for {
		t := &goals.Task{Inputs: []goals.Input{in}, Dir: dir, Answers: answers, Confirmed: confirmed, Report: func(int, string) {}}
		err := goal.Run(b.Context(), t)
		if err == nil {
			require.NotEmpty(b, t.Files)
			return
		}
		for _, slot := range t.Pending {
			if slot.Required {
				answers[slot.SlotID] = slot.SuggestedValue
			}
		}
		if len(t.Pending) == 0 {
			require.ErrorIs(b, err, goals.ErrReady)
			confirmed = true
		}
	}
}
