package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// lossRequest is what becomes of outputs in which a loss is measured, as typed.
type lossRequest struct {
	onLoss     string
	deadline   time.Duration
	onDeadline string
}

func (l *lossRequest) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&l.onLoss, "on-loss", questions.OnLossKeep, "an output in which --check finds a loss: keep it with a warning, or ask in the inbox first (--check fail refuses it)")
	durationVar(flags, &l.deadline, "deadline", 0, "with --on-loss ask: do not wait for an answer longer, such as 72h")
	flags.StringVar(&l.onDeadline, "on-deadline", "", "with --deadline: refuse the output (default), or keep it")
}

func (l lossRequest) asks() bool { return l.onLoss == questions.OnLossAsk }

// fault is what is wrong with what was typed.
func (l lossRequest) fault(check string) error {
	switch {
	case l.onLoss == option.CheckFail:
		return errors.New("--on-loss fail is --check fail")
	case !l.asks() && l.onLoss != "" && l.onLoss != questions.OnLossKeep:
		return notOneOf("on-loss", l.onLoss, []string{questions.OnLossKeep, questions.OnLossAsk})
	case l.deadline < 0:
		return fmt.Errorf("--deadline must be 0 or more, got %s", l.deadline)
	case l.deadline > 0 && !l.asks():
		return errors.New("--deadline is for --on-loss ask; nothing else asks")
	case l.onDeadline != "" && l.deadline == 0:
		return errors.New("--on-deadline needs --deadline")
	case l.onDeadline != "" && l.onDeadline != questions.LossRefuse && l.onDeadline != questions.LossKeep:
		return notOneOf("on-deadline", l.onDeadline, []string{questions.LossRefuse, questions.LossKeep})
	case l.asks() && (check == option.CheckOff || check == option.CheckFail):
		return fmt.Errorf("--on-loss ask asks about what the check finds; it does not go with --check %s", check)
	}
	return nil
}

// read checks what was typed, has outputs compared where people are to be asked, and returns what a run is given.
func (l lossRequest) read(o *conversionOptions) (onLoss string, policy questions.Policy, err error) {
	check := o.values[option.NameCheck]
	if err := l.fault(check); err != nil || !l.asks() {
		return "", policy, err
	}

	if check == "" {
		if o.values == nil {
			o.values = option.Values{}
		}
		o.values[option.NameCheck] = option.CheckWarn // named, so that a service that compares nothing refuses it
	}
	policy.Deadline = workflows.Duration(l.deadline)
	if l.onDeadline == questions.LossKeep {
		policy.OnDeadline, policy.Default = questions.DeadlineDefault, []byte(`"`+questions.LossKeep+`"`)
	}
	return l.onLoss, policy, nil
}

// questionsShown is how many questions of a run are printed at once.
const questionsShown = 5

// followAsking is follow for runs that may ask about losses. They are answered elsewhere: there may be many, and the documents are
// to be looked at.
func (e *Env) followAsking(ctx context.Context, s *Session, all []*watched, asJSON bool) ([]result, error) {
	asked, end := lookForQuestions(ctx, s, all, map[string]bool{}, func(now pending) error {
		e.printWaiting(now)
		return nil
	})
	defer end()
	return e.follow(ctx, s, all, asJSON, asked)
}

// printWaiting prints some of the questions of a run that were not printed before, and where the others are.
func (e *Env) printWaiting(now pending) {
	e.printf("%s waits for answers:", now.id)
	shown := now.fresh[:min(len(now.fresh), questionsShown)]
	e.printQuestions(now.id, shown)
	if more := len(now.open) - len(shown); more > 0 {
		e.printf("and for %d more, see '%s runs show %s'", more, e.Program, now.id)
	}
}
