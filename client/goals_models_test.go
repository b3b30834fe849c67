package client

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/slot"
)

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	require.NoError(t, json.Unmarshal([]byte(text), &out))
	return out
}

func TestGoalJobOfTodaysWire(t *testing.T) {
	job := decode[GoalJob](t, `{"jobSpecId":"g","status":"slots_pending","progress":30,"itemVersion":4,"attemptId":"att_1","goalText":null,"fileIds":["f"],
		"pendingSlots":[{"slotId":"tone","slotType":"choice","question":"Which?","options":["formal",{"value":"c","label":"Casual"}],"suggestedValue":"formal","suggestedConfidence":0.82}],
		"filledSlots":{"platform":"x"},"pendingInterrupts":null,"createdAt":"2026-06-01T08:00:00Z","updatedAt":"2026-06-01T08:00:05.5+00:00","startedAt":null}`)
	confidence := 0.82
	assert.Equal(t, []PendingSlot{{
		SlotID: "tone", SlotType: slot.Choice, Question: "Which?", Options: []SlotOption{{"formal", "formal"}, {"c", "Casual"}}, Required: true,
		SuggestedValue: json.RawMessage(`"formal"`), SuggestedConfidence: &confidence,
	}}, job.PendingSlots)
	assert.Equal(t, 30, job.Percent())
	assert.Equal(t, []any{GoalSlotsPending, 4, "att_1", []string{"f"}}, []any{job.Status, job.ItemVersion, job.AttemptID, job.FileIDs})
	assert.Equal(t, time.Date(2026, 6, 1, 8, 0, 5, 5e8, time.UTC), job.UpdatedAt)
	assert.Nil(t, job.StartedAt)
	assert.Nil(t, job.Error)
}

func TestGoalJobOfTheDocumentedModel(t *testing.T) {
	for old, want := range map[string]GoalStatus{
		"queued": GoalQueued, "running": GoalExecuting, "slots_pending": GoalSlotsPending, "completed": GoalCompleted, "failed": GoalFailed,
		"pending": GoalCreated, "of next year": "of next year",
	} {
		t.Run(old, func(t *testing.T) {
			job := decode[GoalJob](t, `{"job_spec_id":"g","status":"`+old+`","workflow_id":"w","progress":0.42,"result_files":[{"filename":"a"}],"pending_slots":[],"created_at":"2026-06-01T08:00:00"}`)
			assert.Equal(t, want, job.Status)
			assert.Equal(t, "w", job.WorkflowID)
			assert.Len(t, job.ResultFiles, 1)
			if want == GoalCompleted {
				assert.Equal(t, 100, job.Percent())
			} else {
				assert.Equal(t, 42, job.Percent())
			}
		})
	}
}

func TestGoalJobOfNullCollections(t *testing.T) {
	for _, wire := range []string{`{"fileIds":null,"pendingSlots":null,"pendingInterrupts":null,"filledSlots":null,"result_files":null}`, `{}`} {
		t.Run(wire, func(t *testing.T) {
			job := decode[GoalJob](t, wire)
			assert.NotNil(t, job.FileIDs)
			assert.NotNil(t, job.PendingSlots)
			assert.NotNil(t, job.PendingInterrupts)
			assert.NotNil(t, job.FilledSlots)
			assert.NotNil(t, job.ResultFiles)
		})
	}
}

func TestSlotOptionShapes(t *testing.T) {
	options := decode[[]SlotOption](t, `["a",{"value":"v","label":"L"},{"id":"i","name":"N"},{"label":"only"},{"value":"v"},{"slotId":"s"}]`)
	assert.Equal(t, []SlotOption{{"a", "a"}, {"v", "L"}, {"i", "N"}, {"only", "only"}, {"v", "v"}, {"s", ""}}, options)
	slot := decode[PendingSlot](t, `{"slotId":"s","slotType":"of next year","question":"?","options":null,"required":false}`)
	assert.Nil(t, slot.Options)
	assert.False(t, slot.Required)
	assert.Nil(t, slot.SuggestedValue)
}

func TestPendingSlot_Bounds(t *testing.T) {
	one, five := 1.0, 5.0
	for name, test := range map[string]struct {
		wire string
		want slot.Bounds
	}{
		"none":               {`{}`, slot.Bounds{}},
		"all":                {`{"validation":{"min":1,"max":5,"minLength":2,"maxLength":80,"pattern":"^a","maxItems":3}}`, slot.Bounds{Min: &one, Max: &five, MinLength: 2, MaxLength: 80, Pattern: "^a", MaxItems: 3}},
		"as we write them":   {`{"bounds":{"min":1,"min_length":2,"max_items":3}}`, slot.Bounds{Min: &one, MinLength: 2, MaxItems: 3}},
		"half of them":       {`{"validation":{"min":"low","max":5,"maxLength":80.0,"pattern":["x"],"more":{}}}`, slot.Bounds{Max: &five, MaxLength: 80}},
		"out of float range": {`{"validation":{"min":1e999}}`, slot.Bounds{}},
		"another shape":      {`{"validation":"strict"}`, slot.Bounds{}},
	} {
		t.Run(name, func(t *testing.T) {
			pending := decode[PendingSlot](t, test.wire)
			assert.Equal(t, test.want, pending.Bounds)
			assert.Equal(t, test.want, pending.Slot().Bounds)
			body, err := json.Marshal(pending)
			require.NoError(t, err)
			assert.Equal(t, pending.Bounds, decode[PendingSlot](t, string(body)).Bounds)
		})
	}
}

