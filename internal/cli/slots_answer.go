package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const channelCLI = "cli"

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

func newSlotsAnswer(env *Env) *cobra.Command {
	var r answerRequest
	cmd := &cobra.Command{
		Use:   "answer RUN [SLOT=VALUE...] | answer --all-runs SLOT=VALUE",
		Short: "Answer the questions of a run, or of all runs that ask the same",
		Long: "A choice is answered by value, label or number, several choices with commas; a file by path; yes or no; a date as\n" +
			"YYYY-MM-DD. Without SLOT=VALUE every open question is asked here, one after the other.\n\n" +
			"Each answer gets a verdict. One that does not count (conflict, invalid, late) ends the command with 1; one that no\n" +
			"worker has judged yet is kept, which is 0.",
		Example: "  " + env.Program + " slots answer goal-document-binder-0123456789ab\n" +
			"  " + env.Program + " slots answer goal-document-binder-0123456789ab title='Minutes of May' order=1,3,2 logo=@logo.png\n" +
			"  " + env.Program + " slots answer --all-runs title=Minutes --goal document_binder --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(args); err != nil {
				return err
			}
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error { return env.answer(ctx, s, r, args) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.note, "note", "", "a remark that is kept with the answer")
	flags.StringVar(&r.by, "by", env.userName(), "who answers")
	flags.StringVar(&r.answerID, "answer-id", "", "makes repeats harmless: the same id gets its first verdict again")
	flags.BoolVar(&r.early, "early", false, "answer what is not asked yet")
	flags.BoolVar(&r.allRuns, "all-runs", false, "answer every run that asks the same")
	flags.StringVar(&r.filter.key, "key", "", "with --all-runs: which question, where runs ask several under one slot")
	flags.BoolVar(&r.yes, "yes", false, "with --all-runs: do not ask whether so many are meant")
	flags.BoolVar(&r.asJSON, "json", false, "print one JSON object an answer")
	r.filter.flags(cmd)
	return cmd
}

func (r answerRequest) check(args []string) error {
	pairs := args
	if !r.allRuns {
		if len(args) == 0 || strings.Contains(args[0], "=") {
			return Usagef("name a run; 'slots list' lists those that wait")
		}
		if r.filter != (questionFilter{}) || r.yes {
			return Usagef("--goal, --for, --text, --older-than, --key and --yes go with --all-runs")
		}
		pairs = args[1:]
	} else if len(args) != 1 || r.early {
		return Usagef("--all-runs takes one SLOT=VALUE and no --early")
	}
	if r.answerID != "" && len(pairs) != 1 {
		return Usagef("--answer-id goes with one SLOT=VALUE")
	}
	for _, pair := range pairs {
		if slot, _, ok := strings.Cut(pair, "="); !ok || slot == "" {
			return Usagef("%q is not SLOT=VALUE", pair)
		}
	}
	return nil
}

func (e *Env) answer(ctx context.Context, s *Session, r answerRequest, args []string) error {
	if r.allRuns {
		return e.answerAllRuns(ctx, s, r, args[0])
	}
	id, pairs := args[0], args[1:]
	if len(pairs) == 0 && !e.mayAsk() {
		return Usagef("nobody can be asked here, as stdin is no terminal; write SLOT=VALUE")
	}
	questions, err := s.desk().Questions(ctx, id)
	if err == nil && len(questions) == 0 {
		err = stillRuns(ctx, s, id)
	}
	if err != nil {
		return deskFault(err)
	}
	if len(pairs) == 0 {
		return e.answerByAsking(ctx, s, r, id, questions)
	}
	answers, err := r.answers(id, pairs, questions)
	if err != nil {
		return err
	}
	var faults []error
	for _, answer := range answers {
		if err := e.give(ctx, s, id, answer, r.asJSON); err != nil {
			faults = append(faults, err)
		}
	}
	return worst(faults)
}

