package questions

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func tone(slotID string) Question {
	return Question{Slot: slot.Slot{SlotID: slotID, Type: slot.Choice, Text: "Which?", Required: true, Options: []activities.Option{{Value: "a"}, {Value: "b"}, {Value: "c"}}}}
}

func answerOf(id, slotID, value string) Answer {
	return Answer{AnswerID: id, SlotID: slotID, Value: run.Encode(value), Channel: ChannelSignal}
}

func TestVerdicts(t *testing.T) {
	l := &Ledger{}
	give := func(id, slotID, value string) Verdict { return l.Give(answerOf(id, slotID, value), noon).Verdict }
	assert.Equal(t, VerdictEarly, give("1", "tone", "a"))
	assert.Equal(t, VerdictEarly, give("2", "tone", "b"), "until it is asked, anybody may think again")
	assert.Equal(t, VerdictSuperseded, l.receipt("1").Verdict)
	assert.True(t, l.Ask(tone("tone"), noon))
	assert.Equal(t, VerdictAccepted, l.receipt("2").Verdict)
	assert.Equal(t, VerdictAccepted, give("2", "tone", "b"), "the same id gets its verdict again")
	assert.Equal(t, VerdictDuplicate, give("3", "tone", "b"))
	assert.Equal(t, VerdictConflict, give("4", "tone", "c"))
	assert.Len(t, l.Receipts, 4)
	require.Len(t, l.Outgoing(), 1)
	l.Deliver("tone", noon)
	assert.Empty(t, l.Open)
	assert.Equal(t, VerdictConflict, give("5", "tone", "c"), "also after it was delivered")
	assert.Regexp(t, `^another answer was given by .+ first: .+$`, l.receipt("5").Reason)
	assert.Equal(t, VerdictDuplicate, give("6", "tone", "b"))
	assert.True(t, l.Ask(tone("tone"), noon), "asked again")
	assert.Equal(t, 2, l.Find("tone").Round)
	assert.Equal(t, VerdictInvalid, give("7", "tone", "z"))
	assert.Contains(t, l.receipt("7").Reason, `"z" is not one of a, b, c`)
	assert.Equal(t, VerdictAccepted, give("8", "tone", "c"))
	l.Refuse("tone", "not today", noon)
	assert.Equal(t, VerdictInvalid, l.receipt("8").Verdict)
	assert.Empty(t, l.Outgoing())
	assert.Equal(t, VerdictAccepted, give("9", "tone", "a"), "open again")
	l.Withdraw("tone", run.Encode("b"), noon)
	assert.Equal(t, VerdictConflict, l.receipt("9").Verdict, "somebody was faster in Convilyn")
	assert.Equal(t, ChannelElsewhere, l.Receipts[len(l.Receipts)-1].Channel)
	assert.Equal(t, VerdictEarly, give("10", "other", "a"))
	l.Close()
	assert.Equal(t, VerdictLate, l.receipt("10").Verdict)
	assert.Equal(t, VerdictLate, give("11", "tone", "a"))
}

func TestAnEarlyAnswerThatIsNoneLeavesTheQuestionOpen(t *testing.T) {
	l := &Ledger{}
	l.Give(answerOf("1", "tone", "z"), noon)
	l.Ask(tone("tone"), noon)
	assert.Equal(t, VerdictInvalid, l.receipt("1").Verdict)
	assert.Equal(t, 1, l.Unanswered())
}

func TestAnswersLeaveTogether(t *testing.T) {
	l := &Ledger{}
	optional := tone("c")
	optional.Required = false
	for _, q := range []Question{tone("a"), tone("b"), optional} {
		l.Ask(q, noon)
	}
	l.Give(answerOf("1", "a", "a"), noon)
	l.Give(answerOf("2", "c", "a"), noon)
	assert.Empty(t, l.Outgoing(), "one required answer is missing")
	l.Give(answerOf("3", "b", "a"), noon)
	assert.Len(t, l.Outgoing(), 3)
}

