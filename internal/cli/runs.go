package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

func newRuns(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List, show, watch, steer and cancel runs",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRunsList(env), newRunsShow(env), newRunsWatch(env), newRunsCancel(env))
	cmd.AddCommand(newRunsPause(env), newRunsResume(env), newRunsSetConcurrency(env), newRunsRetry(env))
	cmd.AddCommand(newRunsReport(env), newRunsVerify(env))
	return cmd
}

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
}

func newRunsList(env *Env) *cobra.Command {
	var state, lane string
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
			switch lane {
			case "", workflows.LaneTurbo, workflows.LaneGoal, workflows.LaneBatch, workflows.LaneWatch:
			default:
				return Usagef("--lane %q is not turbo, goal, batch or watch", lane)
			}
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				rows, err := listRuns(ctx, s, state, lane, limit)
				if err != nil {
					return err
				}
				return printList(env, runList, rows, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only runs that are running (waiting and paused ones too), waiting, paused, completed, failed or cancelled")
	cmd.Flags().StringVar(&lane, "lane", "", "only conversions (turbo), goals (goal), batches (batch) or watched folders (watch)")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a run")
	return cmd
}

// withSession connects, does its work, and takes its errors for the API's.
func (e *Env) withSession(ctx context.Context, work func(context.Context, *Session) error) error {
	session, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	err = work(ctx, session)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return APIError(err)
}

func listRuns(ctx context.Context, s *Session, state, lane string, limit int) ([]runRow, error) {
	infos, err := listInfos(ctx, s, runsQuery(state, lane), limit)
	rows := make([]runRow, 0, len(infos))
	for _, info := range infos {
		rows = append(rows, rowOf(info))
	}
	return rows, err
}

func listInfos(ctx context.Context, s *Session, query string, limit int) ([]*workflow.WorkflowExecutionInfo, error) {
	var infos []*workflow.WorkflowExecutionInfo
	var page []byte
	for len(infos) < limit {
		reply, err := s.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: s.Namespace, Query: query, PageSize: int32(min(limit-len(infos), 200)), NextPageToken: page, //nolint:gosec // at most 200
		})
		if err != nil {
			return nil, fmt.Errorf("list the runs: %w", err)
		}
		infos = append(infos, reply.GetExecutions()...)
		if page = reply.GetNextPageToken(); len(page) == 0 {
			break
		}
	}
	return infos, nil
}

func runsQuery(state, lane string) string {
	single := fmt.Sprintf("WorkflowType IN ('%s', '%s', '%s')", convert.WorkflowType, goal.WorkflowType, watch.WorkflowType)
	batches := fmt.Sprintf("WorkflowType = '%s'", batch.WorkflowType)
	query := fmt.Sprintf("(%s OR %s)", single, batches)
	switch lane {
	case workflows.LaneTurbo:
		query = fmt.Sprintf("WorkflowType = '%s'", convert.WorkflowType)
	case workflows.LaneGoal:
		query = fmt.Sprintf("WorkflowType = '%s'", goal.WorkflowType)
	case workflows.LaneBatch:
		query = batches
	case workflows.LaneWatch:
		query = fmt.Sprintf("WorkflowType = '%s'", watch.WorkflowType)
	}
	switch state {
	case "":
		query += " AND ExecutionStatus != 'ContinuedAsNew'"
	case workflows.StateWaiting, workflows.StatePaused:
		query += fmt.Sprintf(" AND ExecutionStatus = 'Running' AND %s = '%s'", workflows.SearchAttributeState, state)
	default:
		query += fmt.Sprintf(" AND ExecutionStatus = '%s'", executionStatus(state))
	}
	return query
}

// executionStatus is Temporal's word for a state of ours.
func executionStatus(state string) string {
	if state == workflows.StateCancelled {
		return "Canceled"
	}
	return strings.ToUpper(state[:1]) + state[1:]
}

func rowOf(info *workflow.WorkflowExecutionInfo) runRow {
	row := runRow{
		WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(),
		Lane: workflows.LaneTurbo, Status: stateOf(info), StartedAt: info.GetStartTime().AsTime(),
		Source: memoText(info.GetMemo(), memoSource), Target: memoText(info.GetMemo(), memoTarget),
	}
	if isGoal(info) {
		memo := answering.MemoOf(info.GetMemo())
		row.Lane, row.Source, row.Target = workflows.LaneGoal, memo.Name, memo.Goal
		if row.Status == workflows.StateRunning && len(memo.Questions) > 0 {
			row.Status = workflows.StateWaiting
		}
	}
	if isBatch(info) {
		b := batchOf(info)
		row.Lane, row.Source, row.Target = workflows.LaneBatch, cmp.Or(b.input.Name, b.source), b.input.Spec.To
		row.tell(info)
	}
	if isWatch(info) {
		w := watchOf(info)
		row.Lane, row.Source, row.Target = workflows.LaneWatch, w.label(), w.input.Spec.To
		row.tell(info)
	}
	if payload := sealing.SealedMemo(info.GetMemo()); payload != nil {
		row.Source = "(sealed with key " + sealing.SealedWith(payload) + ")"
	}
	if closed := info.GetCloseTime(); closed != nil {
		at := closed.AsTime()
		row.ClosedAt = &at
	}
	return row
}

