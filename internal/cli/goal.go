package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func newGoal(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "goal", Short: "Start multi-step jobs that ask back",
		Long: "A goal is a job of several steps that may stop and ask. Its questions wait as long as they have to, and are\n" +
			"answered here, with 'slots answer', or by a signal from anywhere." +
			"\n\nAt the hosted API, credits are reserved when a job is confirmed, which --confirm ask waits to be told. They are\n" +
			"settled to the real cost when it completes; no price is known before. A failed job is taken back, though not\n" +
			"for certain; one that never ends loses its credits. A retry costs nothing more. Starting over costs again, and\n" +
			"is never done by itself.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGoalCatalog(env), newGoalStart(env))
	return cmd
}

func newGoalCatalog(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "catalog", Short: "List the goals that the service offers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env.Catalog == nil {
				return Usagef("reading the catalog needs an API key; set CONVILYN_API_KEY or CONVILYN_API_KEY_FILE")
			}
			catalog, err := env.Catalog(cmd.Context())
			if err != nil {
				return APIError(fmt.Errorf("read the catalog: %w", err))
			}
			return printList(env, catalogList, catalog.Workflows, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a goal")
	return cmd
}

var catalogList = list[client.CatalogEntry]{
	none: "the service offers no goals", whole: []string{"GOAL"}, heading: []string{"GOAL", "NAME", "TAKES", "ASKS", "DESCRIPTION"},
	cells: func(g client.CatalogEntry) []string {
		return []string{term.Fold(g.WorkflowID), term.Fold(g.Name), term.Fold(acceptedInputs(g)), strconv.Itoa(g.RequiredSlotCount), term.Fold(g.Description)}
	},
}

// acceptedInputs is which files a goal takes.
func acceptedInputs(entry client.CatalogEntry) string {
	what := strings.Join(entry.SupportedInputFormats, " ")
	if what == "" {
		what = strings.Join(entry.SupportedInputTypes, " ")
	}
	if least := entry.MinFileCount; least != nil && *least > 1 {
		what = strings.TrimSpace(fmt.Sprintf("%d+ %s", *least, what))
	}
	if what == "" {
		return "-"
	}
	return what
}

// goalStart is how a goal is started and followed.
type goalStart struct {
	request goalRequest
	again   bool
	detach  bool
	wait    bool
	noAsk   bool
	asJSON  bool
}

func newGoalStart(env *Env) *cobra.Command {
	var g goalStart
	cmd := &cobra.Command{
		Use:   "start WORKFLOW FILE... | start --text TEXT FILE...",
		Short: "Start a goal and follow it",
		Long: "Starts a goal of the catalog, by its id or the part after the dot, or one described in words.\n" +
			"Where a person watches, its questions are asked here. Elsewhere the command prints them, each with the command\n" +
			"that answers it, and ends with 0 while the run waits; --wait stays until the end.\n\n" +
			"The run is named by goal, files, answers and output folder: the same command finds the same run, and what\n" +
			"was done is not done again. --again starts another one.\n\n" +
			"A partial result ends with 0, too; what it lacks is said.\n\n" +
			"Confirming a job spends credits at an API that is not local, so the run asks first, unless --confirm auto.",
		Example: "  " + env.Program + " goal start document_binder a.pdf b.docx -o out/\n" +
			"  " + env.Program + " goal start document_binder *.pdf --slot title=Minutes --deadline 72h --detach\n" +
			"  " + env.Program + " goal start --text 'Take the tables out' book.xlsx --slot 'sheets=[\"Q1\"]' --slot logo=@logo.png",
		RunE: func(cmd *cobra.Command, args []string) error {
			g.request.args, g.request.by = args, env.userName()
			return g.run(cmd.Context(), env)
		},
	}
	g.flags(cmd)
	env.progressFlags(cmd)
	return cmd
}