func TestTheLedgerIsBounded(t *testing.T) {
	l := &Ledger{}
	l.Ask(tone("tone"), noon)
	l.Give(answerOf("good", "tone", "a"), noon)
	for i := range 3 * maxReceipts {
		l.Give(answerOf(fmt.Sprintf("bad-%d", i), "tone", "z"), noon)
		l.Give(answerOf(fmt.Sprintf("early-%d", i), fmt.Sprintf("slot-%d", i), "a"), noon)
	}
	assert.LessOrEqual(t, len(l.Receipts), maxReceipts)
	require.NotNil(t, l.receipt("good"), "what counts is never forgotten")
	assert.NotNil(t, l.receipt("early-0"), "nor what may yet count")
	assert.Equal(t, maxEarly, l.early(""))
	assert.Equal(t, VerdictInvalid, l.Give(Answer{AnswerID: "huge", SlotID: "tone", Value: run.Encode(string(make([]byte, maxValue)))}, noon).Verdict)
}

func TestQuestion_Refuse(t *testing.T) {
	five := 5.0
	for name, test := range map[string]struct {
		q     Question
		value string
		says  string // empty where the value is an answer
	}{
		"choice":             {tone("t"), `"a"`, ""},
		"another choice":     {tone("t"), `"z"`, `"z" is not one of a, b, c`},
		"unknown type":       {Question{Slot: slot.Slot{Type: "colour"}}, `{"r":1}`, ""},
		"number":             {Question{Slot: slot.Slot{Type: slot.Number, Bounds: slot.Bounds{Max: &five}}}, `5`, ""},
		"number over bounds": {Question{Slot: slot.Slot{Type: slot.Number, Bounds: slot.Bounds{Max: &five}}}, `6`, "6 is not at most 5"},
		"rating":             {Question{Slot: slot.Slot{Type: slot.Rating}}, `6`, "6 is not from 1 to 5"},
	} {
		t.Run(name, func(t *testing.T) {
			says := test.q.Refuse(json.RawMessage(test.value))
			if test.says == "" {
				assert.Empty(t, says)
			} else {
				assert.Contains(t, says, test.says)
			}
		})
	}
}

