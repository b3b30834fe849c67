package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
)

// The states of a notification.
const (
	mailSending   = "sending" // for the first time
	mailRetrying  = "retrying"
	mailDelivered = "delivered"
	mailDead      = "dead"
)

// maxMail bounds how many notifications are looked through.
const maxMail = 10000

func newNotifications(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "notifications", Short: "List what was posted to the webhook, and send dead letters again",
		Long: "Notifications tell the webhook (CONVILYN_WEBHOOK_URL of the workers) of new questions, reminders, escalations\n" +
			"and ends of goals. No run waits for them: each is tried for a day by itself, and is a dead letter after that,\n" +
			"or as soon as the webhook answers 410. A dead letter that is sent again keeps its id and its time, by which the\n" +
			"receiver knows it; its answer link is new.",
		Example: "  " + env.Program + " notifications list --dead\n" +
			"  " + env.Program + " notifications resend --all-dead",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newNotificationsList(env), newNotificationsResend(env))
	return cmd
}

// mailRow is a notification in a list.
type mailRow struct {
	ID          string     `json:"id"`
	About       string     `json:"workflow_id"` // that it is about
	SlotID      string     `json:"slot_id,omitempty"`
	Type        string     `json:"type"`
	Status      string     `json:"status"`             // sending, retrying, delivered or dead
	Attempts    int        `json:"attempts,omitempty"` // of one that is not delivered
	LastFailure string     `json:"last_failure,omitempty"`
	NextIn      string     `json:"next_attempt_in,omitempty"`
	StartedAt   time.Time  `json:"started_at"`
	ClosedAt    *time.Time `json:"closed_at"`
}

func newNotificationsList(env *Env) *cobra.Command {
	var dead, asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List notifications, newest first", Args: cobra.NoArgs,
		Long: "Lists notifications, newest first: sending (the first try), retrying (with the last failure), delivered, or dead.\n" +
			"Temporal keeps those that ended as long as it keeps runs.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > maxMail {
				return Usagef("--limit %d is not a number from 1 to %d", limit, maxMail)
			}
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				rows, err := listMail(ctx, s, dead, limit)
				if err != nil {
					return err
				}
				return printList(env, mailList, rows, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&dead, "dead", false, "only dead letters")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a notification")
	return cmd
}

// listMail lists notifications by their latest sending: one that was sent again has several.
func listMail(ctx context.Context, s *Session, dead bool, limit int) ([]mailRow, error) {
	query := fmt.Sprintf("WorkflowType = '%s'", notify.WorkflowType)
	if dead {
		query += " AND ExecutionStatus != 'Running' AND ExecutionStatus != 'Completed'"
	}
	var rows []mailRow
	seen := map[string]bool{}
	for page := []byte(nil); ; {
		reply, err := s.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: s.Namespace, Query: query, PageSize: int32(min(limit, 200)), NextPageToken: page, //nolint:gosec // at most 200
		})
		if err != nil {
			return nil, fmt.Errorf("list the notifications: %w", err)
		}
		for _, info := range reply.GetExecutions() {
			id := info.GetExecution().GetWorkflowId()
			if seen[id] {
				continue
			}
			seen[id] = true
			row, err := mailOf(ctx, s, info)
			if err != nil {
				return nil, err
			}
			if !dead || row.Status == mailDead {
				rows = append(rows, row)
			}
			if len(rows) == limit {
				return rows, nil
			}
		}
		if page = reply.GetNextPageToken(); len(page) == 0 {
			return rows, nil
		}
	}
}

// mailOf looks at a notification that lists do not say enough about: lists follow within moments only.
func mailOf(ctx context.Context, s *Session, info *workflow.WorkflowExecutionInfo) (mailRow, error) {
	if info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		return mailRowOf(info), nil
	}
	description, err := describeMail(ctx, s, info.GetExecution().GetWorkflowId())
	var gone *Failure
	if errors.As(err, &gone) { // since it was listed
		return mailRowOf(info), nil
	}
	if err != nil {
		return mailRow{}, err
	}
	row := mailRowOf(description.GetWorkflowExecutionInfo())
	switch row.Status {
	case mailSending:
		step := runs.StepOf(description)
		row.Attempts, row.LastFailure = step.Attempt, step.Failure
		if step.Failure != "" {
			row.Status, row.NextIn = mailRetrying, step.Wait.Round(time.Second).String()
		}
	case mailDead:
		row.Attempts, row.LastFailure = whyDead(ctx, s, description.GetWorkflowExecutionInfo().GetExecution())
	}
	return row, nil
}

func mailRowOf(info *workflow.WorkflowExecutionInfo) mailRow {
	memo := runs.Decoded[notify.Memo](info.GetMemo(), notify.MemoKey)
	row := mailRow{
		ID: info.GetExecution().GetWorkflowId(), About: memo.WorkflowID, SlotID: memo.SlotID, Type: memo.Type, StartedAt: info.GetStartTime().AsTime(),
	}
	switch info.GetStatus() {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		row.Status = mailSending
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		row.Status = mailDelivered
	default:
		row.Status = mailDead
	}
	if closed := info.GetCloseTime(); closed != nil {
		at := closed.AsTime()
		row.ClosedAt = &at
	}
	return row
}

