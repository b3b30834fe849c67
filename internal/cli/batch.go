package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

const concurrencyDefault = 50

// batchStart is how a batch is started and followed.
type batchStart struct {
	request batchRequest
	replace bool // a schedule of the same name
	dryRun  bool
	detach  bool
	asJSON  bool
}

func newBatch(env *Env) *cobra.Command {
	var b batchStart
	cmd := &cobra.Command{
		Use:   "batch SOURCE --to FORMAT -o DIR",
		Short: "Convert many files as one run",
		Long: "Converts what SOURCE names: a folder with all below it, a pattern in quotes such as 'docs/**/*.md', or a manifest\n" +
			"(.jsonl, .csv) with one file a line. Everything is listed and checked first; where something is wrong nothing is\n" +
			"started. Outputs whose source has not changed since are current and are not made again.\n\n" +
			"The run is named by source, options and output folder: the same command comes back to the run that goes on, and\n" +
			"after its end converts what is new, changed or missing. It ends with a report of every file in DIR.\n\n" +
			"With --every it is done again and again by a schedule, with --watch as files come. Then nobody is there to mend\n" +
			"things: what cannot be converted is named in the report, and the rest goes on.",
		Example: "  " + env.Program + " batch docs/ --to pdf -o out/\n" +
			"  " + env.Program + " batch 'scans/**/*.png' --to jpg --quality 80 -o out/ --exclude 'drafts/**'\n" +
			"  " + env.Program + " batch jobs.csv -o out/ --max-failures 100 --detach\n" +
			"  " + env.Program + " batch docs/ --to pdf -o out/ --every 1h\n" +
			"  " + env.Program + " batch inbox/ --to pdf -o out/ --watch --settle 10s",
		Args: oneSource(env),
		RunE: func(cmd *cobra.Command, args []string) error {
			b.request.source = args[0]
			return b.run(cmd.Context(), env)
		},
	}
	b.flags(cmd)
	return cmd
}

func oneSource(env *Env) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || args[0] == "":
			return Usagef("nothing to convert; name a folder, a pattern or a manifest, see '%s batch --help'", env.Program)
		case len(args) > 1:
			return Usagef("a batch takes one source, not %d; put a pattern in quotes, so that the shell leaves it alone", len(args))
		}
		return nil
	}
}

func (b *batchStart) flags(cmd *cobra.Command) {
	flags, r := cmd.Flags(), &b.request
	flags.StringVar(&r.to, "to", "", "target format; a manifest may name one a line")
	flags.StringVarP(&r.output, "output", "o", "", "folder for the outputs and the report")
	flags.StringVar(&r.from, "from", "", "source format, where the file names do not tell it")
	flags.StringVar(&r.quality, "quality", "", "1-100 for images, standard or high for documents")
	flags.StringVar(&r.pages, "pages", "", "pages of documents, such as 1-5")
	flags.StringArrayVar(&r.include, "include", nil, "only files whose path in the source matches, such as '*.md'")
	flags.StringArrayVar(&r.exclude, "exclude", nil, "no files whose path in the source matches, such as 'drafts/**'")
	flags.StringVar(&r.onExist, "on-exist", onExistFail, "when another output exists: fail, skip or overwrite")
	flags.IntVar(&r.concurrency, "concurrency", concurrencyDefault, "files at once at most")
	flags.IntVar(&r.maxFailures, "max-failures", 0, "stop after more failed files than this (default: go on)")
	flags.DurationVar(&r.maxDuration, "max-duration", 0, "start nothing more after so long, such as 8h")
	flags.IntVar(&r.shardFiles, "shard-files", 0, "split into child workflows of so many files, where there are more than twice as many (default 10000)")
	r.repeat.flags(cmd)
	flags.BoolVar(&b.replace, "replace", false, "with --every: put this in the place of a schedule of the same name")
	flags.StringVar(&r.name, "name", "", "what lists and the report are called (default: by source and format)")
	flags.BoolVar(&b.dryRun, "dry-run", false, "print what would be converted, and start nothing")
	flags.BoolVar(&b.detach, "detach", false, "start the run and return; see it with 'runs'")
	flags.BoolVar(&b.asJSON, "json", false, "print one JSON object; one a file with --dry-run")
}

func (b *batchStart) run(ctx context.Context, env *Env) error {
	if b.replace && b.request.repeat.every == 0 {
		return &Failure{Code: ExitUsage, Err: errReplace}
	}
	item, err := b.request.item()
	if err != nil {
		return err
	}
	switch {
	case b.dryRun:
		return b.show(ctx, env, item)
	case b.request.repeat.every != 0:
		return b.schedule(ctx, env, item)
	case b.request.repeat.watch:
		return b.watch(ctx, env, item)
	}
	return b.once(ctx, env, item)
}

