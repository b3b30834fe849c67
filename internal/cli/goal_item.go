package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
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

func (g goalItem) kind() *runs.Kind { return runs.Goal }

func (g goalItem) id() string { return g.workflowID }

func (g goalItem) title() string { return g.label() }

func (g goalItem) label() string {
	if g.name != "" {
		return g.name
	}
	return g.goal
}

func (g goalItem) spec() runs.Spec {
	return runs.Spec{
		Kind: runs.Goal, ID: g.workflowID, Input: g.input,
		Memo:    map[string]any{questions.MemoKey: questions.Memo{Goal: g.goal, Name: g.name}},
		Summary: term.Cut(g.label(), 100),
		Details: fmt.Sprintf("Runs the goal %q with %s.", term.Cut(g.goal, 200), term.Plural(len(g.input.Files), "file", "files")),
	}
}

// goalOf is a goal that was started elsewhere, as far as its memo knows.
func goalOf(r runs.Run) work {
	return goalItem{workflowID: r.ID, goal: r.Target, name: shownName(r)}
}

func (g goalItem) begun(runID string) result {
	o := g.outcome(runID)
	o.Status = workflows.StateRunning
	return o
}

func (g goalItem) ended(runID string, end runs.End) result {
	o := g.outcome(runID)
	if fault := end.Fault; fault != nil {
		o.Status, o.Error, o.kind, o.JobSpecID = fault.State, errorOf(fault), fault.Detail.Kind, fault.Detail.JobID
		return o
	}
	done := end.Goal
	o.Status, o.JobSpecID, o.Message = done.Status, done.JobSpecID, done.Message
	o.Outputs, o.Missing = append(o.Outputs, done.Outputs...), append(o.Missing, done.Missing...)
	o.Answers = append(o.Answers, done.Answers...)
	return o
}

func (g goalItem) outcome(runID string) goalOutcome {
	return goalOutcome{
		WorkflowID: g.workflowID, RunID: runID, Goal: g.goal, Name: g.name,
		Outputs: []activities.Output{}, Missing: []string{}, Questions: []questions.Question{}, Answers: []questions.Receipt{},
	}
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

func (o goalOutcome) state() string { return o.Status }

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

func (o goalOutcome) render(e *Env) error {
	for _, output := range o.Outputs {
		if _, err := fmt.Fprintf(e.Stdout, "%s  (%s)\n", term.Printable(shortPath(output.Path)), term.Bytes(output.Size)); err != nil {
			return err
		}
	}
	for _, missing := range o.Missing {
		e.printf("  missing: %s", missing)
	}
	text := fmt.Sprintf("%s: %s", o.title(), o.Status)
	if o.Error != nil {
		text += fmt.Sprintf(": %s: %s", o.Error.Code, o.Error.Message)
	} else if o.Message != "" {
		text += ": " + strings.TrimSpace(o.Message)
	}
	e.printf("%s", text)
	if o.Error != nil && o.Error.Credits != nil && o.Error.Credits.TopUpURL != "" {
		e.printf("  credits or a plan: %s", o.Error.Credits.TopUpURL)
	}
	return nil
}

func (o goalOutcome) renderDetail(e *Env) {
	e.row("job", o.JobSpecID)
	e.row("result", o.Status)
	for _, output := range o.Outputs {
		e.row("output", fmt.Sprintf("%s  %s  sha256 %s", output.Path, term.Bytes(output.Size), output.SHA256))
	}
	for _, missing := range o.Missing {
		e.row("missing", missing)
	}
	e.renderReceipts(o.Answers)
	e.row("message", o.Message)
	if o.Error != nil {
		e.row("error", o.Error.Code+": "+o.Error.Message)
	}
}

// questionShown is how much of a question runs show prints, in columns.
const questionShown = 400

// goalNow is where a goal stands that has not ended.
type goalNow struct {
	Status    *goal.Status         `json:"status"` // null where no worker could be asked
	Questions []questions.Question `json:"questions"`
	Answers   []questions.Receipt  `json:"answers"`
	Trouble   string               `json:"trouble,omitempty"` // why the run could not be asked
}

// goalNowOf asks the run; what it cannot say without a worker is left out and said so.
func goalNowOf(ctx context.Context, s *Session, id string) *goalNow {
	ctx, cancel := context.WithTimeout(ctx, nowWithin)
	defer cancel()
	now := &goalNow{}
	status, err := s.runs().Status(ctx, id)
	if err == nil {
		now.Status = &status
		now.Questions, err = s.runs().Questions(ctx, id)
	}
	if err == nil {
		now.Answers, err = s.runs().Answers(ctx, id)
	}
	if err != nil {
		now.Trouble = err.Error()
	}
	return now
}

func (now *goalNow) renderDetail(e *Env) {
	if status := now.Status; status != nil {
		e.row("job", status.JobSpecID)
		e.row("at", fmt.Sprintf("%s, %d %%, %s", status.Step, status.Percent, status.JobStatus))
	}
	e.renderQuestions(now.Questions)
	e.renderReceipts(now.Answers)
	for _, q := range now.Questions {
		if q.Refused != nil {
			e.row("refused", fmt.Sprintf("%s: %s", q.SlotID, q.Refused.Reason))
		}
	}
	e.row("trouble", now.Trouble)
}

func (e *Env) renderQuestions(all []questions.Question) {
	for _, q := range all {
		state := "open since " + q.AskedAt.Local().Format(time.DateTime)
		if q.Answered {
			state = "answered, under way"
			if q.Given != nil {
				state = fmt.Sprintf("answered: %s", term.Cell(answerText(*q.Given), 80))
			}
		}
		e.row("credits", strings.TrimPrefix(aboutCredits(q), "credits or a plan: "))
		e.row("question", fmt.Sprintf("%s (%s): %s  [%s]", q.SlotID, q.Type, term.Cell(q.Text, questionShown), state))
		for _, line := range lossLines(q) {
			e.row("", line)
		}
	}
}

func (e *Env) renderReceipts(receipts []questions.Receipt) {
	for _, r := range receipts {
		e.row("answer", receiptLine(r))
	}
}

// receiptLine is who said what, when, through what, and what became of it.
func receiptLine(r questions.Receipt) string {
	given := r.SlotID
	if answer := answerText(r); answer != "" { // what never counted is not kept
		given += "=" + term.Cell(answer, 60)
	}
	text := fmt.Sprintf("%s  %s", given, r.Verdict)
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	by := r.AnsweredBy
	if r.Automatic {
		by = "automatic"
	}
	text += fmt.Sprintf("  %s by %s through %s", r.ReceivedAt.Local().Format(time.DateTime), orDash(by), orDash(r.Channel))
	if r.DeliveredAt != nil {
		text += ", delivered " + r.DeliveredAt.Local().Format(time.DateTime)
	}
	return text
}

// answerText is an answer as people read it.
func answerText(r questions.Receipt) string {
	if r.Label != "" {
		return r.Label
	}
	return string(r.Value)
}
