package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
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
	durationVar(cmd.Flags(), &f.olderThan, "older-than", 0, "only what waits longer, such as 24h")
}

func (f *questionFilter) picks(memo questions.Memo, q questions.MemoQuestion) bool {
	return (f.goal == "" || memo.Goal == f.goal || strings.HasSuffix(memo.Goal, "."+f.goal)) &&
		(f.slot == "" || q.SlotID == f.slot || f.slot == questions.SlotLoss && questions.IsLoss(q.SlotID)) &&
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

// give sends answers and reports their verdicts once all are sent: the service gets them together. An answer that does not
// count is a fault that is reported already.
func (e *Env) give(ctx context.Context, s *Session, id string, answers []questions.Answer, asJSON bool) error {
	receipts, errs := make([]questions.Receipt, len(answers)), make([]error, len(answers))
	for i, answer := range answers {
		receipts[i], errs[i] = s.runs().Answer(ctx, id, answer)
	}
	var faults []error
	for i, receipt := range receipts {
		if errs[i] == nil {
			receipt = delivered(ctx, s, id, receipt)
		}
		if err := e.printVerdict(id, receipt, errs[i], asJSON); err != nil {
			faults = append(faults, err)
		}
	}
	return worst(faults)
}

const (
	deliveryWithin = 5 * time.Second
	deliveryEvery  = 200 * time.Millisecond
)

// delivered waits for a moment until the service has taken or refused an answer that counts, unless the run waits for other
// answers first.
func delivered(ctx context.Context, s *Session, id string, receipt questions.Receipt) questions.Receipt {
	ctx, cancel := context.WithTimeout(ctx, deliveryWithin)
	defer cancel()
	ticker := time.NewTicker(deliveryEvery)
	defer ticker.Stop()
	for receipt.Verdict == questions.VerdictAccepted && receipt.DeliveredAt == nil {
		// The questions come first: a refused answer opens its own again, which is no other that the run waits for.
		open, err := s.runs().Questions(ctx, id)
		if err != nil {
			return receipt
		}
		ledger, err := s.runs().Answers(ctx, id)
		if err != nil {
			return receipt
		}
		if at := slices.IndexFunc(ledger, func(r questions.Receipt) bool { return r.AnswerID == receipt.AnswerID }); at >= 0 {
			receipt = ledger[at]
		}
		if slices.ContainsFunc(open, func(q questions.Question) bool { return q.Required && !q.Answered && !questions.Own(q.SlotID) }) {
			return receipt
		}
		select {
		case <-ctx.Done():
			return receipt
		case <-ticker.C:
		}
	}
	return receipt
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
	case receipt.Verdict == questions.VerdictAccepted && receipt.DeliveredAt == nil:
		e.printf("%s: %s: answered; it is accepted once the service has taken it, see '%s runs show %s'", id, receipt.SlotID, e.Program, id)
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
		if credits := aboutCredits(q); credits != "" {
			e.printf("  %s", credits)
		}
		e.printLoss(q)
		e.printOptions(q)
		if limits := q.Limits(); limits != "" {
			e.printf("  %s", term.Cell(limits, 200))
		}
		e.printf("  %s slots answer %s %s", e.Program, id, shellWord(q.SlotID+"="+exampleOf(q)))
	}
}

// aboutCredits is what a question about money has beside its text: what is there before anything is refused, and where there is
// more. The numbers of a refusal are in the text.
func aboutCredits(q questions.Question) string {
	switch c := q.Credits; {
	case c == nil:
		return ""
	case c.TopUpURL != "":
		return "credits or a plan: " + c.TopUpURL
	case c.Have != nil && c.Need == nil:
		return fmt.Sprintf("the account has %s", term.Plural(int(*c.Have), "credit", "credits"))
	default:
		return ""
	}
}

// lossLines are where both documents are, so that they can be compared.
func lossLines(q questions.Question) []string {
	if q.Loss == nil {
		return nil
	}
	lines := []string{"source: " + pathOfURL(q.Loss.Source)}
	for _, file := range q.Loss.Held.Files {
		lines = append(lines, fmt.Sprintf("output: %s, to be %s", filepath.Join(pathOfURL(q.Loss.Folder), file.Part), file.Name))
	}
	return lines
}

func (e *Env) printLoss(q questions.Question) {
	for _, line := range lossLines(q) {
		e.printf("  %s", line)
	}
}

// pathOfURL is the path of a file:// URL, and any other text as it is.
func pathOfURL(text string) string {
	if at, err := url.Parse(text); err == nil && at.Scheme == "file" {
		return at.Path
	}
	return text
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

// listOptions lists what can be picked by its numbers.
func (e *Env) listOptions(q questions.Question) {
	for i, option := range q.Options {
		text := cmp.Or(option.Label, option.Value)
		if typed := q.Typed(option.Value); typed != text && typed == option.Value {
			text = fmt.Sprintf("%s (%s)", text, typed)
		}
		e.printf("  %d. %s", i+1, text)
	}
	if q.FreeText != "" {
		e.printf("  or %s", q.FreeText)
	}
}
