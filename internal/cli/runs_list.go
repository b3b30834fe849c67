package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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
	Status     string     `json:"status"` // one of runs.States
	Source     string     `json:"source"`
	Target     string     `json:"target"`
	StartedAt  time.Time  `json:"started_at"`
	ClosedAt   *time.Time `json:"closed_at"`
	Labels     []string   `json:"labels,omitempty"`
	// Trouble is why it does not come on: steps that are tried again and again, or that no worker takes.
	Trouble []runs.Trouble `json:"trouble,omitempty"`
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

var lanes = runs.Lanes()

// runsRequest is a runs list command as typed.
type runsRequest struct {
	state, lane, name string
	since             moment
	picked            labels
	limit, page       int
}

func (r *runsRequest) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&r.state, "state", "", "only runs that are running (waiting and paused ones too), waiting, paused, completed (partial and stopped ones too, and cancelled goals),\n"+
		"partial (a batch in which files failed), stopped, failed, cancelled, terminated or timedout")
	flags.StringVar(&r.lane, "lane", "", "only conversions (turbo), goals (goal), batches (batch) or watched folders (watch)")
	flags.StringVar(&r.name, "name", "", "only runs whose name or id holds this text")
	flags.Var(&r.since, "since", "only runs that were started since then: a date, or how long ago, such as 3d")
	flags.StringArrayVar((*[]string)(&r.picked), "label", nil, "only runs with this label; with several, only runs that have all of them")
	flags.IntVar(&r.limit, "limit", 50, "at most so many")
	flags.IntVar(&r.page, "page", 1, "which so many: 2 is what follows the first --limit runs")
}

func (r *runsRequest) filter() (runs.Filter, error) {
	if r.limit < 1 || r.limit > 1000 {
		return runs.Filter{}, Usagef("--limit %d is not a number from 1 to 1000", r.limit)
	}
	if r.page < 1 || r.page > 1_000_000 {
		return runs.Filter{}, Usagef("--page %d is not a number from 1 to 1000000", r.page)
	}
	if r.state != "" && !slices.Contains(runs.States, r.state) {
		return runs.Filter{}, notOneOf("state", r.state, runs.States)
	}
	f := runs.Filter{State: r.state, Labels: r.picked, Name: r.name, Since: r.since.Time}
	if r.lane != "" {
		kind := runs.KindOfLane(r.lane)
		if kind == nil {
			return runs.Filter{}, notOneOf("lane", r.lane, lanes)
		}
		f.Kinds = []*runs.Kind{kind}
	}
	return f, nil
}

func newRunsList(env *Env) *cobra.Command {
	var r runsRequest
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List runs, newest first", Args: cobra.NoArgs,
		Example: "  " + env.Program + " runs list --since 3d --state partial\n" +
			"  " + env.Program + " runs list --name contract --limit 20 --page 2",
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := r.filter()
			if err != nil {
				return err
			}
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				page, err := s.runs().Page(ctx, filter, r.page, r.limit)
				if err != nil {
					return err
				}
				rows := make([]runRow, 0, len(page.Runs))
				troubles := env.troubles(ctx, s, page.Runs)
				for _, run := range page.Runs {
					row := rowOf(run)
					row.Trouble = troubles[run.ID]
					rows = append(rows, row)
				}
				if err := printList(env, runListOf(rows, page), rows, asJSON); err != nil {
					return err
				}
				env.printRest(r, page)
				return nil
			})
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a run")
	return cmd
}

// printRest says how many of the runs were listed, and how to see more, where that were not all.
func (e *Env) printRest(r runsRequest, page runs.Page) {
	total := strconv.Itoa(page.Total)
	if page.More {
		total = "at least " + total
	}
	switch seen := (r.page - 1) * r.limit; {
	case len(page.Runs) == 0 || len(page.Runs) == page.Total && !page.More:
	case seen+len(page.Runs) < page.Total:
		e.printf("%d of %s runs; --page %d has the next", len(page.Runs), total, r.page+1)
	default:
		e.printf("%d of %s runs; this is the last page", len(page.Runs), total)
	}
}

var runList = list[runRow]{
	none: "no runs", whole: []string{"RUN", "STARTED", "TOOK"}, heading: []string{"RUN", "STATUS", "LANE", "FILE", "TO", "STARTED", "TOOK"},
	cells: func(r runRow) []string {
		return []string{r.WorkflowID, r.Status, r.Lane, term.Fold(r.Source), term.Fold(r.Target), term.Moment(r.StartedAt, time.Now()), r.took()}
	},
}

// runListOf has columns of trouble and of labels where there are any.
func runListOf(rows []runRow, page runs.Page) list[runRow] {
	l := runList
	if len(rows) == 0 && page.Total > 0 {
		l.none = fmt.Sprintf("no runs on this page; there are %d", page.Total)
	}
	if slices.ContainsFunc(rows, func(r runRow) bool { return len(r.Trouble) > 0 }) {
		l = l.with("TROUBLE", func(r runRow) string { return troubleMark(r.Trouble) })
	}
	if slices.ContainsFunc(rows, func(r runRow) bool { return len(r.Labels) > 0 }) {
		l = l.with("LABELS", func(r runRow) string { return orDash(term.Fold(strings.Join(r.Labels, ", "))) })
	}
	return l
}
