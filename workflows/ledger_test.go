package workflows

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/activities"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func tone(slotID string) Question {
	return Question{SlotID: slotID, Type: typeChoice, Text: "Which?", Required: true, Options: []activities.Option{{Value: "a"}, {Value: "b"}, {Value: "c"}}}
}

func answerOf(id, slotID, value string) Answer {
	return Answer{AnswerID: id, SlotID: slotID, Value: encoded(value), Channel: ChannelSignal}
}

func TestVerdicts(t *testing.T) {
	l := &ledger{}
	give := func(id, slotID, value string) Verdict { return l.give(answerOf(id, slotID, value), noon).Verdict }
	assert.Equal(t, VerdictEarly, give("1", "tone", "a"))
	assert.Equal(t, VerdictEarly, give("2", "tone", "b"), "until it is asked, anybody may think again")
	assert.Equal(t, VerdictSuperseded, l.receipt("1").Verdict)
	assert.True(t, l.ask(tone("tone"), noon))
	assert.Equal(t, VerdictAccepted, l.receipt("2").Verdict)
	assert.Equal(t, VerdictAccepted, give("2", "tone", "b"), "the same id gets its verdict again")
	assert.Equal(t, VerdictDuplicate, give("3", "tone", "b"))
	assert.Equal(t, VerdictConflict, give("4", "tone", "c"))
	assert.Len(t, l.Receipts, 4)
	require.Len(t, l.outgoing(), 1)
	l.deliver("tone", noon)
	assert.Empty(t, l.Open)
	assert.Equal(t, VerdictConflict, give("5", "tone", "c"), "also after it was delivered")
	assert.Equal(t, VerdictDuplicate, give("6", "tone", "b"))
	assert.True(t, l.ask(tone("tone"), noon), "asked again")
	assert.Equal(t, 2, l.question("tone").Round)
	assert.Equal(t, VerdictInvalid, give("7", "tone", "z"))
	assert.Contains(t, l.receipt("7").Reason, `"z" is not one of a, b, c`)
	assert.Equal(t, VerdictAccepted, give("8", "tone", "c"))
	l.refuse("tone", "not today")
	assert.Equal(t, VerdictInvalid, l.receipt("8").Verdict)
	assert.Empty(t, l.outgoing())
	assert.Equal(t, VerdictAccepted, give("9", "tone", "a"), "open again")
	l.withdraw("tone", encoded("b"), noon)
	assert.Equal(t, VerdictConflict, l.receipt("9").Verdict, "somebody was faster in Convilyn")
	assert.Equal(t, ChannelElsewhere, l.Receipts[len(l.Receipts)-1].Channel)
	assert.Equal(t, VerdictEarly, give("10", "other", "a"))
	l.close()
	assert.Equal(t, VerdictLate, l.receipt("10").Verdict)
	assert.Equal(t, VerdictLate, give("11", "tone", "a"))
}

func TestAnEarlyAnswerThatIsNoneLeavesTheQuestionOpen(t *testing.T) {
	l := &ledger{}
	l.give(answerOf("1", "tone", "z"), noon)
	l.ask(tone("tone"), noon)
	assert.Equal(t, VerdictInvalid, l.receipt("1").Verdict)
	assert.Equal(t, 1, l.unanswered())
}

func TestAnswersLeaveTogether(t *testing.T) {
	l := &ledger{}
	optional := tone("c")
	optional.Required = false
	for _, q := range []Question{tone("a"), tone("b"), optional} {
		l.ask(q, noon)
	}
	l.give(answerOf("1", "a", "a"), noon)
	l.give(answerOf("2", "c", "a"), noon)
	assert.Empty(t, l.outgoing(), "one required answer is missing")
	l.give(answerOf("3", "b", "a"), noon)
	assert.Len(t, l.outgoing(), 3)
}

