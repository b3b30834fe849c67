package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/notify"
)

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
		e.say("no dead letters")
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
		e.say("%s: %s", id, map[string]string{
			mailResent: "is sent again", mailSending: "is under way already", mailDelivered: "was delivered already",
		}[status])
	}
	if sent > 0 && !s.Stays && !asJSON {
		e.say("they go out while '%s up' runs", e.Program)
	}
	return nil
}

const mailResent = "resent"

// resend starts a dead letter anew under its id; what is not dead is left alone.
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
