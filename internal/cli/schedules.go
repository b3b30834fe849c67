package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

func newSchedules(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "schedules", Short: "List, show, pause, run and delete scheduled batches",
		Long: "A schedule does a batch again and again. 'batch SOURCE --to FORMAT -o DIR --every 1h' makes one; each of its runs\n" +
			"converts what is new, changed, missing or failed, and writes the batch's report. While a run goes on the next one is\n" +
			"left out. A machine that was off makes up for one run at most.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSchedulesList(env), newSchedulesShow(env), newSchedulesPause(env), newSchedulesResume(env), newSchedulesRun(env), newSchedulesDelete(env))
	return cmd
}

// scheduleRow is a schedule in a list.
type scheduleRow struct {
	Name    string     `json:"name"`
	Every   string     `json:"every"` // such as 1h or 2m30s
	Source  string     `json:"source"`
	Output  string     `json:"output"`
	To      string     `json:"to"`
	Paused  bool       `json:"paused"`
	Note    string     `json:"note"` // why
	Next    *time.Time `json:"next"` // null while it is paused
	Last    *time.Time `json:"last"`
	LastRun string     `json:"last_run"` // workflow id
}

func scheduleRowOf(s runs.Schedule) scheduleRow {
	spec := s.Input.Spec
	row := scheduleRow{
		Name: s.Name, Every: term.Setting(s.Every), Source: spec.Source, Output: spec.Output, To: spec.To, Paused: s.Paused, Note: s.Note,
	}
	if len(s.Next) > 0 {
		row.Next = &s.Next[0]
	}
	if n := len(s.Recent); n > 0 {
		row.Last, row.LastRun = &s.Recent[n-1].At, s.Recent[n-1].ID
	}
	return row
}

var scheduleList = list[scheduleRow]{
	none: "no schedules; 'batch SOURCE --to FORMAT -o DIR --every 1h' makes one", whole: []string{"SCHEDULE", "NEXT", "LAST RUN"}, heading: []string{"SCHEDULE", "EVERY", "SOURCE", "TO", "NEXT", "LAST RUN"},
	cells: func(r scheduleRow) []string {
		next := momentCell(r.Next)
		if r.Paused {
			next = "paused"
		}
		return []string{r.Name, r.Every, term.Fold(r.Source), term.Fold(r.To), next, momentCell(r.Last)}
	},
}

func momentCell(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return term.Moment(*t, time.Now())
}

