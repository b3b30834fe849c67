package client

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/convilyn/convilyn-temporal/client/slot"
)

// Routes of the goal lane.
const (
	PathCatalog = "/api/v1/workflows/catalog"
	PathGoals   = "/api/v1/jobs/goal"
	// PathEvents is where the local backend takes event streams; the hosted gateway is another host.
	PathEvents = "/ws"
)

// PathGoal is a goal job, or what is below it (slots, confirm, cancel, retry, artifacts, status).
func PathGoal(jobSpecID string, below ...string) string {
	path := PathGoals + "/" + url.PathEscape(jobSpecID)
	for _, part := range below {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// WireCatalog answers GET /api/v1/workflows/catalog.
type WireCatalog struct {
	Workflows []WireCatalogEntry `json:"workflows"`
	Total     int                `json:"total"`
}

// WireCatalogEntry is one goal that the service offers.
type WireCatalogEntry struct {
	WorkflowID            string   `json:"workflowId"`
	Name                  string   `json:"name"`
	Description           string   `json:"description"`
	Icon                  *string  `json:"icon"`
	SupportedInputTypes   []string `json:"supportedInputTypes"`
	SupportedInputFormats []string `json:"supportedInputFormats"`
	Category              string   `json:"category"`
	RequiredSlotCount     int      `json:"requiredSlotCount"`
	Status                string   `json:"status"`
	SupportedLocales      []string `json:"supportedLocales"`
	MaxInputSizeBytes     *int64   `json:"maxInputSizeBytes"`
	MinFileCount          *int     `json:"minFileCount"`
	Tier                  *string  `json:"tier"`            // null is free
	FreeTierAllowed       *bool    `json:"freeTierAllowed"` // only false forbids
}

// WireCreateGoal starts a goal job: POST /api/v1/jobs/goal. Exactly one of WorkflowID, UserWorkflowID and
// GoalText for a workflow run; none of them for a run by OutputSchema or OutputFormat.
type WireCreateGoal struct {
	WorkflowID     string           `json:"workflowId,omitempty"`
	UserWorkflowID string           `json:"userWorkflowId,omitempty"`
	GoalText       string           `json:"goalText,omitempty"` // 3-2000 characters
	FileIDs        []string         `json:"fileIds"`            // never null
	SlotAnswers    []WireSlotAnswer `json:"slotAnswers,omitempty"`
	LLMConfigID    string           `json:"llmConfigId,omitempty"`
	OutputSchema   json.RawMessage  `json:"outputSchema,omitempty"`
	OutputFormat   string           `json:"outputFormat,omitempty"`
	Instructions   string           `json:"instructions,omitempty"`
}

// WireSlotAnswer answers one slot.
type WireSlotAnswer struct {
	SlotID string          `json:"slotId"`
	Value  json.RawMessage `json:"value"`
}

// WireFillSlots answers slots: PATCH /api/v1/jobs/goal/{id}/slots.
type WireFillSlots struct {
	Answers         []WireSlotAnswer `json:"answers"`
	ExpectedVersion *int             `json:"expectedVersion,omitempty"`
}

// WireConfirm submits a ready job: POST /api/v1/jobs/goal/{id}/confirm. It is always sent, if only as {}.
type WireConfirm struct {
	ExpectedVersion *int `json:"expectedVersion,omitempty"`
}

// WireRetry runs a failed job again: POST /api/v1/jobs/goal/{id}/retry.
type WireRetry struct {
	RerunMode string `json:"rerunMode"`
	Reason    string `json:"reason,omitempty"` // 512 characters at most
}

// WireAck answers confirm, cancel and retry.
type WireAck struct {
	JobSpecID   string     `json:"jobSpecId"`
	Status      GoalStatus `json:"status"`
	MessageID   string     `json:"messageId,omitempty"`
	SubmittedAt *time.Time `json:"submittedAt,omitempty"`
}

// WireGoalJob is a goal job as the API sends it.
type WireGoalJob struct {
	JobSpecID         string                     `json:"jobSpecId"`
	Status            GoalStatus                 `json:"status"`
	Progress          int                        `json:"progress"` // 0-100
	ItemVersion       int                        `json:"itemVersion"`
	AttemptID         string                     `json:"attemptId,omitempty"`
	GoalText          *string                    `json:"goalText"`
	FileIDs           []string                   `json:"fileIds"`
	PendingSlots      []WirePendingSlot          `json:"pendingSlots"`
	FilledSlots       map[string]json.RawMessage `json:"filledSlots"`
	PendingInterrupts []json.RawMessage          `json:"pendingInterrupts"`
	AgentMessage      *string                    `json:"agentMessage"`
	ErrorMessage      *string                    `json:"errorMessage"`
	ErrorCode         *string                    `json:"errorCode"`
	ErrorDetail       *WireGoalErrorDetail       `json:"errorDetail"`
	SuggestedAction   *string                    `json:"suggestedAction"`
	CreatedAt         time.Time                  `json:"createdAt"`
	UpdatedAt         time.Time                  `json:"updatedAt"`
	StartedAt         *time.Time                 `json:"startedAt"`
	CompletedAt       *time.Time                 `json:"completedAt"`
}

// WirePendingSlot is a question of a goal job.
type WirePendingSlot struct {
	SlotID              string          `json:"slotId"`
	SlotType            SlotType        `json:"slotType"`
	Question            string          `json:"question"`
	Options             []SlotOption    `json:"options"` // null where the answer is free
	Required            bool            `json:"required"`
	IsDisambiguation    bool            `json:"isDisambiguation"`
	SuggestedValue      json.RawMessage `json:"suggestedValue"`
	SuggestedConfidence *float64        `json:"suggestedConfidence"` // 0-1
	// Validation is of the local service. The hosted one has it where slots are authored, and does not send it.
	Validation *WireValidation `json:"validation,omitempty"`
}

// WireValidation bounds the answer to a slot; it is slot.Bounds as the API writes it.
type WireValidation struct {
	Min       *float64 `json:"min,omitempty"`
	Max       *float64 `json:"max,omitempty"`
	MinLength int      `json:"minLength,omitempty"`
	MaxLength int      `json:"maxLength,omitempty"`
	Pattern   string   `json:"pattern,omitempty"`
	MaxItems  int      `json:"maxItems,omitempty"`
}

// WireGoalErrorDetail refines the failure of a goal job.
type WireGoalErrorDetail struct {
	Reason  string   `json:"reason"`
	Limit   *float64 `json:"limit,omitempty"`
	Reached *float64 `json:"reached,omitempty"`
}

// WireApproval is the interrupt by which the local backend shows what a slot asks to approve: an artifact that
// can be downloaded while the job waits. The contract leaves interrupts open.
type WireApproval struct {
	InterruptType string `json:"interruptType"` // InterruptApproval
	SlotID        string `json:"slotId"`        // empty for the preview of a ready_with_preview job
	ArtifactID    string `json:"artifactId"`
	FileName      string `json:"fileName"`
	MimeType      string `json:"mimeType"`
}

// InterruptApproval is the type of an interrupt that shows something to approve.
const InterruptApproval = "approval_review"

// WireGoalStatus answers GET /api/v1/jobs/goal/{id}/status.
type WireGoalStatus struct {
	JobSpecID               string     `json:"jobSpecId"`
	Status                  GoalStatus `json:"status"`
	Progress                int        `json:"progress"`
	ItemVersion             int        `json:"itemVersion"`
	SuggestedPollIntervalMs int        `json:"suggestedPollIntervalMs"`
	UpdatedAt               time.Time  `json:"updatedAt"`
}

// WireGoalList answers GET /api/v1/jobs/goal, a route of the local backend alone: the jobs that hold a file.
type WireGoalList struct {
	Jobs  []WireGoalJob `json:"jobs"`
	Total int           `json:"total"`
}

// WireArtifactList answers GET /api/v1/jobs/goal/{id}/artifacts.
type WireArtifactList struct {
	Artifacts []WireArtifact `json:"artifacts"`
	Total     int            `json:"total"`
}

// WireArtifact is one output of a goal job.
type WireArtifact struct {
	ArtifactID   string          `json:"artifactId"`
	FileName     string          `json:"fileName"`
	MimeType     string          `json:"mimeType"`
	SizeBytes    int64           `json:"sizeBytes"`
	DownloadURL  *PresignedURL   `json:"downloadUrl"`
	ArtifactType *string         `json:"artifactType"`
	Metadata     json.RawMessage `json:"metadata"`
	IsPrimary    bool            `json:"isPrimary"`
	Description  string          `json:"description"`
}

// WireArtifactLink answers GET /api/v1/jobs/goal/{id}/artifacts/{artifactId}/download.
type WireArtifactLink struct {
	DownloadURL PresignedURL `json:"downloadUrl"`
	FileName    string       `json:"fileName"`
	SizeBytes   int64        `json:"sizeBytes"`
	MimeType    string       `json:"mimeType"`
	ExpiresAt   time.Time    `json:"expiresAt"`
}

// WireSubscribe is the first frame of an event stream.
type WireSubscribe struct {
	Action    string `json:"action"` // ActionSubscribe
	JobSpecID string `json:"jobSpecId"`
}

// ActionSubscribe is the action of WireSubscribe.
const ActionSubscribe = "subscribe"

// WireEvent is one frame of an event stream.
type WireEvent struct {
	Type          EventType       `json:"type"`
	SchemaVersion int             `json:"schemaVersion"`
	JobSpecID     string          `json:"jobSpecId"`
	EmittedAt     time.Time       `json:"emittedAt"`
	Seq           int             `json:"seq"` // from 1, consecutive on one connection
	Data          json.RawMessage `json:"data"`
}

// GoalStatus is the state of a goal job. Values that this package does not know are carried as they are.
type GoalStatus string

// The states of a goal job.
const (
	GoalDraft            GoalStatus = "draft"
	GoalCreated          GoalStatus = "created"
	GoalAnalyzing        GoalStatus = "analyzing"
	GoalSlotsPending     GoalStatus = "slots_pending"
	GoalReady            GoalStatus = "ready"
	GoalReadyWithPreview GoalStatus = "ready_with_preview"
	GoalConfirmed        GoalStatus = "confirmed"
	GoalQueued           GoalStatus = "queued"
	GoalExecuting        GoalStatus = "executing"
	GoalCompleted        GoalStatus = "completed"
	GoalPartial          GoalStatus = "partial"
	GoalFailed           GoalStatus = "failed"
	GoalCancelled        GoalStatus = "cancelled"
)

// Terminal reports whether the job will not change any more, unless it failed and is retried.
func (s GoalStatus) Terminal() bool {
	switch s {
	case GoalCompleted, GoalPartial, GoalFailed, GoalCancelled:
		return true
	default:
		return false
	}
}

// AwaitsCaller reports whether nothing happens until somebody answers or confirms.
func (s GoalStatus) AwaitsCaller() bool {
	switch s {
	case GoalSlotsPending, GoalReady, GoalReadyWithPreview:
		return true
	default:
		return false
	}
}

// SlotType is the kind of answer that a slot takes; an open set. Package slot knows them.
type SlotType = slot.Type

// EventType is the kind of an event; an open set.
type EventType string

// The event types.
const (
	EventToolStarted             EventType = "tool_started"
	EventToolFinished            EventType = "tool_finished"
	EventAgentStepStarted        EventType = "agent_step_started"
	EventAgentStepFinished       EventType = "agent_step_finished"
	EventOrchestrationTransition EventType = "orchestration_transition"
	EventStatus                  EventType = "status"
	EventProgress                EventType = "progress"
	EventSlotNeeded              EventType = "slot_needed"
	EventAgentText               EventType = "agent_text"
	EventAgentTextDone           EventType = "agent_text_done"
	EventKeepalive               EventType = "keepalive"
	EventCompleted               EventType = "completed"
	EventFailed                  EventType = "failed"
	EventCancelled               EventType = "cancelled"
)

// Terminal reports whether the stream ends with this event.
func (t EventType) Terminal() bool {
	return t == EventCompleted || t == EventFailed || t == EventCancelled
}

// Values of rerunMode.
const (
	RerunSameThread = "retry_same_thread" // from the last resume boundary
	RerunFresh      = "fresh_rerun"       // from the beginning; charged in full
)

// ActionRetry is the suggestedAction that says that a retry may help.
const ActionRetry = "retry"

// SlotOption is one choice: the value to answer with and what people read.
type SlotOption struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// UnmarshalJSON takes a string, or an object by any of the key names in use.
func (m *SlotOption) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*m = SlotOption{Value: text, Label: secrets(nil).clean(text)}
		return nil
	}
	f := parseFields(data)
	*m = SlotOption{Value: f.text("value", "id", "slotId", "label"), Label: f.said("label", "name", "value", "id")}
	return f.err
}
