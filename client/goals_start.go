package client

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// StartParams describe a goal. A workflow run names exactly one of WorkflowID, UserWorkflowID and GoalText; a run
// by OutputSchema or OutputFormat names none of them and takes one file.
type StartParams struct {
	WorkflowID     string // of the catalog
	UserWorkflowID string
	GoalText       string // 3-2000 characters; needs a file
	FileIDs        []string
	Answers        []SlotAnswer // given ahead
	LLMConfigID    string
	OutputSchema   json.RawMessage // a JSON object
	OutputFormat   string          // such as markdown
	Instructions   string
}

// SlotAnswer answers one slot; Value is JSON of the slot's type.
type SlotAnswer struct {
	SlotID string
	Value  json.RawMessage
}

const (
	shortestGoal = 3
	longestGoal  = 2000
)

// ValidateStart checks what can be checked before any request. Its errors are *ArgumentError.
func ValidateStart(p StartParams) error {
	named := 0
	for _, name := range []string{p.WorkflowID, p.UserWorkflowID, p.GoalText} {
		if name != "" {
			named++
		}
	}
	byOutput := len(p.OutputSchema) > 0 || p.OutputFormat != ""
	switch {
	case slices.Contains(p.FileIDs, ""):
		return argumentf("file_ids", "one of them is empty")
	case byOutput && named > 0:
		return argumentf("goal", "a run by output schema or format takes no workflow and no goal text")
	case !byOutput && named == 0:
		return argumentf("goal", "it is missing; name a workflow, a workflow of your own, a goal text or an output")
	case named > 1:
		return argumentf("goal", "name one of a workflow, a workflow of your own and a goal text, not %d", named)
	case byOutput:
		return p.validateOutput()
	case p.GoalText != "":
		return p.validateText()
	}
	return checkAnswers(p.Answers)
}

func (p StartParams) validateOutput() error {
	var object map[string]json.RawMessage
	switch {
	case len(p.OutputSchema) > 0 && p.OutputFormat != "":
		return argumentf("output", "give a schema or a format, not both")
	case len(p.OutputSchema) > 0 && (json.Unmarshal(p.OutputSchema, &object) != nil || object == nil):
		return argumentf("output_schema", "it is not a JSON object")
	case len(p.FileIDs) != 1:
		return argumentf("file_ids", "a run by output schema or format takes one file, not %d", len(p.FileIDs))
	}
	return checkAnswers(p.Answers)
}

func (p StartParams) validateText() error {
	if n := utf8.RuneCountInString(p.GoalText); n < shortestGoal || n > longestGoal {
		return argumentf("goal_text", "it has %d characters; %d to %d are taken", n, shortestGoal, longestGoal)
	}
	if len(p.FileIDs) == 0 {
		return argumentf("file_ids", "a goal text needs a file to work on")
	}
	return checkAnswers(p.Answers)
}

func checkAnswers(answers []SlotAnswer) error {
	seen := map[string]bool{}
	for _, answer := range answers {
		switch {
		case answer.SlotID == "":
			return argumentf("answers", "one of them names no slot")
		case seen[answer.SlotID]:
			return argumentf("answers", "slot %.80q is answered twice", answer.SlotID)
		case !json.Valid(answer.Value):
			return argumentf("answers", "the answer of slot %.80q is not JSON; text goes in quotes", answer.SlotID)
		}
		seen[answer.SlotID] = true
	}
	return nil
}

func (p StartParams) wire() WireCreateGoal {
	files := p.FileIDs
	if files == nil {
		files = []string{}
	}
	return WireCreateGoal{
		WorkflowID: p.WorkflowID, UserWorkflowID: p.UserWorkflowID, GoalText: p.GoalText, FileIDs: files, SlotAnswers: wireAnswers(p.Answers),
		LLMConfigID: p.LLMConfigID, OutputSchema: p.OutputSchema, OutputFormat: p.OutputFormat, Instructions: p.Instructions,
	}
}

func wireAnswers(answers []SlotAnswer) []WireSlotAnswer {
	out := make([]WireSlotAnswer, 0, len(answers))
	for _, answer := range answers {
		out = append(out, WireSlotAnswer(answer))
	}
	return out
}
