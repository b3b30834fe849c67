package client

import (
	"encoding/json"
	"time"

	"github.com/convilyn/convilyn-temporal/client/slot"
)

// GoalJob is a goal-lane job. FilledSlots and the Pending lists are never nil.
type GoalJob struct {
	JobSpecID         string                     `json:"job_spec_id"`
	Status            GoalStatus                 `json:"status"`
	WorkflowID        string                     `json:"workflow_id,omitempty"` // not on today's wire
	Progress          *float64                   `json:"progress"`              // 0.0-1.0, nil where not reported
	ResultFiles       []ResultFile               `json:"result_files"`          // not on today's wire; see Artifacts
	PendingSlots      []PendingSlot              `json:"pending_slots"`
	CreatedAt         time.Time                  `json:"created_at"`
	UpdatedAt         time.Time                  `json:"updated_at"`
	ItemVersion       int                        `json:"item_version"`
	AttemptID         string                     `json:"attempt_id,omitempty"`
	GoalText          string                     `json:"goal_text,omitempty"`
	FileIDs           []string                   `json:"file_ids"`
	FilledSlots       map[string]json.RawMessage `json:"filled_slots"`
	PendingInterrupts []json.RawMessage          `json:"pending_interrupts"` // opaque; see Approvals
	AgentMessage      string                     `json:"agent_message,omitempty"`
	Error             *GoalError                 `json:"error"` // of a failed job, and what a partial one is missing
	StartedAt         *time.Time                 `json:"started_at"`
	CompletedAt       *time.Time                 `json:"completed_at"`
}

// GoalError says why a goal job failed. Code, Reason and SuggestedAction are open sets.
type GoalError struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Reason  string   `json:"reason,omitempty"`
	Limit   *float64 `json:"limit,omitempty"` // nil is unknown
	Reached *float64 `json:"reached,omitempty"`
	// SuggestedAction is retry, upgrade, login, contact_support, none or unknown to us; nil where the service said nothing.
	SuggestedAction *string `json:"suggested_action"`
}

// CodeGoalFailed stands in where the service named no code.
const CodeGoalFailed = "GOAL_JOB_FAILED"

// Retryable is three-valued: nil where the service said nothing.
func (e *GoalError) Retryable() *bool {
	if e == nil || e.SuggestedAction == nil {
		return nil
	}
	yes := *e.SuggestedAction == ActionRetry
	return &yes
}

// PendingSlot is a question at which a goal job waits.
type PendingSlot struct {
	SlotID              string          `json:"slot_id"`
	SlotType            SlotType        `json:"slot_type"`
	Question            string          `json:"question"`
	Options             []SlotOption    `json:"options"` // nil where the answer is free
	Required            bool            `json:"required"`
	IsDisambiguation    bool            `json:"is_disambiguation"`
	SuggestedValue      json.RawMessage `json:"suggested_value"` // nil where there is none
	SuggestedConfidence *float64        `json:"suggested_confidence"`
	Bounds              slot.Bounds     `json:"bounds,omitzero"`
}

// Slot is the question by which answers are checked, read and shown.
func (m PendingSlot) Slot() slot.Slot {
	options := make([]slot.Option, len(m.Options))
	for i, option := range m.Options {
		options[i] = slot.Option(option)
	}
	return slot.Slot{
		SlotID: m.SlotID, Type: m.SlotType, Text: m.Question, Options: options, Required: m.Required,
		Suggested: m.SuggestedValue, Confidence: m.SuggestedConfidence, Bounds: m.Bounds,
	}
}

// UnmarshalJSON reads today's wire and the documented model.
func (m *PendingSlot) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = PendingSlot{
		SlotID: f.text("slotId", "slot_id"), SlotType: SlotType(f.text("slotType", "slot_type")), Question: f.said("question"),
		Required: f.flag(true, "required"), IsDisambiguation: f.flag(false, "isDisambiguation", "is_disambiguation"),
	}
	f.into(&m.Options, "options")
	f.into(&m.SuggestedConfidence, "suggestedConfidence", "suggested_confidence")
	if raw, ok := f.get("suggestedValue", "suggested_value"); ok {
		m.SuggestedValue = raw
	}
	if raw, ok := f.get("validation", "bounds"); ok {
		m.Bounds = boundsOf(raw)
	}
	return f.err
}

