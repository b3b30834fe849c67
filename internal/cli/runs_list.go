package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// runRow is a run in a list.
type runRow struct {
	WorkflowID string     `json:"workflow_id"`
	RunID      string     `json:"run_id"`
	Lane       string     `json:"lane"`
	Status     string     `json:"status"`
	Source     string     `json:"source"`
	Target     string     `json:"target"`
	StartedAt  time.Time  `json:"started_at"`
	ClosedAt   *time.Time `json:"closed_at"`
	Labels     []string   `json:"labels,omitempty"`
}

func rowOf(r runs.Run) runRow {
	row := runRow{
		WorkflowID: r.ID, RunID: r.RunID, Lane: workflows.LaneTurbo, Status: r.State(),
		Source: shownName(r), Target: r.Target, StartedAt: r.StartedAt, ClosedAt: r.ClosedAt, Labels: r.Labels,
	}
	if r.Kind != nil {
		row.Lane = r.Kind.Lane
	}
	return row
}

func (r runRow) took() string {
	if r.ClosedAt == nil {
		return "-"
	}
	return term.Span(r.ClosedAt.Sub(r.StartedAt))
}

func newRunsList(env *Env) *cobra.Command {
	var state, lane string
	var picked labels
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List runs, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 1000 {
				return Usagef("--limit %d is not a number from 1 to 1000", limit)
			}
			switch state {
			case "", workflows.StateRunning, workflows.StateWaiting, workflows.StatePaused, workflows.StateCompleted, workflows.StateFailed, workflows.StateCancelled:
			default:
				return Usagef("--state %q is not running, waiting, paused, completed, failed or cancelled", state)
			}
			filter := runs.Filter{State: state, Labels: picked}
			if lane != "" {
				kind := runs.KindOfLane(lane)
				if kind == nil {
					return Usagef("--lane %q is not turbo, goal, batch or watch", lane)
				}
				filter.Kinds = []*runs.Kind{kind}
			}
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				found, err := s.runs().List(ctx, filter, limit)
				if err != nil {
					return err
				}
				rows := make([]runRow, 0, len(found))
				for _, r := range found {
					rows = append(rows, rowOf(r))
				}
				return printList(env, runListOf(rows), rows, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only runs that are running (waiting and paused ones too), waiting, paused, completed, failed or cancelled")
	cmd.Flags().StringVar(&lane, "lane", "", "only conversions (turbo), goals (goal), batches (batch) or watched folders (watch)")
	cmd.Flags().StringArrayVar((*[]string)(&picked), "label", nil, "only runs with this label; with several, only runs that have all of them")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a run")
	return cmd
}

var runList = list[runRow]{
	none: "no runs", whole: []string{"RUN", "STARTED", "TOOK"}, heading: []string{"RUN", "STATUS", "LANE", "FILE", "TO", "STARTED", "TOOK"},
	cells: func(r runRow) []string {
		return []string{r.WorkflowID, r.Status, r.Lane, term.Cell(r.Source, 32), term.Cell(r.Target, 32), term.Moment(r.StartedAt, time.Now()), r.took()}
	},
}

// runListOf has a column of labels where there are any.
func runListOf(rows []runRow) list[runRow] {
	if !slices.ContainsFunc(rows, func(r runRow) bool { return len(r.Labels) > 0 }) {
		return runList
	}
	labelled := runList
	labelled.heading = append(slices.Clone(runList.heading), "LABELS")
	labelled.cells = func(r runRow) []string {
		return append(runList.cells(r), orDash(term.Cell(strings.Join(r.Labels, ", "), 60)))
	}
	return labelled
}
