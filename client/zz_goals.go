package client

import (
	"encoding/json"
	"time"
)

type StartParams struct {
	WorkflowID, UserWorkflowID, GoalText string
	FileIDs                              []string
	Answers                              []SlotAnswer
	LLMConfigID                          string
	OutputSchema                         json.RawMessage
	OutputFormat, Instructions           string
}
type SlotAnswer struct {
	SlotID string
	Value  json.RawMessage
}
type FillParams struct {
	Answers         []SlotAnswer
	ExpectedVersion *int
}
type RetryParams struct{ Mode, Reason string }
type EventOptions struct{ LookEvery, PollInterval time.Duration }

func IsConflict(err error) bool { return false }