// once starts the batch, or comes back to the one that runs.
func (b *batchStart) once(ctx context.Context, env *Env, item batchItem) error {
	session, err := env.open(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	item.workflowID = session.sealedID(item.workflowID)
	run, err := b.running(ctx, env, session, item)
	if err != nil {
		return APIError(err)
	}
	if run == nil {
		if err := env.unwatched(ctx, session, item); err != nil {
			return APIError(err)
		}
		plan, err := planBatch(ctx, env, item)
		if err != nil {
			return err
		}
		if plan.Items == 0 && plan.Faulty == 0 {
			return b.nothingToDo(env, item, plan)
		}
		item.input.Plan = &plan
		if run, err = startOne(ctx, session, item); err != nil {
			return APIError(fmt.Errorf("start the batch: %w", err))
		}
	}
	if b.detach {
		return detached(env, session, []*watched{run}, b.asJSON)
	}
	ended, err := env.follow(ctx, session, []*watched{run}, b.asJSON, nil)
	if err != nil {
		return err
	}
	if code := exitCode(ended); code != ExitOK {
		return &Failure{Code: code}
	}
	return nil
}

// running is the run of this batch that goes on; nil where there is none.
func (b *batchStart) running(ctx context.Context, env *Env, s *Session, item batchItem) (*watched, error) {
	found, err := exists(ctx, s, item.workflowID)
	if err != nil || !found {
		return nil, err
	}
	description, err := describe(ctx, s, item.workflowID)
	if err != nil {
		return nil, err
	}
	info := description.GetWorkflowExecutionInfo()
	if stateOf(info) != workflows.StateRunning {
		return nil, nil //nolint:nilnil // an earlier run that has ended is none that goes on
	}
	env.say("%s is running already; this comes back to it", item.workflowID)
	return attach(ctx, s, item, info.GetExecution().GetRunId()), nil
}

// planBatch lists and checks every file; its faults are the user's.
func planBatch(ctx context.Context, env *Env, item batchItem) (manifest.Plan, error) {
	spec := item.input.Spec
	count := env.counter()
	plan, err := manifest.Make(ctx, spec, manifest.NewFolder(spec.Output, item.input.Name, time.Now()), func(t manifest.Tally) {
		count.Show("listing… %s", plural(t.Listed, "file", "files"))
	})
	count.Clear()
	return plan, planFault(ctx, err)
}

func planFault(ctx context.Context, err error) error {
	var faults *manifest.Faults
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &faults):
		return Usagef("%s\nnothing was started", printable(faults.Error()))
	}
	return Usagef("plan the batch: %w", err)
}

func (b *batchStart) nothingToDo(env *Env, item batchItem, plan manifest.Plan) error {
	if err := os.RemoveAll(plan.Folder); err != nil { // it was made for a run that is not needed
		return Usagef("clear the plan: %w", err)
	}
	if b.asJSON {
		o := item.outcome("")
		o.Status = batch.ResultCompleted
		o.Summary = &manifest.Summary{Files: plan.Current + plan.Skipped, Current: plan.Current, Skipped: plan.Skipped}
		return env.printJSON(o)
	}
	if plan.Skipped > 0 {
		env.say("nothing to convert: %d current, %d skipped because an output exists", plan.Current, plan.Skipped)
		return nil
	}
	env.say("everything is current: %s", plural(plan.Current, "file", "files"))
	return nil
}

// dryItem is one file of a dry run.
type dryItem struct {
	Source  string `json:"source"`
	Output  string `json:"output"`
	From    string `json:"from"`
	To      string `json:"to"`
	Size    int64  `json:"size"` // bytes of the source
	Quality string `json:"quality,omitempty"`
	Pages   string `json:"pages,omitempty"`
}

// show prints what the batch would convert. The items wait for their plan, which says what their paths are relative to.
func (b *batchStart) show(ctx context.Context, env *Env, item batchItem) error {
	var items []manifest.Item
	plan, err := manifest.Check(ctx, item.input.Spec, func(i manifest.Item) error {
		items = append(items, i)
		return nil
	})
	if err := planFault(ctx, err); err != nil {
		return err
	}
	for _, i := range items {
		if err := env.printDry(plan, i, b.asJSON); err != nil {
			return err
		}
	}
	env.say("%s to convert (%s), %d current, %d skipped; nothing was started",
		plural(plan.Items, "file", "files"), bytesText(plan.Bytes), plan.Current, plan.Skipped)
	return nil
}

func (e *Env) printDry(plan manifest.Plan, i manifest.Item, asJSON bool) error {
	it := dryItem{
		Source: plan.SourcePath(i), Output: plan.DestPath(i) + "." + plan.Target(i), From: i.From, To: plan.Target(i),
		Size: i.Size, Quality: i.Quality, Pages: i.Pages,
	}
	if asJSON {
		return e.printJSON(it)
	}
	_, err := fmt.Fprintf(e.Stdout, "%s → %s\n", oneLine(shortPath(it.Source)), oneLine(shortPath(it.Output)))
	return err
}