// boundsOf reads what it can: the contract does not say how bounds are written, and no question is lost for them.
func boundsOf(data json.RawMessage) slot.Bounds {
	f := parseFields(data)
	b := slot.Bounds{
		MinLength: int(f.whole("minLength", "min_length")), MaxLength: int(f.whole("maxLength", "max_length")),
		Pattern: f.text("pattern"), MaxItems: int(f.whole("maxItems", "max_items")),
	}
	var low, high float64
	if f.into(&low, "min") {
		b.Min = &low
	}
	if f.into(&high, "max") {
		b.Max = &high
	}
	return b
}

// UnmarshalJSON reads today's wire and the documented model, null collections included.
func (m *GoalJob) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = GoalJob{
		JobSpecID: f.text("jobSpecId", "job_spec_id"), Status: goalStatus(f.text("status")), WorkflowID: f.text("workflowId", "workflow_id"),
		Progress: f.fraction("progress"), ResultFiles: []ResultFile{}, PendingSlots: []PendingSlot{},
		CreatedAt: f.time("createdAt", "created_at"), UpdatedAt: f.time("updatedAt", "updated_at"),
		ItemVersion: int(f.whole("itemVersion", "item_version")), AttemptID: f.text("attemptId", "attempt_id"),
		GoalText: f.text("goalText", "goal_text"), FileIDs: []string{}, FilledSlots: map[string]json.RawMessage{},
		PendingInterrupts: []json.RawMessage{}, AgentMessage: f.said("agentMessage", "agent_message"),
		StartedAt: f.timePointer("startedAt", "started_at"), CompletedAt: f.timePointer("completedAt", "completed_at"),
	}
	f.into(&m.ResultFiles, "resultFiles", "result_files")
	f.into(&m.PendingSlots, "pendingSlots", "pending_slots")
	f.into(&m.FileIDs, "fileIds", "file_ids")
	f.into(&m.FilledSlots, "filledSlots", "filled_slots")
	f.into(&m.PendingInterrupts, "pendingInterrupts", "pending_interrupts")
	m.Error = goalError(&f, m.Status)
	if m.Status == GoalCompleted {
		all := 1.0
		m.Progress = &all
	}
	return f.err
}

// goalStatus takes the older names for today's.
func goalStatus(text string) GoalStatus {
	switch text {
	case "running":
		return GoalExecuting
	case "pending":
		return GoalCreated
	}
	return GoalStatus(text)
}

func goalError(f *fields, status GoalStatus) *GoalError {
	e := &GoalError{}
	if f.into(e, "error") {
		return e // what MarshalJSON wrote
	}
	e.Code, e.Message = f.said("errorCode", "error_code"), f.said("errorMessage", "error_message")
	e.SuggestedAction = f.textPointer("suggestedAction", "suggested_action")
	var detail WireGoalErrorDetail
	if raw, ok := f.get("errorDetail", "error_detail"); ok && json.Unmarshal(raw, &detail) == nil {
		e.Reason, e.Limit, e.Reached = secrets(nil).clean(detail.Reason), detail.Limit, detail.Reached
	}
	if status != GoalFailed && e.Code == "" && e.Message == "" {
		return nil
	}
	if e.Code == "" {
		e.Code = CodeGoalFailed
	}
	return e
}

// MarshalJSON writes the documented names.
func (m GoalJob) MarshalJSON() ([]byte, error) {
	type plain GoalJob
	return json.Marshal(struct {
		plain
		Progress json.RawMessage `json:"progress"`
	}{plain: plain(m), Progress: fractionJSON(m.Progress)})
}

// Percent is the progress as 0-100, 0 where it is not reported.
func (m *GoalJob) Percent() int {
	if m.Progress == nil {
		return 0
	}
	return int(*m.Progress*100 + 0.5)
}

// Approval is something to look at before an answer is given.
type Approval struct {
	SlotID     string `json:"slot_id"`
	ArtifactID string `json:"artifact_id"`
	FileName   string `json:"file_name"`
	MimeType   string `json:"mime_type"`
}

// Approvals reads the interrupts of the local backend's shape; others are not ours to read.
func (m *GoalJob) Approvals() []Approval {
	var out []Approval
	for _, raw := range m.PendingInterrupts {
		var wire WireApproval
		if json.Unmarshal(raw, &wire) == nil && wire.InterruptType == InterruptApproval && wire.ArtifactID != "" {
			out = append(out, Approval{SlotID: wire.SlotID, ArtifactID: wire.ArtifactID, FileName: wire.FileName, MimeType: wire.MimeType})
		}
	}
	return out
}

