package cli

import (
	"context"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// waitingRuns bounds how many runs that wait are looked through.
const waitingRuns = 10000

func newSlots(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "slots", Short: "List and answer the questions of goals", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSlotsList(env), newSlotsAnswer(env))
	return cmd
}

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

// slotRow is a question in a list.
type slotRow struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
	Goal       string `json:"goal"`
	Name       string `json:"name"`
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
				runs, err := s.desk().Waiting(ctx, waitingRuns)
				if err != nil {
					return err
				}
				return printList(env, slotList, slotRows(runs, f, limit), asJSON)
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&f.slot, "slot", "", "only this slot")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a question")
	return cmd
}

func slotRows(runs []answering.Run, f questionFilter, limit int) []slotRow {
	var rows []slotRow
	for _, run := range runs {
		for i, q := range run.Memo.Questions {
			if !f.picks(run.Memo, q) {
				continue
			}
			if len(rows) == limit {
				return rows
			}
			row := slotRow{WorkflowID: run.WorkflowID, RunID: run.RunID, Goal: run.Memo.Goal, Name: run.Memo.Name, MemoQuestion: q}
			if i == len(run.Memo.Questions)-1 {
				row.more = run.Memo.More
			}
			rows = append(rows, row)
		}
	}
	return rows
}

var slotList = list[slotRow]{
	none: "no questions are open", whole: []string{"RUN", "SLOT"}, heading: []string{"WAITING", "FOR", "RUN", "SLOT", "QUESTION", "UNTIL"},
	cells: func(r slotRow) []string {
		text, until := cell(r.Text, 60), "-"
		if r.more > 0 {
			text += fmt.Sprintf(" (and %d more, see runs show)", r.more)
		}
		if r.Deadline != nil {
			until = r.Deadline.Local().Format("2006-01-02 15:04")
		}
		return []string{waited(time.Since(r.AskedAt)), orDash(cell(r.For, 20)), cell(r.WorkflowID, 80), cell(r.SlotID, 30), text, until}
	},
}

// userName is by whom answers are given where nobody says so.
func (e *Env) userName() string {
	if known, err := user.Current(); err == nil {
		return known.Username
	}
	if e.Getenv == nil {
		return ""
	}
	return e.Getenv("USER")
}