func timeCell(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func newSchedulesList(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List schedules by name", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				names, err := s.runs().Schedules(ctx)
				if err != nil {
					return err
				}
				var rows []scheduleRow
				for _, name := range names {
					known, err := s.runs().Schedule(ctx, name)
					if errors.Is(err, runs.ErrNoSuchSchedule) {
						continue // lists follow within moments
					}
					if err != nil {
						return fmt.Errorf("look at the schedule %s: %w", name, err)
					}
					rows = append(rows, scheduleRowOf(known))
				}
				return printList(env, scheduleList, rows, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a schedule")
	return cmd
}

// scheduleDetail is everything about a schedule.
type scheduleDetail struct {
	scheduleRow
	NextRuns []time.Time   `json:"next_runs"`
	Runs     []scheduleRun `json:"runs"`    // the latest last
	Skipped  int           `json:"skipped"` // times, because the run before went on
	Missed   int           `json:"missed"`  // times, while Temporal was down
}

// scheduleRun is one run that a schedule has started.
type scheduleRun struct {
	WorkflowID string    `json:"workflow_id"`
	StartedAt  time.Time `json:"started_at"`
	Status     string    `json:"status"` // empty where it is not known any more
}

func newSchedulesShow(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a schedule: its next runs, and how the latest went", Args: oneSchedule(env, "show"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				detail, err := scheduleDetailOf(ctx, s, args[0])
				if err != nil {
					return scheduleFault(args[0], err)
				}
				return env.printSchedule(detail, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func scheduleDetailOf(ctx context.Context, s *Session, name string) (scheduleDetail, error) {
	known, err := s.runs().Schedule(ctx, name)
	if err != nil {
		return scheduleDetail{}, err
	}
	d := scheduleDetail{scheduleRow: scheduleRowOf(known), NextRuns: []time.Time{}, Runs: []scheduleRun{}, Skipped: known.Skipped, Missed: known.Missed}
	d.NextRuns = append(d.NextRuns, known.Next[:min(3, len(known.Next))]...)
	for _, recent := range known.Recent {
		if recent.ID == "" {
			continue
		}
		run := scheduleRun{WorkflowID: recent.ID, StartedAt: recent.At}
		described, found, err := findRun(ctx, s, recent.ID)
		if err != nil {
			return d, err
		}
		if found {
			run.Status = described.State()
		}
		d.Runs = append(d.Runs, run)
	}
	return d, nil
}

func (e *Env) printSchedule(d scheduleDetail, asJSON bool) error {
	if asJSON {
		return e.printJSON(d)
	}
	if _, err := fmt.Fprintf(e.Stdout, "schedule %s\nevery    %s\n", term.Printable(d.Name), d.Every); err != nil {
		return err
	}
	e.row("source", d.Source)
	e.row("output", d.Output)
	e.row("to", d.To)
	if d.Paused {
		e.row("paused", fmt.Sprintf("%s; go on with '%s schedules resume %s'", d.Note, e.Program, d.Name))
	}
	for i := range d.NextRuns {
		e.row("next", timeCell(&d.NextRuns[i]))
	}
	for _, run := range d.Runs {
		e.row("run", fmt.Sprintf("%s  %s  %s", timeCell(&run.StartedAt), run.Status, run.WorkflowID))
	}
	if d.Skipped > 0 {
		e.row("skipped", term.Plural(d.Skipped, "time", "times")+", because the run before went on")
	}
	if d.Missed > 0 {
		e.row("missed", term.Plural(d.Missed, "time", "times")+", while Temporal was down")
	}
	return nil
}

func oneSchedule(env *Env, verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return Usagef("name one schedule; '%s schedules list' lists them, then '%s schedules %s NAME'", env.Program, env.Program, verb)
		}
		return nil
	}
}

func scheduleFault(name string, err error) error {
	if errors.Is(err, runs.ErrNoSuchSchedule) {
		return Usagef("no schedule is called %s; see 'schedules list'", name)
	}
	return fmt.Errorf("the schedule %s: %w", name, err)
}

// newScheduleVerb is a command that does one thing to one schedule.
func newScheduleVerb(env *Env, verb, short, done string, do func(ctx context.Context, c *runs.Client, name string) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: oneSchedule(env, verb),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				// Temporal takes some of these for schedules that it does not have.
				if _, err := s.runs().Schedule(ctx, args[0]); err != nil {
					return scheduleFault(args[0], err)
				}
				if err := do(ctx, s.runs(), args[0]); err != nil {
					return scheduleFault(args[0], err)
				}
				if asJSON {
					return env.printJSON(map[string]string{"name": args[0], "done": verb})
				}
				env.printf(done, args[0])
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func newSchedulesPause(env *Env) *cobra.Command {
	var note string
	cmd := newScheduleVerb(env, "pause", "Begin no more runs; one that goes on goes on to its end", "%s is paused",
		func(ctx context.Context, c *runs.Client, name string) error {
			text := "paused by cli:" + env.userName()
			if note != "" {
				text += ": " + note
			}
			return c.PauseSchedule(ctx, name, text)
		})
	cmd.Flags().StringVar(&note, "note", "", "why, for people to see")
	return cmd
}

func newSchedulesResume(env *Env) *cobra.Command {
	return newScheduleVerb(env, "resume", "Let a paused schedule go on", "%s goes on",
		func(ctx context.Context, c *runs.Client, name string) error {
			return c.ResumeSchedule(ctx, name, "resumed by cli:"+env.userName())
		})
}

func newSchedulesRun(env *Env) *cobra.Command {
	return newScheduleVerb(env, "run", "Start a run of a schedule now, unless one is running", "%s runs now, unless a run of it went on",
		func(ctx context.Context, c *runs.Client, name string) error { return c.TriggerSchedule(ctx, name) })
}

func newSchedulesDelete(env *Env) *cobra.Command {
	return newScheduleVerb(env, "delete", "Remove a schedule; its runs, outputs and reports stay", "%s is removed",
		func(ctx context.Context, c *runs.Client, name string) error { return c.DeleteSchedule(ctx, name) })
}
