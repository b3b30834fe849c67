package goal_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// Whatever is answered in whatever order, by whomever, while replies get lost, others write, and the run
// continues as new: every answer has one final verdict, every slot is filled once, and the run ends.
func TestAnyAnswersInAnyOrder(t *testing.T) {
	input := goalInput(t)
	rapid.Check(t, func(rt *rapid.T) {
		r := newGoalRun(asks(choice("x"), choice("y")), at(client.GoalReady), at(client.GoalQueued), asks(choice("z")), at(client.GoalExecuting), at(client.GoalCompleted))
		slots := []string{"x", "y", "z"}
		given := map[string]bool{}
		for i := range rapid.IntRange(0, 25).Draw(rt, "answers") {
			// No two things happen at one instant: what the test environment then leaves undone, a server does.
			after := time.Duration(rapid.IntRange(0, 100).Draw(rt, "after"))*time.Minute + time.Duration(i)*time.Second
			id := fmt.Sprintf("id-%d", rapid.IntRange(0, 20).Draw(rt, "id"))
			slot, value := rapid.SampledFrom(slots).Draw(rt, "slot"), rapid.SampledFrom([]string{"a", "b", "wrong"}).Draw(rt, "value")
			switch rapid.IntRange(0, 6).Draw(rt, "what") {
			case 0:
				r.in(after, func(r *goalRun) { r.SetContinueAsNewSuggested(true) })
			case 1:
				r.in(after, func(r *goalRun) { r.elsewhere(slot, value) })
			case 2:
				r.goals.fail["fill"] = append(r.goals.fail["fill"], rapid.SampledFrom([]error{lost, apiError(409, "VERSION_CONFLICT"), apiError(503, "UNAVAILABLE")}).Draw(rt, "fault"))
			default:
				given[id] = true
				r.answers(after, id, slot, value)
			}
		}
		for i, slot := range slots { // in the end somebody answers everything
			id := "last-" + slot
			given[id] = true
			r.answers(200*time.Minute+time.Duration(i)*time.Hour, id, slot, "a")
		}
		input.To.Folder = "file://" + t.TempDir() + "/out"
		result, err := r.play(t, input)
		if err != nil {
			rt.Fatalf("the run failed: %v", err)
		}
		r.check(rt, result, given)
	})
}

// elsewhere fills a slot as somebody in Convilyn would: only if it is asked, with one of its options.
func (r *goalRun) elsewhere(slot, value string) {
	r.goals.mu.Lock()
	defer r.goals.mu.Unlock()
	for _, pending := range r.goals.job.PendingSlots {
		if pending.SlotID == slot && value != "wrong" {
			r.goals.take(slot, json.RawMessage(`"`+value+`"`))
			return
		}
	}
}

func (r *goalRun) check(t *rapid.T, result goal.Result, given map[string]bool) {
	if result.Status != goal.ResultCompleted {
		t.Fatalf("the run ended as %s", result.Status)
	}
	filled := map[string]int{}
	for _, patch := range r.goals.patches {
		slot, _, _ := strings.Cut(patch, "=")
		filled[slot]++
	}
	receipts := map[string]int{}
	counted := map[string]int{}
	for _, receipt := range result.Answers {
		receipts[receipt.AnswerID]++
		switch receipt.Verdict {
		case questions.VerdictEarly:
			t.Fatalf("%s has no final verdict", receipt.AnswerID)
		case questions.VerdictAccepted:
			counted[receipt.SlotID]++
			if receipt.DeliveredAt == nil {
				t.Fatalf("%s counts, but the service does not have it", receipt.AnswerID)
			}
		default:
		}
	}
	for _, slot := range []string{"x", "y", "z"} {
		if filled[slot] != 1 || counted[slot] != 1 {
			t.Fatalf("slot %s was filled %d times, and %d answers count: %v", slot, filled[slot], counted[slot], r.goals.patches)
		}
	}
	for id := range given {
		// An answer that comes after the end finds nobody.
		if receipts[id] > 1 || receipts[id] == 0 && !strings.HasPrefix(id, "last-") && r.spent > 101*time.Minute {
			t.Fatalf("answer %s has %d receipts", id, receipts[id])
		}
	}
}