func TestTheLedgerIsBounded(t *testing.T) {
	l := &ledger{}
	l.ask(tone("tone"), noon)
	l.give(answerOf("good", "tone", "a"), noon)
	for i := range 3 * maxReceipts {
		l.give(answerOf(fmt.Sprintf("bad-%d", i), "tone", "z"), noon)
		l.give(answerOf(fmt.Sprintf("early-%d", i), fmt.Sprintf("slot-%d", i), "a"), noon)
	}
	assert.LessOrEqual(t, len(l.Receipts), maxReceipts)
	require.NotNil(t, l.receipt("good"), "what counts is never forgotten")
	assert.NotNil(t, l.receipt("early-0"), "nor what may yet count")
	assert.Equal(t, maxEarly, l.early(""))
	assert.Equal(t, VerdictInvalid, l.give(Answer{AnswerID: "huge", SlotID: "tone", Value: encoded(string(make([]byte, maxValue)))}, noon).Verdict)
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		q     Question
		value string
		says  string // empty where the value is an answer
	}{
		"choice":             {tone("t"), `"a"`, ""},
		"choice of several":  {tone("t"), `["a"]`, "one of a, b, c"},
		"null":               {tone("t"), `null`, "not one of"},
		"multi":              {Question{Type: typeMultiChoice, Options: tone("t").Options}, `["a","c"]`, ""},
		"multi, none":        {Question{Type: typeMultiChoice, Options: tone("t").Options, Required: true}, `[]`, "at least one"},
		"multi, unknown":     {Question{Type: typeMultiChoice, Options: tone("t").Options}, `["a","z"]`, `"z" is not one of`},
		"multi, no list":     {Question{Type: typeMultiChoice, Options: tone("t").Options}, `"a"`, "list"},
		"number":             {Question{Type: typeNumber}, `4.5`, ""},
		"number as a text":   {Question{Type: typeNumber}, `"4.5"`, "a number"},
		"number, null":       {Question{Type: typeNumber}, `null`, "a number"},
		"boolean":            {Question{Type: typeBoolean}, `false`, ""},
		"boolean as a text":  {Question{Type: typeBoolean}, `"yes"`, "true or false"},
		"date":               {Question{Type: typeDate}, `"2026-02-28"`, ""},
		"no such date":       {Question{Type: typeDate}, `"2026-02-30"`, "YYYY-MM-DD"},
		"file":               {Question{Type: typeFile}, `"file_1"`, ""},
		"files":              {Question{Type: typeFile}, `["file_1","file:///x"]`, ""},
		"no file":            {Question{Type: typeFile}, `""`, "file id"},
		"text":               {Question{Type: typeText, Required: true}, `"x"`, ""},
		"empty text":         {Question{Type: typeText, Required: true}, `" "`, "empty"},
		"empty, optional":    {Question{Type: typeText}, `""`, ""},
		"unknown type":       {Question{Type: "colour"}, `{"r":1}`, ""},
		"free text":          {startQuestion(""), `"0b3c"`, ""},
		"empty free text":    {startQuestion(""), `" "`, "not one of"},
		"choice of anything": {Question{Type: typeChoice}, `"x"`, ""},
	} {
		says := test.q.refuse(json.RawMessage(test.value))
		if test.says == "" {
			assert.Empty(t, says, name)
		} else {
			assert.Contains(t, says, test.says, name)
		}
	}
}

// service is what the ledger talks to: it asks slots, takes answers, and is answered from elsewhere.
type service struct {
	asked map[string]bool
	got   map[string]int // answers taken, by slot and round
}

// Whatever arrives in whatever order, every answer has one receipt and in the end one final verdict, and the
// service gets one answer a question.
func TestEveryAnswerGetsOneVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, s := &ledger{}, &service{asked: map[string]bool{}, got: map[string]int{}}
		slots, values := []string{"x", "y", "z"}, []string{"a", "b", "c", "wrong"}
		slot := rapid.SampledFrom(slots)
		given := map[string]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"give": func(t *rapid.T) {
				id := fmt.Sprintf("id-%d", rapid.IntRange(0, 40).Draw(t, "id"))
				before := l.receipt(id)
				receipt := l.give(answerOf(id, slot.Draw(t, "slot"), rapid.SampledFrom(values).Draw(t, "value")), noon)
				if before != nil && before.Verdict != receipt.Verdict {
					t.Fatalf("answer %s was %s, and then %s", id, before.Verdict, receipt.Verdict)
				}
				given[id] = true
			},
			"ask": func(t *rapid.T) {
				id := slot.Draw(t, "slot")
				l.ask(tone(id), noon)
				s.asked[id] = true
			},
			"send": func(t *rapid.T) {
				for _, answer := range l.outgoing() {
					round := fmt.Sprintf("%s %d", answer.SlotID, l.question(answer.SlotID).Round)
					if rapid.Bool().Draw(t, "refused") {
						l.refuse(answer.SlotID, "no")
						continue
					}
					s.got[round]++
					delete(s.asked, answer.SlotID)
					l.deliver(answer.SlotID, noon)
				}
			},
			"elsewhere": func(t *rapid.T) {
				id := slot.Draw(t, "slot")
				if s.asked[id] {
					s.got[fmt.Sprintf("%s %d", id, l.question(id).Round)]++
					delete(s.asked, id)
					l.withdraw(id, encoded(rapid.SampledFrom(values).Draw(t, "value")), noon)
				}
			},
			"continue as new": func(t *rapid.T) {
				data, err := json.Marshal(GoalState{Ledger: *l})
				require.NoError(t, err)
				var state GoalState
				require.NoError(t, json.Unmarshal(data, &state))
				again, err := json.Marshal(state)
				require.NoError(t, err)
				require.JSONEq(t, string(data), string(again))
				l = &state.Ledger
			},
			"": func(t *rapid.T) {
				seen := map[string]bool{}
				for _, r := range l.Receipts {
					if seen[r.AnswerID] {
						t.Fatalf("two receipts for %s", r.AnswerID)
					}
					seen[r.AnswerID] = true
				}
				for id := range given {
					if !seen[id] {
						t.Fatalf("no receipt for %s", id)
					}
				}
				for round, n := range s.got {
					if n > 1 {
						t.Fatalf("%d answers to %s", n, round)
					}
				}
			},
		})
		l.close()
		for _, r := range l.Receipts {
			if r.Verdict == VerdictEarly || r.Verdict == VerdictAccepted && r.DeliveredAt == nil {
				t.Fatalf("%s has no final verdict: %s", r.AnswerID, r.Verdict)
			}
			if r.Verdict != VerdictAccepted && r.Verdict != VerdictInvalid && r.Reason == "" {
				t.Fatalf("%s is %s without a reason", r.AnswerID, r.Verdict)
			}
		}
	})
}