// stillRuns tells a run that has ended, which can be asked for its questions as well, from one that asks nothing.
func stillRuns(ctx context.Context, s *Session, id string) error {
	info, err := describe(ctx, s, id)
	if err != nil {
		return err
	}
	if stateOf(info.GetWorkflowExecutionInfo()) != workflows.StateRunning {
		return fmt.Errorf("%s: %w", id, answering.ErrEnded)
	}
	return nil
}

// answers reads all values before anything is sent.
func (r answerRequest) answers(id string, pairs []string, open []questions.Question) ([]questions.Answer, error) {
	var answers []questions.Answer
	var faults []error
	for _, pair := range pairs {
		slotID, text, _ := strings.Cut(pair, "=")
		at := slices.IndexFunc(open, func(q questions.Question) bool { return q.SlotID == slotID })
		var value json.RawMessage
		var err error
		switch {
		case at >= 0:
			value, err = parseValue(open[at].Slot, text)
		case r.early:
			value, err = parseValue(slot.Slot{}, text)
		default:
			err = fmt.Errorf("%s does not ask this; open: %s; --early answers what is not asked yet", id, openSlots(open))
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", slotID, err))
			continue
		}
		answers = append(answers, r.answer(slotID, value))
	}
	if len(faults) > 0 {
		return nil, &Failure{Code: ExitUsage, Err: errors.Join(faults...)}
	}
	return answers, nil
}

func (r answerRequest) answer(slot string, value json.RawMessage) questions.Answer {
	return questions.Answer{SlotID: slot, Value: value, AnswerID: r.answerID, AnsweredBy: r.by, Channel: channelCLI, Note: r.note}
}

func openSlots(questions []questions.Question) string {
	var slots []string
	for _, q := range questions {
		slots = append(slots, q.SlotID)
	}
	if len(slots) == 0 {
		return "nothing"
	}
	return strings.Join(slots, ", ")
}

// given is what --json prints for an answer. Without a verdict the answer is kept and not judged yet.
type given struct {
	WorkflowID string `json:"workflow_id"`
	questions.Receipt
	Error string `json:"error,omitempty"`
}

// give sends one answer and tells its verdict. An answer that does not count is a fault that is told already.
func (e *Env) give(ctx context.Context, s *Session, id string, answer questions.Answer, asJSON bool) error {
	receipt, err := s.desk().Answer(ctx, id, answer)
	return e.tellVerdict(id, receipt, err, asJSON)
}

func (e *Env) tellVerdict(id string, receipt questions.Receipt, err error, asJSON bool) error {
	var refused *answering.RefusedError
	kept := errors.Is(err, answering.ErrNoVerdict)
	if err != nil && !kept && !errors.As(err, &refused) {
		if asJSON {
			return errors.Join(e.printJSON(given{WorkflowID: id, Receipt: receipt, Error: err.Error()}), deskFault(err))
		}
		return deskFault(err)
	}
	switch {
	case asJSON:
		if err := e.printJSON(given{WorkflowID: id, Receipt: receipt}); err != nil {
			return err
		}
	case kept:
		e.say("%s: %s: %v (answer %s)", id, receipt.SlotID, answering.ErrNoVerdict, receipt.AnswerID)
	case receipt.Reason != "":
		e.say("%s: %s: %s: %s", id, receipt.SlotID, receipt.Verdict, receipt.Reason)
	default:
		e.say("%s: %s: %s", id, receipt.SlotID, receipt.Verdict)
	}
	switch receipt.Verdict {
	case questions.VerdictConflict, questions.VerdictInvalid, questions.VerdictLate:
		return &Failure{Code: ExitUsage}
	default:
		return nil
	}
}

// deskFault sorts a fault of answering: of what was typed, or of the way to Temporal.
func deskFault(err error) error {
	if errors.Is(err, answering.ErrNoSuchRun) || errors.Is(err, answering.ErrEnded) {
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