func TestGoalErrors(t *testing.T) {
	yes, no := true, false
	for wire, want := range map[string]*bool{
		`null`: nil, `"retry"`: &yes, `"none"`: &no, `"upgrade"`: &no, `"of next year"`: &no,
	} {
		t.Run(wire, func(t *testing.T) {
			job := decode[GoalJob](t, `{"status":"failed","errorCode":"PROCESSING_LIMIT","errorDetail":{"reason":"ITERATION_LIMIT","limit":null,"reached":3},"suggestedAction":`+wire+`}`)
			require.NotNil(t, job.Error)
			assert.Equal(t, want, job.Error.Retryable(), wire)
			assert.Equal(t, "ITERATION_LIMIT", job.Error.Reason)
			assert.Nil(t, job.Error.Limit, "null is unknown, not 0")
			assert.Equal(t, 3.0, *job.Error.Reached)
		})
	}
	assert.Equal(t, CodeGoalFailed, decode[GoalJob](t, `{"status":"failed"}`).Error.Code)
	assert.Equal(t, "X", decode[GoalJob](t, `{"status":"partial","errorCode":"X"}`).Error.Code)
	assert.Nil(t, decode[GoalJob](t, `{"status":"cancelled"}`).Error)
}

func TestGoalEventOfBothWires(t *testing.T) {
	at := time.Date(2026, 6, 1, 8, 1, 2, 0, time.UTC)
	today := decode[GoalEvent](t, `{"type":"progress","schemaVersion":2,"jobSpecId":"g","emittedAt":"2026-06-01T08:01:02Z","seq":7,"data":{"progress":40}}`)
	assert.Equal(t, GoalEvent{Type: EventProgress, Timestamp: at, JobSpecID: "g", Seq: 7, Data: json.RawMessage(`{"progress":40}`)}, today)
	old := decode[GoalEvent](t, `{"type":"slot_pending","timestamp":"2026-06-01T08:01:02"}`)
	assert.Equal(t, GoalEvent{Type: EventSlotNeeded, Timestamp: at, Data: json.RawMessage(`{}`)}, old)
	for _, same := range []EventType{EventProgress, EventCompleted, EventFailed, EventSlotNeeded, "of next year"} {
		assert.Equal(t, same, decode[GoalEvent](t, `{"type":"`+string(same)+`","data":null}`).Type)
	}
}

// What the wire structs send is what the models read.
func TestGoalWireGolden(t *testing.T) {
	at := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	for want, value := range map[string]any{
		`{"jobSpecId":"g","status":"created","progress":0,"itemVersion":1,"goalText":null,"fileIds":null,"pendingSlots":null,"filledSlots":null,"pendingInterrupts":null,` +
			`"agentMessage":null,"errorMessage":null,"errorCode":null,"errorDetail":null,"suggestedAction":null,"createdAt":"2026-06-01T08:00:00Z","updatedAt":"2026-06-01T08:00:00Z",` +
			`"startedAt":null,"completedAt":null}`: WireGoalJob{JobSpecID: "g", Status: GoalCreated, ItemVersion: 1, CreatedAt: at, UpdatedAt: at},
		`{"action":"subscribe","jobSpecId":"g"}`: WireSubscribe{Action: ActionSubscribe, JobSpecID: "g"},
		`{"rerunMode":"fresh_rerun"}`:            WireRetry{RerunMode: RerunFresh},
		`{}`:                                     WireConfirm{},
		`{"answers":[{"slotId":"s","value":1}]}`: WireFillSlots{Answers: []WireSlotAnswer{{"s", json.RawMessage("1")}}},
		`{"type":"status","schemaVersion":2,"jobSpecId":"g","emittedAt":"2026-06-01T08:00:00Z","seq":1,"data":{}}`: WireEvent{EventStatus, 2, "g", at, 1, json.RawMessage("{}")},
	} {
		t.Run(want, func(t *testing.T) {
			encoded, err := json.Marshal(value)
			require.NoError(t, err)
			assert.Equal(t, want, string(encoded))
		})
	}
}
