package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func newSlots(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "slots", Short: "List and answer the questions of goals", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSlotsList(env), newSlotsAnswer(env))
	return cmd
}

// slotRow is a question in a list.
type slotRow struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
	Goal       string `json:"goal"`
	Name       string `json:"name"` // of the run
	questions.MemoQuestion
	more int // questions of the run that its memo does not show, on its last row
}

func newSlotsList(env *Env) *cobra.Command {
	var f questionFilter
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List what runs wait for, the longest first", Args: cobra.NoArgs,
		Example: "  " + env.Program + " slots list --older-than 24h\n" +
			"  " + env.Program + " slots list --goal document_binder --slot title --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > waitingRuns {
				return Usagef("--limit %d is not a number from 1 to %d", limit, waitingRuns)
			}
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				waiting, err := s.runs().Waiting(ctx, waitingRuns)
				if err != nil {
					return err
				}
				return printList(env, slotList, slotRows(waiting, f, limit), asJSON)
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&f.slot, "slot", "", "only this slot")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a question")
	return cmd
}

func slotRows(waiting []runs.Run, f questionFilter, limit int) []slotRow {
	var rows []slotRow
	for _, run := range waiting {
		for i, q := range run.Memo.Questions {
			if !f.picks(run.Memo, q) {
				continue
			}
			if len(rows) == limit {
				return rows
			}
			row := slotRow{WorkflowID: run.ID, RunID: run.RunID, Goal: run.Memo.Goal, Name: cmp.Or(run.Memo.Name, run.Name), MemoQuestion: q}
			if i == len(run.Memo.Questions)-1 {
				row.more = run.Memo.More
			}
			rows = append(rows, row)
		}
	}
	return rows
}

var slotList = list[slotRow]{
	none: "no questions are open", whole: []string{"RUN", "SLOT"}, heading: []string{"WAITING", "FOR", "NAME", "RUN", "SLOT", "QUESTION", "UNTIL"},
	cells: func(r slotRow) []string {
		text, until := term.Fold(r.Text), "-"
		if r.Refused != "" {
			text = fmt.Sprintf("(answer refused: %s) %s", strings.TrimRight(term.Fold(r.Refused), "."), text)
		}
		if r.more > 0 {
			text += fmt.Sprintf(" (and %d more, see runs show)", r.more)
		}
		if r.Deadline != nil {
			until = r.Deadline.Local().Format("2006-01-02 15:04")
		}
		return []string{term.Age(time.Since(r.AskedAt)), orDash(term.Fold(r.For)), orDash(term.Fold(r.Name)), term.Fold(r.WorkflowID), term.Fold(r.SlotID), text, until}
	},
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
	pairs := args[1:]
	if len(pairs) == 0 && !e.mayAsk() {
		return Usagef("cannot ask: stdin is not a terminal; write SLOT=VALUE")
	}
	d, err := describe(ctx, s, args[0])
	if err != nil {
		return err
	}
	id := d.ID
	questions, err := s.runs().Questions(ctx, id)
	if err == nil && len(questions) == 0 {
		err = stillRuns(ctx, s, id)
	}
	if err != nil {
		return answerFault(err)
	}
	if len(pairs) == 0 {
		return e.answerByAsking(ctx, s, r, id, questions)
	}
	answers, err := r.answers(id, pairs, questions)
	if err != nil {
		return err
	}
	return e.give(ctx, s, id, answers, r.asJSON)
}

// stillRuns tells a run that has ended, which can be asked for its questions as well, from one that asks nothing.
func stillRuns(ctx context.Context, s *Session, id string) error {
	d, err := s.runs().Describe(ctx, id)
	if err != nil {
		return err
	}
	if !d.Open() {
		return fmt.Errorf("%s: %w", id, runs.ErrEnded)
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

// parseValue reads what somebody typed as an answer. Only here can a path become a file: that of a slot of files, and
// @PATH for a slot whose type is not known.
func parseValue(s slot.Slot, text string) (json.RawMessage, error) {
	if s.Type == slot.File || strings.HasPrefix(text, "@") && !s.Type.Known() {
		return fileValue(text)
	}
	return s.Parse(text)
}

// fileIDPrefix begins the service's ids of files.
const fileIDPrefix = "file_"

// fileValue is a file:// URL or a file id, or a list of them where several stand with commas.
func fileValue(text string) (json.RawMessage, error) {
	if _, err := os.Stat(strings.TrimPrefix(text, "@")); err == nil || !strings.Contains(text, ",") {
		one, err := oneFile(text)
		if err != nil {
			return nil, err
		}
		return json.Marshal(one)
	}
	var many []string
	for part := range strings.SplitSeq(text, ",") {
		one, err := oneFile(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		many = append(many, one)
	}
	return json.Marshal(many)
}

func oneFile(text string) (string, error) {
	path := strings.TrimPrefix(text, "@")
	if at, err := url.Parse(path); err == nil && at.Scheme == "file" {
		path = at.Path
	}
	if path == "" {
		return "", errors.New("no file is named")
	}
	absolute, err := readableFile(path)
	if err == nil {
		return fileURL(absolute), nil
	}
	if path == text && strings.HasPrefix(text, fileIDPrefix) && !strings.ContainsAny(text, "/.") {
		return text, nil
	}
	return "", err
}
