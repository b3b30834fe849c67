package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

// deletion is a runs delete command as typed.
type deletion struct {
	olderThan time.Duration
	state     string
	dryRun    bool
	yes       bool
	asJSON    bool
}

// deletedRow is a run that was deleted, or would be.
type deletedRow struct {
	WorkflowID string `json:"workflow_id"`
	Status     string `json:"status"`
	Source     string `json:"source"`
	Histories  int    `json:"histories"`
	Bytes      int64  `json:"bytes"`
	Deleted    bool   `json:"deleted"` // false with --dry-run
}

var deletedList = list[deletedRow]{
	none: "no runs to delete", whole: []string{"RUN"}, heading: []string{"RUN", "STATUS", "FILE", "HISTORIES", "SIZE"},
	cells: func(r deletedRow) []string {
		return []string{r.WorkflowID, r.Status, term.Fold(r.Source), fmt.Sprint(r.Histories), term.Bytes(r.Bytes)}
	},
}

func newRunsDelete(env *Env) *cobra.Command {
	var d deletion
	cmd := &cobra.Command{
		Use: "delete RUN... | delete --older-than TIME", Short: "Have Temporal forget runs that have ended",
		Long: "Removes runs that have ended from Temporal, with their histories, questions and answers. Outputs are not touched;\n" +
			"parts of outputs that a run did not put in their place are removed.\n" +
			"What was done is not known any more: the same command starts from the beginning, and outputs that are there are no\n" +
			"longer known to be ours. Temporal does so by itself when the retention ends.",
		Example: "  " + env.Program + " runs delete --older-than 7d --state completed --dry-run\n" +
			"  " + env.Program + " runs delete convert-report-md-to-pdf-0123456789ab",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && d.olderThan <= 0 {
				return Usagef("name a run, or an age as in '%s runs delete --older-than 7d --dry-run'", env.Program)
			}
			if len(args) > 0 && (d.olderThan != 0 || d.state != "") {
				return Usagef("--older-than and --state are for runs that are not named")
			}
			if d.state != "" && !slices.Contains(runs.States, d.state) {
				return notOneOf("state", d.state, runs.States)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error { return env.deleteRuns(ctx, s, d, args) })
		},
	}
	durationVar(cmd.Flags(), &d.olderThan, "older-than", 0, "all runs that ended so long ago, such as 7d")
	cmd.Flags().StringVar(&d.state, "state", "", "with --older-than: only runs that ended so: completed, partial, stopped, failed, cancelled, ...")
	cmd.Flags().BoolVar(&d.dryRun, "dry-run", false, "print what would be deleted, and how much that frees")
	cmd.Flags().BoolVar(&d.yes, "yes", false, "with --older-than: do not ask whether so many are meant")
	cmd.Flags().BoolVar(&d.asJSON, "json", false, "print one JSON object a run")
	return cmd
}

// deleteMost is how many runs one command deletes.
const deleteMost = 10_000

func (e *Env) deleteRuns(ctx context.Context, s *Session, d deletion, args []string) error {
	kept, err := toDelete(ctx, s, d, args)
	if err != nil {
		return err
	}
	var bytes int64
	rows := make([]deletedRow, 0, len(kept))
	for _, k := range kept {
		bytes += k.Bytes
		rows = append(rows, deletedRow{WorkflowID: k.ID, Status: k.State(), Source: shownName(k.Run), Histories: k.Histories, Bytes: k.Bytes, Deleted: !d.dryRun})
	}
	sum := fmt.Sprintf("%s, %s", term.Plural(len(kept), "run", "runs"), term.Bytes(bytes))
	if !d.dryRun && len(args) == 0 && len(kept) > 0 {
		if err := e.sure(ctx, d.yes, "delete "+sum); err != nil {
			return err
		}
	}
	for i, k := range kept {
		if d.dryRun {
			break
		}
		parts, err := s.runs().Parts(ctx, k) // which nobody knows for its own afterwards
		if err != nil {
			return fmt.Errorf("%d of %d deleted: look for what %s has left: %w", i, len(kept), k.ID, err)
		}
		if err := s.runs().Delete(ctx, k); err != nil {
			return fmt.Errorf("%d of %d deleted: %w", i, len(kept), err)
		}
		for _, part := range parts {
			if err := part.Remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
				e.remark("%s stays: %v", shortPath(part.Path()), err)
			}
		}
	}
	if err := printList(e, deletedList, rows, d.asJSON); err != nil {
		return err
	}
	switch {
	case len(kept) == 0:
	case d.dryRun:
		e.remark("would be deleted: %s", sum)
	default:
		e.remark("deleted: %s", sum)
	}
	return nil
}

// toDelete are the runs that are named, or all that ended so long ago.
func toDelete(ctx context.Context, s *Session, d deletion, args []string) ([]runs.Kept, error) {
	var found []runs.Run
	for _, named := range args {
		run, err := describe(ctx, s, named)
		if err != nil {
			return nil, err
		}
		found = append(found, run.Run)
	}
	if len(args) == 0 {
		all, err := s.runs().List(ctx, runs.Filter{State: d.state, Ended: d.state == ""}, deleteMost)
		if err != nil {
			return nil, err
		}
		for _, run := range all {
			if run.ClosedAt != nil && time.Since(*run.ClosedAt) >= d.olderThan {
				found = append(found, run)
			}
		}
	}

	kept := make([]runs.Kept, 0, len(found))
	for _, run := range found {
		if slices.ContainsFunc(kept, func(k runs.Kept) bool { return k.ID == run.ID }) {
			continue
		}
		k, err := s.runs().Kept(ctx, run)
		if errors.Is(err, runs.ErrOpen) {
			return nil, Usagef("%w", err)
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, k)
	}
	return kept, nil
}

// sure asks whether something is meant that touches many.
func (e *Env) sure(ctx context.Context, yes bool, what string) error {
	if yes {
		return nil
	}
	if !e.mayAsk() {
		return Usagef("%s: stdin is not a terminal to confirm that; add --yes, or look with --dry-run", what)
	}
	e.prompt("%s? [y/N] ", what)
	line, err := e.readLine(ctx)
	if said, no := slot.YesOrNo(line); err == nil && no == nil && said {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return Usagef("nothing was deleted")
}