// GoalEvent is one event of a stream. Data is open.
type GoalEvent struct {
	Type      EventType       `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
	JobSpecID string          `json:"job_spec_id"`
	Seq       int             `json:"seq"` // 0 where the stream has none
	// Job is set where the client read the job itself: after a gap, or when it polls.
	Job *GoalJob `json:"job,omitempty"`
}

// UnmarshalJSON reads today's envelope and the documented model.
func (m *GoalEvent) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = GoalEvent{
		Type: EventType(f.text("type")), Timestamp: f.time("emittedAt", "timestamp"), JobSpecID: f.text("jobSpecId", "job_spec_id"),
		Seq: int(f.whole("seq")), Data: json.RawMessage("{}"),
	}
	if m.Type == "slot_pending" {
		m.Type = EventSlotNeeded
	}
	if raw, ok := f.get("data"); ok {
		m.Data = raw
	}
	f.into(&m.Job, "job")
	return f.err
}

// Artifact is one output of a goal job.
type Artifact struct {
	ArtifactID   string       `json:"artifact_id"`
	FileName     string       `json:"file_name"`
	MimeType     string       `json:"mime_type"`
	SizeBytes    int64        `json:"size_bytes"`
	DownloadURL  PresignedURL `json:"download_url,omitempty"` // a secret; empty where the service gave none
	ArtifactType string       `json:"artifact_type,omitempty"`
	IsPrimary    bool         `json:"is_primary"`
	Description  string       `json:"description"`
}

// UnmarshalJSON takes both spellings.
func (m *Artifact) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = Artifact{
		ArtifactID: f.text("artifactId", "artifact_id"), FileName: f.text("fileName", "file_name", "filename"),
		MimeType: f.text("mimeType", "mime_type", "mimetype"), SizeBytes: max(0, f.whole("sizeBytes", "size_bytes", "size")),
		DownloadURL: PresignedURL(f.text("downloadUrl", "download_url", "url")), ArtifactType: f.text("artifactType", "artifact_type"),
		IsPrimary: f.flag(false, "isPrimary", "is_primary"), Description: f.text("description"),
	}
	return f.err
}

// CatalogEntry is one goal that the service offers.
type CatalogEntry struct {
	WorkflowID            string   `json:"workflow_id"`
	Name                  string   `json:"name"`
	Description           string   `json:"description"`
	SupportedInputTypes   []string `json:"supported_input_types"`
	SupportedInputFormats []string `json:"supported_input_formats"`
	Category              string   `json:"category,omitempty"`
	RequiredSlotCount     int      `json:"required_slot_count"`
	Status                string   `json:"status,omitempty"`
	MaxInputSizeBytes     *int64   `json:"max_input_size_bytes"`
	MinFileCount          *int     `json:"min_file_count"`
	Tier                  string   `json:"tier,omitempty"`    // empty is free
	FreeTierAllowed       *bool    `json:"free_tier_allowed"` // only false forbids
}

// UnmarshalJSON takes the spellings in use.
func (m *CatalogEntry) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = CatalogEntry{
		WorkflowID: f.text("workflowId", "workflow_id", "specId", "spec_id"), Name: f.text("name"), Description: f.text("description"),
		SupportedInputTypes: []string{}, SupportedInputFormats: []string{}, Category: f.text("category"), Status: f.text("status"), Tier: f.text("tier"),
		RequiredSlotCount: int(f.whole("requiredSlotCount", "required_slot_count")), MinFileCount: f.wholePointer("minFileCount", "min_file_count"),
	}
	f.into(&m.SupportedInputTypes, "supportedInputTypes", "supported_input_types")
	f.into(&m.SupportedInputFormats, "supportedInputFormats", "supported_input_formats")
	f.into(&m.FreeTierAllowed, "freeTierAllowed", "free_tier_allowed")
	if n, ok := f.wholeIfAny("maxInputSizeBytes", "max_input_size_bytes"); ok {
		m.MaxInputSizeBytes = &n
	}
	return f.err
}

// Catalog is what the service offers.
type Catalog struct {
	Workflows []CatalogEntry `json:"workflows"`
}

// UnmarshalJSON takes an object or a bare array, and null for empty.
func (m *Catalog) UnmarshalJSON(data []byte) error {
	*m = Catalog{Workflows: []CatalogEntry{}}
	var bare []CatalogEntry
	if json.Unmarshal(data, &bare) == nil && bare != nil {
		m.Workflows = bare
		return nil
	}
	f := parseFields(data)
	f.into(&m.Workflows, "workflows")
	return f.err
}
