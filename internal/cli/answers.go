package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const channelCLI = "cli"

// questionFilter picks questions of runs that wait. Empty members pick all.
type questionFilter struct {
	goal      string // its id, what stands after the dot of it, or its text
	slot      string
	forWhom   string
	text      string // a part of the question, in any case
	key       string
	olderThan time.Duration
}

func (f *questionFilter) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.goal, "goal", "", "only of this goal")
	cmd.Flags().StringVar(&f.forWhom, "for", "", "only what was escalated to this one")
	cmd.Flags().StringVar(&f.text, "text", "", "only questions that hold this text")
	cmd.Flags().DurationVar(&f.olderThan, "older-than", 0, "only what waits longer, such as 24h")
}

func (f *questionFilter) picks(memo questions.Memo, q questions.MemoQuestion) bool {
	return (f.goal == "" || memo.Goal == f.goal || strings.HasSuffix(memo.Goal, "."+f.goal)) &&
		(f.slot == "" || q.SlotID == f.slot) &&
		(f.forWhom == "" || q.For == f.forWhom) &&
		(f.key == "" || q.Key == f.key) &&
		strings.Contains(strings.ToLower(q.Text), strings.ToLower(f.text)) &&
		time.Since(q.AskedAt) >= f.olderThan
}

// answerRequest is a slots answer command as typed.
type answerRequest struct {
	note     string
	by       string
	answerID string
	early    bool
	allRuns  bool
	yes      bool
	filter   questionFilter
	asJSON   bool
}

func (r answerRequest) answer(slot string, value json.RawMessage) questions.Answer {
	return questions.Answer{SlotID: slot, Value: value, AnswerID: r.answerID, AnsweredBy: r.by, Channel: channelCLI, Note: r.note, Asked: !r.early}
}

// given is what --json prints for an answer. Without a verdict the answer is kept and not judged yet.
type given struct {
	WorkflowID string `json:"workflow_id"`
	questions.Receipt
	Error string `json:"error,omitempty"`
}

// give sends one answer and tells its verdict. An answer that does not count is a fault that is told already.
func (e *Env) give(ctx context.Context, s *Session, id string, answer questions.Answer, asJSON bool) error {
	receipt, err := s.runs().Answer(ctx, id, answer)
	return e.printVerdict(id, receipt, err, asJSON)
}

func (e *Env) printVerdict(id string, receipt questions.Receipt, err error, asJSON bool) error {
	var refused *runs.RefusedError
	kept := errors.Is(err, runs.ErrNoVerdict)
	if err != nil && !kept && !errors.As(err, &refused) {
		if asJSON {
			return errors.Join(e.printJSON(given{WorkflowID: id, Receipt: receipt, Error: err.Error()}), answerFault(err))
		}
		return answerFault(err)
	}
	switch {
	case asJSON:
		if err := e.printJSON(given{WorkflowID: id, Receipt: receipt}); err != nil {
			return err
		}
	case kept:
		e.printf("%s: %s: %v (answer %s)", id, receipt.SlotID, runs.ErrNoVerdict, receipt.AnswerID)
	case receipt.Reason != "":
		e.printf("%s: %s: %s: %s", id, receipt.SlotID, receipt.Verdict, receipt.Reason)
	default:
		e.printf("%s: %s: %s", id, receipt.SlotID, receipt.Verdict)
	}
	switch receipt.Verdict {
	case questions.VerdictConflict, questions.VerdictInvalid, questions.VerdictLate:
		return &Failure{Code: ExitUsage}
	default:
		return nil
	}
}

// answerFault sorts a fault of answering: of what was typed, or of the way to Temporal.
func answerFault(err error) error {
	if errors.Is(err, runs.ErrNoSuchRun) || errors.Is(err, runs.ErrEnded) {
		return &Failure{Code: ExitUsage, Err: err}
	}
	return APIError(err)
}

// worst joins what was not told yet under the highest exit code.
func worst(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	code := ExitUsage
	var untold []error
	for _, fault := range faults {
		var failure *Failure
		if !errors.As(fault, &failure) {
			return fault
		}
		code = max(code, failure.Code)
		if failure.Err != nil {
			untold = append(untold, failure.Err)
		}
	}
	return &Failure{Code: code, Err: errors.Join(untold...)}
}

// printQuestions prints each question with the command that answers it.
func (e *Env) printQuestions(id string, questions []questions.Question) {
	for _, q := range questions {
		e.printf("%s (%s): %s", q.SlotID, q.Type, q.Text)
		e.printOptions(q)
		if limits := q.Limits(); limits != "" {
			e.printf("  %s", term.Cell(limits, 200))
		}
		e.printf("  %s slots answer %s %s", e.Program, id, shellWord(q.SlotID+"="+exampleOf(q)))
	}
}

// lineOfOptions is how long a line of options may be, in bytes; more are listed by their numbers.
const lineOfOptions = 100

func (e *Env) printOptions(q questions.Question) {
	switch line := q.Offers(); {
	case line == "":
	case len(line) <= lineOfOptions:
		e.printf("  one of: %s", line)
	default:
		e.listOptions(q)
	}
}

// exampleOf is something that could be typed: numbers where the options are long.
func exampleOf(q questions.Question) string {
	example := q.Example()
	if numbers := q.Numbers(q.Suggested); len(example) > lineOfOptions && numbers != "" {
		return strings.ReplaceAll(numbers, ", ", ",")
	}
	return example
}

// shellWord quotes a word where a shell would not take it as it is.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-=./,:@+", r)
	}
	if strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
