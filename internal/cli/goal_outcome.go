package cli

import (
	"context"
	"fmt"
	"strings"

	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// goalItem is one goal to run.
type goalItem struct {
	workflowID string
	goal       string // id or text, as the memo has it
	name       string
	input      goal.Input
	paths      []string // of the files, as typed
	sums       []string // SHA-256 of the files that answers name
}

// goalOutcome is what --json prints for a goal.
type goalOutcome struct {
	WorkflowID string               `json:"workflow_id"`
	RunID      string               `json:"run_id"`
	Goal       string               `json:"goal"`
	Name       string               `json:"name"`
	Status     string               `json:"status"` // completed, partial, failed, cancelled, dropped, running, waiting
	JobSpecID  string               `json:"job_spec_id"`
	Outputs    []activities.Output  `json:"outputs"`
	Missing    []string             `json:"missing"`
	Message    string               `json:"message"`
	Questions  []questions.Question `json:"questions"`
	Error      *outcomeError        `json:"error"`
	Answers    []questions.Receipt  `json:"answers"`

	kind string // of the failure
}

func (g goalItem) id() string               { return g.workflowID }
func (g goalItem) title() string            { return g.label() }
func (g goalItem) noun() (one, many string) { return "goal", "goals" }

func (g goalItem) label() string {
	if g.name != "" {
		return g.name
	}
	return g.goal
}

func (g goalItem) call() (name string, input any, options temporalclient.StartWorkflowOptions) {
	return goal.WorkflowType, g.input, temporalclient.StartWorkflowOptions{
		Memo: map[string]any{questions.MemoKey: questions.Memo{Goal: g.goal, Name: g.name}},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.KeyState.ValueSet(workflows.StateRunning), workflows.KeyLane.ValueSet(workflows.LaneGoal)),
		StaticSummary: shorten(g.label(), 100),
		StaticDetails: fmt.Sprintf("Runs the goal %q with %s.", shorten(g.goal, 200), plural(len(g.input.Files), "file", "files")),
	}
}

func (g goalItem) begun(runID string) result {
	o := g.outcome(runID)
	o.Status = workflows.StateRunning
	return o
}

func (g goalItem) outcome(runID string) goalOutcome {
	return goalOutcome{
		WorkflowID: g.workflowID, RunID: runID, Goal: g.goal, Name: g.name,
		Outputs: []activities.Output{}, Missing: []string{}, Questions: []questions.Question{}, Answers: []questions.Receipt{},
	}
}

func (g goalItem) await(ctx context.Context, run temporalclient.WorkflowRun, runID string) (result, error) {
	var done goal.Result
	fault, lost := closed(run.Get(ctx, &done))
	o := g.outcome(runID)
	switch {
	case lost != nil:
		return nil, lost
	case fault != nil:
		status, said, detail := ending(fault)
		o.Status, o.Error, o.kind, o.JobSpecID = status, &said, detail.Kind, detail.JobID
		return o, nil
	}
	o.Status, o.JobSpecID, o.Message = done.Status, done.JobSpecID, done.Message
	o.Outputs, o.Missing = append(o.Outputs, done.Outputs...), append(o.Missing, done.Missing...)
	o.Answers = append(o.Answers, done.Answers...)
	return o, nil
}

func (o goalOutcome) state() string    { return o.Status }
func (o goalOutcome) failedAs() string { return o.kind }

func (o goalOutcome) inPlace() bool {
	done := o.Status == goal.ResultCompleted || o.Status == goal.ResultPartial
	return done && outputsInPlace(o.Outputs)
}

func (o goalOutcome) title() string {
	if o.Name != "" {
		return o.Name
	}
	return o.Goal
}

func (o goalOutcome) show(e *Env) error {
	for _, output := range o.Outputs {
		if _, err := fmt.Fprintf(e.Stdout, "%s  (%s)\n", printable(shortPath(output.Path)), bytesText(output.Size)); err != nil {
			return err
		}
	}
	for _, missing := range o.Missing {
		e.say("  missing: %s", missing)
	}
	text := fmt.Sprintf("%s: %s", o.title(), o.Status)
	if o.Error != nil {
		text += fmt.Sprintf(": %s: %s", o.Error.Code, o.Error.Message)
	} else if o.Message != "" {
		text += ": " + strings.TrimSpace(o.Message)
	}
	e.say("%s", text)
	return nil
}