// tell takes a run's own word for how it stands.
func (r *runRow) tell(info *workflow.WorkflowExecutionInfo) {
	if told := toldState(info); r.Status == workflows.StateRunning && told != "" {
		r.Status = told
	}
}

// toldState is what a run says of itself in its search attribute.
func toldState(info *workflow.WorkflowExecutionInfo) string {
	var state string
	if payload := info.GetSearchAttributes().GetIndexedFields()[workflows.SearchAttributeState]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &state) // of another type it says nothing
	}
	return state
}

func isGoal(info *workflow.WorkflowExecutionInfo) bool {
	return info.GetType().GetName() == goal.WorkflowType
}

// runOf follows a run that was started elsewhere.
func runOf(ctx context.Context, s *Session, info *workflow.WorkflowExecutionInfo) *watched {
	row := rowOf(info)
	if isGoal(info) {
		return attach(ctx, s, goalItem{workflowID: row.WorkflowID, goal: row.Target, name: row.Source}, row.RunID)
	}
	if isBatch(info) {
		return attach(ctx, s, batchOf(info), row.RunID)
	}
	if isWatch(info) {
		return attach(ctx, s, watchOf(info), "") // it goes on in many runs
	}
	it := item{workflowID: row.WorkflowID, source: row.Source}
	it.input.Name, it.input.To.Format = row.Source, row.Target
	return attach(ctx, s, it, row.RunID)
}

func stateOf(info *workflow.WorkflowExecutionInfo) string {
	state := strings.ToLower(info.GetStatus().String())
	if state == "canceled" {
		return workflows.StateCancelled
	}
	return state
}

func memoText(memo *common.Memo, key string) string {
	var text string
	if payload := memo.GetFields()[key]; payload != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, &text)
	}
	return text
}

var runList = list[runRow]{
	none: "no runs", whole: []string{"RUN"}, heading: []string{"RUN", "STATUS", "LANE", "FILE", "TO", "STARTED", "TOOK"},
	cells: func(r runRow) []string {
		return []string{r.WorkflowID, r.Status, r.Lane, cell(r.Source, 32), cell(r.Target, 32), r.StartedAt.Local().Format("2006-01-02 15:04:05"), r.took()}
	},
}

func (r runRow) took() string {
	if r.ClosedAt == nil {
		return "-"
	}
	return term.Span(r.ClosedAt.Sub(r.StartedAt))
}

func newRunsCancel(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "cancel RUN...", Short: "Cancel runs and wait until they have cleaned up", Args: oneRunAtLeast(env, "cancel"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				for _, id := range args {
					if err := env.cancel(ctx, s, id, asJSON); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a run")
	return cmd
}

func (e *Env) cancel(ctx context.Context, s *Session, id string, asJSON bool) error {
	tell := func(format, state string) error {
		if asJSON {
			return e.printJSON(map[string]string{"workflow_id": id, "status": state})
		}
		e.say(format, id, state)
		return nil
	}
	info, err := describe(ctx, s, id)
	if err != nil {
		return err
	}
	if state := stateOf(info.GetWorkflowExecutionInfo()); state != workflows.StateRunning {
		return tell("%s has ended already: %s", state)
	}
	if err := s.Temporal.CancelWorkflow(ctx, id, ""); err != nil {
		return fmt.Errorf("cancel %s: %w", id, err)
	}
	_ = s.Temporal.GetWorkflow(ctx, id, "").Get(ctx, nil) // how it ended is read next
	info, err = describe(ctx, s, id)
	if err != nil {
		return err
	}
	return tell("%s: %s", stateOf(info.GetWorkflowExecutionInfo()))
}

func oneRunAtLeast(env *Env, verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Usagef("name a run; '%s runs list' lists them, then '%s runs %s RUN'", env.Program, env.Program, verb)
		}
		return nil
	}
}

// describe finds a run by its workflow id.
func describe(ctx context.Context, s *Session, id string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	description, err := s.Temporal.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil, Usagef("no run is called %s; see 'runs list'", id)
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", id, err)
	}
	return description, nil
}
