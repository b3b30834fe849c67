package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func (s *Session) desk() *answering.Desk {
	return &answering.Desk{Temporal: s.Temporal, Namespace: s.Namespace}
}

func exists(ctx context.Context, s *Session, id string) (bool, error) {
	_, err := s.Temporal.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", id, err)
	}
	return true, nil
}

// follow goes with a goal to its end, or to a stop at questions that cannot be asked here.
func (g *goalStart) follow(ctx context.Context, env *Env, s *Session, run *watched) error {
	told := map[string]bool{}
	for {
		var open []questions.Question
		stops, end := lookForStops(ctx, s, []*watched{run}, told, func(now stop) error {
			open = now.questions
			return errAsked
		})
		ends, err := env.follow(ctx, s, []*watched{run}, g.asJSON, stops)
		end()
		if !errors.Is(err, errAsked) {
			if err == nil && exitCode(ends) != ExitOK {
				err = &Failure{Code: exitCode(ends)}
			}
			return err
		}
		if env.mayAsk() && env.Terminal.Live && !g.noAsk && !g.asJSON {
			err := env.askAll(ctx, s, run.id(), open)
			if err == nil || errors.Is(err, answering.ErrEnded) {
				continue // how it ended is told by following
			}
			if !errors.Is(err, errNoAnswer) {
				return err
			}
		}
		if g.wait {
			env.tellQuestions(run.id(), open)
			continue
		}
		return g.leave(env, s, run, open)
	}
}

// leave ends the command while the run waits.
func (g *goalStart) leave(env *Env, s *Session, run *watched, questions []questions.Question) error {
	env.tellQuestions(run.id(), questions)
	if s.Stays {
		env.say("the run waits in Temporal; see it with '%s runs show %s'", env.Program, run.id())
	} else {
		env.say("the run is paused with this command; answer it, and the same command, or '%s up', goes on with it", env.Program)
	}
	if !g.asJSON {
		_, err := fmt.Fprintln(env.Stdout, run.id())
		return err
	}
	o, _ := run.begun(run.runID).(goalOutcome)
	o.Status, o.Questions = workflows.StateWaiting, questions
	return env.printJSON(o)
}

// tellQuestions prints each question with the command that answers it.
func (e *Env) tellQuestions(id string, questions []questions.Question) {
	for _, q := range questions {
		e.say("%s (%s): %s", q.SlotID, q.Type, q.Text)
		if options := q.Offers(); options != "" {
			e.say("  one of: %s", options)
		}
		if limits := q.Limits(); limits != "" {
			e.say("  %s", cell(limits, 200))
		}
		e.say("  %s slots answer %s %s", e.Program, id, shellWord(q.SlotID+"="+q.Example()))
	}
}

// said is an answer as people read it.
func said(r questions.Receipt) string {
	if r.Label != "" {
		return r.Label
	}
	return string(r.Value)
}

// goalNow is where a goal stands that has not ended.
type goalNow struct {
	Status    *goal.Status         `json:"status"` // null where no worker could be asked
	Questions []questions.Question `json:"questions"`
	Answers   []questions.Receipt  `json:"answers"`
	Trouble   string               `json:"trouble,omitempty"` // why the run could not be asked
}

// goalStands asks the run; what it cannot say without a worker is left out and said so.
func goalStands(ctx context.Context, s *Session, id string) *goalNow {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	now := &goalNow{}
	status, err := s.desk().Status(ctx, id)
	if err == nil {
		now.Status = &status
		now.Questions, err = s.desk().Questions(ctx, id)
	}
	if err == nil {
		now.Answers, err = s.desk().Answers(ctx, id)
	}
	if err != nil {
		now.Trouble = err.Error()
	}
	return now
}

func (e *Env) showGoalNow(d runDetail) {
	if status := d.Goal.Status; status != nil {
		e.row("job", status.JobSpecID)
		e.row("at", fmt.Sprintf("%s, %d %%, %s", status.Step, status.Percent, status.JobStatus))
	}
	for _, q := range d.Goal.Questions {
		state := "open since " + q.AskedAt.Local().Format(time.DateTime)
		if q.Answered {
			state = "answered, under way"
		}
		e.row("question", fmt.Sprintf("%s (%s): %s  [%s]", q.SlotID, q.Type, cell(q.Text, 200), state))
	}
	e.showReceipts(d.Goal.Answers)
	e.row("trouble", d.Goal.Trouble)
}

func (e *Env) showGoalOutcome(o goalOutcome) {
	e.row("job", o.JobSpecID)
	e.row("result", o.Status)
	for _, output := range o.Outputs {
		e.row("output", fmt.Sprintf("%s  %s  sha256 %s", output.Path, bytesText(output.Size), output.SHA256))
	}
	for _, missing := range o.Missing {
		e.row("missing", missing)
	}
	e.showReceipts(o.Answers)
	e.row("message", o.Message)
	if o.Error != nil {
		e.row("error", o.Error.Code+": "+o.Error.Message)
	}
}

func (e *Env) showReceipts(receipts []questions.Receipt) {
	for _, r := range receipts {
		e.row("answer", receiptLine(r))
	}
}

// receiptLine is who said what, when, through what, and what became of it.
func receiptLine(r questions.Receipt) string {
	text := fmt.Sprintf("%s=%s  %s", r.SlotID, cell(said(r), 60), r.Verdict)
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

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