func (g *goalStart) flags(cmd *cobra.Command) {
	flags, r := cmd.Flags(), &g.request
	flags.StringVar(&r.text, "text", "", "the goal in words, in place of WORKFLOW")
	flags.StringArrayVar(&r.slots, "slot", nil, "an answer before it is asked, SLOT=VALUE; VALUE may be JSON, as a list has to be, or @PATH for a file")
	flags.StringVar(&r.answers, "answers", "", "JSON file with an object of slots and values")
	flags.StringVarP(&r.output, "output", "o", ".", "output folder")
	flags.StringVar(&r.onExist, "on-exist", onExistFail, "when an output exists: fail or overwrite")
	flags.StringVar(&r.name, "name", "", "what lists call the run")
	r.labels.flag(cmd)
	flags.StringVar(&r.policy.confirm, "confirm", "", "auto or ask: whether to wait for your word before credits are spent (default: ask, unless the API is local)")
	durationVar(flags, &r.policy.stuckAfter, "stuck-after", 0, "ask about a job that has not moved for so long (default 15m)")
	flags.StringVar(&r.policy.file, "policy", "", "JSON or YAML file with policies: {confirm: ask, default: {...}, slots: {SLOT: {...}}}")
	durationVar(flags, &r.policy.remindAfter, "remind-after", 0, "remind of a question after so long, such as 24h")
	durationVar(flags, &r.policy.deadline, "deadline", 0, "how long a question may wait, such as 72h")
	flags.StringVar(&r.policy.onDeadline, "on-deadline", "", "then: fail, cancel or default")
	flags.Float64Var(&r.policy.acceptAbove, "accept-above", acceptUnset, "take suggestions of this confidence or more, 0 to 1")
	flags.IntVar(&r.retries, "max-retries", -1, "free retries of a failed job (default 2)")
	flags.BoolVar(&g.again, "again", false, "start another run of the same work")
	flags.BoolVar(&g.detach, "detach", false, "start the run and return")
	flags.BoolVar(&g.wait, "wait", false, "stay until the end, even if others answer")
	flags.BoolVar(&g.noAsk, "no-ask", false, "print questions and do not ask them here")
	flags.BoolVar(&g.asJSON, "json", false, "print one JSON object")
	for _, unset := range []string{"accept-above", "max-retries"} {
		flags.Lookup(unset).DefValue = "0" // which help leaves out: -1 is nothing to tell people
	}
	cmd.MarkFlagsMutuallyExclusive("detach", "wait")
}

func (g *goalStart) run(ctx context.Context, env *Env) error {
	if g.request.retries < -1 {
		return Usagef("--max-retries must be 0 or more, got %d", g.request.retries)
	}
	item, err := planGoal(g.request)
	if err != nil {
		return err
	}
	session, err := env.open(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := item.settle(env.reachableCatalog(ctx)); err != nil {
		return err
	}
	if g.again {
		if item.workflowID, err = freeID(ctx, session, item.workflowID); err != nil {
			return APIError(err)
		}
	}
	run, err := startOne(ctx, session, item, g.request.labels)
	if err != nil {
		return APIError(fmt.Errorf("start the goal: %w", err))
	}
	if g.detach {
		return detached(env, session, []*watched{run}, g.asJSON)
	}
	return g.follow(ctx, env, session, run)
}

// reachableCatalog is nil where the catalog cannot be read: then the service itself will refuse what it does not know.
func (e *Env) reachableCatalog(ctx context.Context) *client.Catalog {
	if e.Catalog == nil {
		return nil
	}
	catalog, err := e.Catalog(ctx)
	if err != nil {
		e.printf("the catalog cannot be read, so the goal is not checked against it: %v", err)
		return nil
	}
	return catalog
}

// follow goes with a goal to its end, or to questions that cannot be asked here.
func (g *goalStart) follow(ctx context.Context, env *Env, s *Session, run *watched) error {
	reported := map[string]bool{}
	for {
		var now pending
		asked, end := lookForQuestions(ctx, s, []*watched{run}, reported, func(found pending) error {
			now = found
			return errAsked
		})
		ends, err := env.follow(ctx, s, []*watched{run}, g.asJSON, asked)
		end()
		if !errors.Is(err, errAsked) {
			if err == nil {
				err = exitFor(ends)
			}
			return err
		}

		if env.mayAsk() && env.Terminal.Live && !g.noAsk && !g.asJSON {
			err := env.askAll(ctx, s, run.id(), now.open)
			if err == nil || errors.Is(err, runs.ErrEnded) {
				continue // following prints how it ended
			}
			if !errors.Is(err, errNoAnswer) {
				return err
			}
		}
		if g.wait {
			env.printQuestions(run.id(), now.fresh)
			continue
		}
		return g.leave(env, s, run, now.open)
	}
}

// leave ends the command while the run waits.
func (g *goalStart) leave(env *Env, s *Session, run *watched, questions []questions.Question) error {
	env.printQuestions(run.id(), questions)
	if s.Stays {
		env.printf("the run waits in Temporal; see it with '%s runs show %s'", env.Program, run.id())
	} else {
		env.printf("the run is paused with this command; answer it, and the same command, or '%s up', goes on with it", env.Program)
	}
	if !g.asJSON {
		_, err := fmt.Fprintln(env.Stdout, run.id())
		return err
	}
	o, _ := run.begun(run.runID).(goalOutcome)
	o.Status, o.Questions = workflows.StateWaiting, questions
	return env.printJSON(o)
}
