package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func newRuns(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List, show, watch, steer, cancel and delete runs",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRunsList(env), newRunsShow(env), newRunsWatch(env), newRunsCancel(env))
	cmd.AddCommand(newRunsPause(env), newRunsResume(env), newRunsSetConcurrency(env), newRunsRetry(env))
	cmd.AddCommand(newRunsReport(env), newRunsVerify(env), newRunsDelete(env))
	return cmd
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

func (e *Env) cancel(ctx context.Context, s *Session, named string, asJSON bool) error {
	d, err := describe(ctx, s, named)
	if err != nil {
		return err
	}
	id := d.ID
	report := func(format, state string) error {
		if asJSON {
			return e.printJSON(map[string]string{"workflow_id": id, "status": state})
		}
		e.printf(format, id, state)
		return nil
	}
	if !d.Open() {
		return report("%s has ended already: %s", d.Status)
	}
	if err := s.runs().Cancel(ctx, id); err != nil {
		return err
	}
	if d, err = describe(ctx, s, id); err != nil {
		return err
	}
	return report("%s: %s", d.Status)
}