// whyDead reads how a notification ended.
func whyDead(ctx context.Context, s *Session, dead *common.WorkflowExecution) (attempts int, failure string) {
	err := s.Temporal.GetWorkflow(ctx, dead.GetWorkflowId(), dead.GetRunId()).Get(ctx, nil)
	if err == nil {
		return 0, ""
	}
	fault := runs.FaultOf(err)
	return fault.Detail.Attempts, fault.Message
}

// describeMail finds the latest sending of a notification.
func describeMail(ctx context.Context, s *Session, id string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	description, err := s.Temporal.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) || err == nil && description.GetWorkflowExecutionInfo().GetType().GetName() != notify.WorkflowType {
		return nil, Usagef("no notification is called %s; see 'notifications list'", id)
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", id, err)
	}
	return description, nil
}

var mailList = list[mailRow]{
	none: "no notifications", whole: []string{"STARTED", "RUN", "ID"}, heading: []string{"STARTED", "STATUS", "TYPE", "RUN", "SLOT", "ID", "TRIES", "LAST FAILURE"},
	cells: func(r mailRow) []string {
		failure, tries := r.LastFailure, "-"
		if r.NextIn != "" {
			failure += ", next in " + r.NextIn
		}
		if r.Attempts > 0 {
			tries = strconv.Itoa(r.Attempts)
		}
		return []string{
			term.Moment(r.StartedAt, time.Now()), r.Status, orDash(term.Fold(r.Type)), orDash(term.Fold(r.About)), orDash(term.Fold(r.SlotID)),
			term.Fold(r.ID), tries, orDash(term.Fold(failure)),
		}
	},
}

func newNotificationsResend(env *Env) *cobra.Command {
	var allDead, asJSON bool
	cmd := &cobra.Command{
		Use: "resend ID... | --all-dead", Short: "Send dead letters again",
		Long: "Sends dead letters again, for a day each, as they were: the receiver sees the same webhook-id. What was delivered\n" +
			"or is under way is left alone, so that repeating this is safe.",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !allDead:
				return Usagef("name a notification, or give --all-dead; '%s notifications list --dead' lists them", env.Program)
			case len(args) > 0 && allDead:
				return Usagef("give either ids or --all-dead")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, ids []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				if allDead {
					rows, err := listMail(ctx, s, true, maxMail)
					if err != nil {
						return err
					}
					for _, row := range rows {
						ids = append(ids, row.ID)
					}
				}
				return env.resendAll(ctx, s, ids, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&allDead, "all-dead", false, "send every dead letter again")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a notification")
	return cmd
}

func (e *Env) resendAll(ctx context.Context, s *Session, ids []string, asJSON bool) error {
	if len(ids) == 0 {
		e.printf("no dead letters")
	}
	sent := 0
	for _, id := range ids {
		status, err := resend(ctx, s, id)
		if err != nil {
			return err
		}
		if status == mailResent {
			sent++
		}
		if asJSON {
			if err := e.printJSON(map[string]string{"id": id, "status": status}); err != nil {
				return err
			}
			continue
		}
		e.printf("%s: %s", id, map[string]string{
			mailResent: "is sent again", mailSending: "is under way already", mailDelivered: "was delivered already",
		}[status])
	}
	if sent > 0 && !s.Stays && !asJSON {
		e.printf("they go out while '%s up' runs", e.Program)
	}
	return nil
}

const mailResent = "resent"

// resend starts a dead letter again under its id; what is not dead is left alone.
func resend(ctx context.Context, s *Session, id string) (status string, err error) {
	description, err := describeMail(ctx, s, id)
	if err != nil {
		return "", err
	}
	info := description.GetWorkflowExecutionInfo()
	if row := mailRowOf(info); row.Status != mailDead {
		return row.Status, nil
	}
	start, err := startOf(ctx, s, info.GetExecution())
	if err != nil {
		return "", err
	}
	options := temporalclient.StartWorkflowOptions{
		ID: id, TaskQueue: start.GetTaskQueue().GetName(), Memo: map[string]any{},
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    temporal.NewSearchAttributes(workflows.KeyLane.ValueSet(workflows.LaneNotify)),
		StaticSummary:                            mailRowOf(info).Type,
	}
	for key, payload := range start.GetMemo().GetFields() {
		options.Memo[key] = converter.NewRawValue(payload)
	}
	var input []any
	for _, payload := range start.GetInput().GetPayloads() {
		input = append(input, converter.NewRawValue(payload))
	}
	_, err = s.Temporal.ExecuteWorkflow(ctx, options, notify.WorkflowType, input...)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &started): // by somebody else, since it was looked at
		return mailSending, nil
	case err != nil:
		return "", fmt.Errorf("send %s again: %w", id, err)
	}
	return mailResent, nil
}

// startOf reads how a notification was started.
func startOf(ctx context.Context, s *Session, of *common.WorkflowExecution) (*history.WorkflowExecutionStartedEventAttributes, error) {
	events := s.Temporal.GetWorkflowHistory(ctx, of.GetWorkflowId(), of.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return nil, Usagef("the history of %s is gone; there is nothing to send", of.GetWorkflowId())
	}
	first, err := events.Next()
	if err != nil {
		return nil, fmt.Errorf("read how %s was started: %w", of.GetWorkflowId(), err)
	}
	return first.GetWorkflowExecutionStartedEventAttributes(), nil
}