// The ledger travels in inputs and queries: its questions are written as they were before their slot was a type of its own.
func TestQuestion_JSON(t *testing.T) {
	sure, due := 0.5, time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	asked := slot.Slot{
		SlotID: "s", Type: slot.Choice, Text: "?", Options: []activities.Option{{Value: "a", Label: "A"}}, Required: true, FreeText: "or", Suggested: json.RawMessage(`"a"`),
		Confidence: &sure, Previews: []slot.Preview{{ArtifactID: "i", FileName: "n", MimeType: "m"}},
	}
	full := Question{Slot: asked, Round: 2, Key: "k", AskedAt: due, Deadline: &due, OnDeadline: DeadlineFail, For: "f", Answered: true}
	const fields = `{"slot_id":"s","type":"choice","text":"?","options":[{"value":"a","label":"A"}],"required":true,"free_text":"or","suggested":"a","confidence":0.5,` +
		`"previews":[{"artifact_id":"i","file_name":"n","mime_type":"m"}],"round":2,"key":"k","asked_at":"2026-11-30T00:00:00Z","deadline":"2026-11-30T00:00:00Z","on_deadline":"fail","for":"f","answered":true`
	offered := asked
	offered.FreeText = ""
	bounded := Question{Slot: slot.Slot{Bounds: slot.Bounds{Max: &sure, MaxLength: 8}}}
	for name, test := range map[string]struct {
		value any
		is    string
	}{
		"question":       {full, fields + `}`},
		"empty question": {Question{}, `{"slot_id":"","type":"","text":"","required":false,"round":0,"key":"","asked_at":"0001-01-01T00:00:00Z"}`},
		"open question":  {OpenQuestion{Question: full, AnswerID: "x", Reminders: 1, Escalated: true}, fields + `,"answer_id":"x","reminders":1,"escalated":true}`},
		"slot of a job": {
			offered,
			`{"slot_id":"s","type":"choice","text":"?","options":[{"value":"a","label":"A"}],"required":true,"suggested":"a","confidence":0.5,"previews":[{"artifact_id":"i","file_name":"n","mime_type":"m"}]}`,
		},
		"empty slot": {slot.Slot{}, `{"slot_id":"","type":"","text":"","required":false}`},
		"bounds":     {bounded, `{"slot_id":"","type":"","text":"","required":false,"bounds":{"max":0.5,"max_length":8},"round":0,"key":"","asked_at":"0001-01-01T00:00:00Z"}`},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := json.Marshal(test.value)
			require.NoError(t, err)
			assert.Equal(t, test.is, string(body))
		})
	}
	var read Question
	require.NoError(t, json.Unmarshal([]byte(fields+`}`), &read))
	assert.Equal(t, full, read)
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
		l, s := &Ledger{}, &service{asked: map[string]bool{}, got: map[string]int{}}
		slots, values := []string{"x", "y", "z"}, []string{"a", "b", "c", "wrong"}
		slot := rapid.SampledFrom(slots)
		given := map[string]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"give": func(t *rapid.T) {
				id := fmt.Sprintf("id-%d", rapid.IntRange(0, 40).Draw(t, "id"))
				before := l.receipt(id)
				receipt := l.Give(answerOf(id, slot.Draw(t, "slot"), rapid.SampledFrom(values).Draw(t, "value")), noon)
				if before != nil && before.Verdict != receipt.Verdict {
					t.Fatalf("answer %s was %s, and then %s", id, before.Verdict, receipt.Verdict)
				}
				given[id] = true
			},
			"ask": func(t *rapid.T) {
				id := slot.Draw(t, "slot")
				l.Ask(tone(id), noon)
				s.asked[id] = true
			},
			"send": func(t *rapid.T) {
				for _, answer := range l.Outgoing() {
					round := fmt.Sprintf("%s %d", answer.SlotID, l.Find(answer.SlotID).Round)
					if rapid.Bool().Draw(t, "refused") {
						l.Refuse(answer.SlotID, "no", noon)
						continue
					}
					s.got[round]++
					delete(s.asked, answer.SlotID)
					l.Deliver(answer.SlotID, noon)
				}
			},
			"elsewhere": func(t *rapid.T) {
				id := slot.Draw(t, "slot")
				if s.asked[id] {
					s.got[fmt.Sprintf("%s %d", id, l.Find(id).Round)]++
					delete(s.asked, id)
					l.Withdraw(id, run.Encode(rapid.SampledFrom(values).Draw(t, "value")), noon)
				}
			},
			"continue as new": func(t *rapid.T) {
				data, err := json.Marshal(l)
				require.NoError(t, err)
				var carried Ledger
				require.NoError(t, json.Unmarshal(data, &carried))
				again, err := json.Marshal(carried)
				require.NoError(t, err)
				require.JSONEq(t, string(data), string(again))
				l = &carried
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
		l.Close()
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

// What an update's validator refuses was not received, and has no time.
func TestReceipt_withoutATime(t *testing.T) {
	data, err := json.Marshal(Receipt{AnswerID: "1", Verdict: VerdictInvalid})
	require.NoError(t, err)
	assert.NotContains(t, string(data), "received_at")
}

// An answer that was taken and counts no more is known by its words; what lists learn of its question says why.
func TestLedger_RefusedAnswerIsKnownByItsWords(t *testing.T) {
	for name, row := range map[string]struct {
		question slot.Slot
		value    string
		want     string
	}{
		"text":   {slot.Slot{SlotID: "s", Type: slot.Text, Text: "Title?"}, `"Minutes"`, "Minutes"},
		"choice": {slot.Slot{SlotID: "s", Type: slot.Choice, Text: "Tone?", Options: []activities.Option{{Value: "f", Label: "Formal"}}}, `"f"`, "Formal"},
		"file":   {slot.Slot{SlotID: "s", Type: slot.File, Text: "Logo?"}, `"file:///srv/uploads/ab12/logo.png"`, "logo.png"},
	} {
		t.Run(name, func(t *testing.T) {
			var ledger Ledger
			now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
			row.question.Required = true
			ledger.Ask(Question{Slot: row.question}, now)
			receipt := ledger.Give(Answer{SlotID: "s", AnswerID: "a", Value: json.RawMessage(row.value)}, now)
			require.Equal(t, VerdictAccepted, receipt.Verdict)
			refusal := ledger.Refuse("s", "it is too long", now)
			require.NotNil(t, refusal)

			kept := ledger.Receipts[len(ledger.Receipts)-1]
			assert.Equal(t, VerdictInvalid, kept.Verdict)
			assert.Equal(t, row.want, kept.Label)
			assert.Empty(t, kept.Value)

			ledger.Find("s").Refused = refusal
			memo, _ := ledger.Summary(Memo{})
			require.Len(t, memo.Questions, 1)
			assert.Equal(t, "it is too long", memo.Questions[0].Refused)
		})
	}
}
