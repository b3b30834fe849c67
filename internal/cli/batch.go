package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

const concurrencyDefault = 50

// batchStart is how a batch is started and followed.
type batchStart struct {
	request batchRequest
	labels  labels
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
			"(.jsonl, .csv) with one file a line. Everything is listed and checked first. A file of a folder that is empty or\n" +
			"cannot be read is a failed line of the report (--strict: nothing is started); where something else is wrong, or in\n" +
			"a line of a manifest, nothing is started. Outputs whose source has not changed since are current and are not made\n" +
			"again.\n\n" +
			"The run is named by source, options and output folder: the same command comes back to the run that goes on, and\n" +
			"after its end converts what is new, changed or missing. It ends with a report of every file in DIR.\n\n" +
			"With --every it is done again and again by a schedule, with --watch as files come. Then nobody is there to fix\n" +
			"things: what cannot be converted is named in the report, and the rest goes on.",
		Example: "  " + env.Program + " batch docs/ --to pdf -o out/\n" +
			"  " + env.Program + " batch 'scans/**/*.png' --to jpg --quality 80 -o out/ --exclude 'drafts/**'\n" +
			"  " + env.Program + " batch jobs.csv -o out/ --max-failures 100 --detach\n" +
			"  " + env.Program + " batch docs/ --to pdf -o out/ --every 1h\n" +
			"  " + env.Program + " batch inbox/ --to pdf -o out/ --watch --settle 10s",
		Args: oneSource(env),
		RunE: func(cmd *cobra.Command, args []string) error {
			b.request.source = args[0]
			b.request.options.fault = b.request.options.read(cmd, &b.request.quality, &b.request.pages)
			return b.run(cmd.Context(), env)
		},
	}
	b.flags(cmd)
	env.progressFlags(cmd)
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
	flags.StringVar(&r.to, "to", "", "target format; a manifest may name one per line")
	flags.StringVarP(&r.output, "output", "o", "", "folder for the outputs and the report")
	flags.StringVar(&r.from, "from", "", "source format, where the file names do not tell it")
	flags.StringVar(&r.quality, "quality", "", "1-100 for images, standard or high for documents")
	flags.StringVar(&r.pages, "pages", "", "pages of documents, such as 1-5")
	r.options.flags(cmd)
	r.losses.flags(cmd)
	flags.StringArrayVar(&r.include, "include", nil, "only files whose path in the source matches, such as '*.md'")
	flags.StringArrayVar(&r.exclude, "exclude", nil, "no files whose path in the source matches, such as 'drafts/**'")
	flags.StringVar(&r.onExist, "on-exist", onExistFail, "when another output exists: fail, skip or overwrite")
	flags.IntVar(&r.concurrency, "concurrency", concurrencyDefault, "files at once at most")
	flags.IntVar(&r.maxFailures, "max-failures", 0, "stop after more failed files than this (default: go on)")
	flags.BoolVar(&r.strict, "strict", false, "start nothing where a file of the folder cannot be used: empty, unreadable, too large")
	durationVar(flags, &r.maxDuration, "max-duration", 0, "start nothing more after so long, such as 8h")
	flags.IntVar(&r.shardFiles, "shard-files", 0, "split into child workflows of so many files, where there are more than twice as many (default 10000)")
	r.repeat.flags(cmd)
	flags.BoolVar(&b.replace, "replace", false, "with --every: put this in the place of a schedule of the same name")
	flags.StringVar(&r.name, "name", "", "what lists and the report are called (default: by source and format)")
	b.labels.flag(cmd)
	flags.BoolVar(&b.dryRun, "dry-run", false, "print what would be converted, and start nothing")
	flags.BoolVar(&b.detach, "detach", false, "start the run and return; see it with 'runs'")
	flags.BoolVar(&b.asJSON, "json", false, "print one JSON object; one a file with --dry-run")
}

func (b *batchStart) run(ctx context.Context, env *Env) error {
	if b.replace && b.request.repeat.every == 0 {
		return &Failure{Code: ExitUsage, Err: errReplace}
	}
	if err := b.labels.check(); err != nil {
		return err
	}
	item, err := b.request.item()
	if err != nil {
		return err
	}
	switch {
	case b.dryRun:
		return b.dry(ctx, env, item)
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
		plan, err := planBatch(ctx, env, session, item)
		if err != nil {
			return err
		}
		var left leftOut
		if err := plan.LeftOut(left.add); err != nil {
			return Usagef("read the plan: %w", err)
		}
		env.printLeft(left)
		if plan.Items == 0 && plan.Faulty == 0 {
			return b.nothingToDo(env, item, plan)
		}
		if err := nameElsewhere(session, plan); err != nil {
			return err
		}
		item.input.Plan = &plan
		if run, err = startOne(ctx, session, item, b.labels); err != nil {
			return APIError(fmt.Errorf("start the batch: %w", err))
		}
	}
	if b.detach {
		return detached(env, session, []*watched{run}, b.asJSON)
	}
	ended, err := env.followAsking(ctx, session, []*watched{run}, b.asJSON)
	if err != nil {
		return err
	}
	return exitFor(ended)
}

// running is the run of this batch that goes on; nil where there is none.
func (b *batchStart) running(ctx context.Context, env *Env, s *Session, item batchItem) (*watched, error) {
	d, found, err := findRun(ctx, s, item.workflowID)
	if err != nil || !found || !d.Open() {
		return nil, err
	}
	env.remark("%s is already running; attached", item.workflowID)
	return &watched{work: item, runID: d.RunID}, nil
}

// planBatch lists and checks every file; its faults are the user's.
func planBatch(ctx context.Context, env *Env, s *Session, item batchItem) (manifest.Plan, error) {
	spec := item.input.Spec
	count := env.counter()
	plan, err := manifest.Anywhere.Make(ctx, spec, manifest.NewFolder(s.State, spec.Output, item.input.Name, time.Now()), func(t manifest.Tally) {
		count.Show("listing… %s", term.Plural(t.Listed, "file", "files"))
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
		return Usagef("%s\nnothing was started", term.Printable(faults.Error()))
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
		env.printf("nothing to convert: %d current, %d skipped", plan.Current, plan.Skipped)
		return nil
	}
	env.printf("everything is current: %s", term.Plural(plan.Current, "file", "files"))
	return nil
}

// nameElsewhere names the sources of a manifest that are not in its folder.
func nameElsewhere(s *Session, plan manifest.Plan) error {
	if s.Name == nil {
		return nil
	}
	folders, err := plan.Elsewhere()
	if err != nil {
		return Usagef("read the plan: %w", err)
	}
	return s.Name(runs.Folders(folders)...)
}

// nameListed names those of a schedule. What its manifest lists elsewhere later is named when the command is repeated.
func nameListed(ctx context.Context, s *Session, spec manifest.Spec) error {
	if s.Name == nil {
		return nil
	}
	places, err := runs.Listed(ctx, spec)
	if err != nil {
		return Usagef("%w", err)
	}
	return s.Name(places...)
}

// leftOut is what a plan leaves out for what it is.
type leftOut struct {
	first []manifest.Line
	count int
}

const leftShown = 10

func (l *leftOut) add(line manifest.Line) error {
	l.count++
	if len(l.first) < leftShown {
		l.first = append(l.first, line)
	}
	return nil
}

func (e *Env) printLeft(l leftOut) {
	for _, line := range l.first {
		e.printf("left out: %s: %s", shortPath(line.Source), term.OneLine(line.Error.Message))
	}
	if more := l.count - len(l.first); more > 0 {
		e.printf("and %d more, which the report names", more)
	}
}

// dryItem is one file of a dry run.
type dryItem struct {
	Source  string        `json:"source"`
	Output  string        `json:"output"`
	From    string        `json:"from"`
	To      string        `json:"to"`
	Size    int64         `json:"size"` // bytes of the source
	Quality string        `json:"quality,omitempty"`
	Pages   string        `json:"pages,omitempty"`
	Options option.Values `json:"options,omitempty"`
}

// dry prints what the batch would convert. The items wait for their plan, which says what their paths are relative to.
func (b *batchStart) dry(ctx context.Context, env *Env, item batchItem) error {
	var items []manifest.Item
	var left leftOut
	plan, err := manifest.Check(ctx, item.input.Spec, func(i manifest.Item) error {
		items = append(items, i)
		return nil
	}, left.add)
	if err := planFault(ctx, err); err != nil {
		return err
	}
	for _, i := range items {
		if err := env.printDry(plan, i, b.asJSON); err != nil {
			return err
		}
	}
	env.printLeft(left)
	unusable := ""
	if plan.Faulty > 0 {
		unusable = fmt.Sprintf(", %d that cannot be used", plan.Faulty)
	}
	env.printf("%s to convert (%s), %d current, %d skipped%s; nothing was started",
		term.Plural(plan.Items, "file", "files"), term.Bytes(plan.Bytes), plan.Current, plan.Skipped, unusable)
	return nil
}

func (e *Env) printDry(plan manifest.Plan, i manifest.Item, asJSON bool) error {
	it := dryItem{
		Source: plan.SourcePath(i), Output: plan.DestPath(i) + "." + plan.Target(i), From: i.From, To: plan.Target(i),
		Size: i.Size, Quality: i.Quality, Pages: i.Pages, Options: i.Options,
	}
	if asJSON {
		return e.printJSON(it)
	}
	_, err := fmt.Fprintf(e.Stdout, "%s → %s\n", term.OneLine(shortPath(it.Source)), term.OneLine(shortPath(it.Output)))
	return err
}

// schedule makes the batch's schedule, whose first run begins at once so that what is wrong shows early.
func (b *batchStart) schedule(ctx context.Context, env *Env, item batchItem) error {
	return env.withSession(ctx, func(ctx context.Context, s *Session) error {
		every, name := b.request.repeat.every, item.input.Name
		spec := item.spec()
		spec.ID, spec.Labels = "scheduled-"+name, b.labels
		spec.Details = fmt.Sprintf("Converts `%s` into `%s`, every %s.", term.Cut(item.input.Spec.Source, 200), term.Cut(item.input.Spec.Output, 200), term.Setting(every))

		if err := nameListed(ctx, s, item.input.Spec); err != nil {
			return err
		}
		known, err := s.runs().Schedule(ctx, name)
		done := "made"
		switch {
		case errors.Is(err, runs.ErrNoSuchSchedule):
			err = s.runs().CreateSchedule(ctx, name, spec, every)
		case err != nil:
		case known.Every == every && sameJSON(known.Input, item.input):
			done = "there already"
		case !b.replace:
			row := scheduleRowOf(known)
			return Usagef("schedule %s already exists with other settings: %s → %s, every %s; use --replace or another --name",
				row.Name, shortPath(row.Source), shortPath(row.Output), row.Every)
		default:
			done = "replaced"
			err = s.runs().ReplaceSchedule(ctx, name, spec, every)
		}
		if err != nil {
			return fmt.Errorf("schedule the batch: %w", err)
		}

		if known, err = s.runs().Schedule(ctx, name); err != nil {
			return fmt.Errorf("look at the schedule: %w", err)
		}
		row := scheduleRowOf(known)
		if b.asJSON {
			return env.printJSON(row)
		}
		env.printScheduled(s, row, done)
		_, err = fmt.Fprintln(env.Stdout, row.Name)
		return err
	})
}

func (e *Env) printScheduled(s *Session, known scheduleRow, done string) {
	text := fmt.Sprintf("the schedule %s is %s: every %s", known.Name, done, known.Every)
	switch {
	case known.Paused:
		text += fmt.Sprintf("; it is paused, go on with '%s schedules resume %s'", e.Program, known.Name)
	case done != "there already":
		text += ", and once now"
	}
	e.printf("%s", text)
	e.printf("see it with '%s schedules show %s', hold it with 'schedules pause', remove it with 'schedules delete'", e.Program, known.Name)
	if !s.Stays {
		e.printf("it runs while the stack is up: run '%s up'", e.Program)
	}
}

// watch starts the watch, or comes back to the one that goes on.
func (b *batchStart) watch(ctx context.Context, env *Env, item batchItem) error {
	w := watchItem{workflowID: watchID(item.input.Name), source: item.source, input: watch.Input{
		Name: item.input.Name, Spec: item.input.Spec, Concurrency: item.input.Concurrency, MaxFailures: item.input.MaxFailures,
	}}
	s, err := env.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	run, err := env.watching(ctx, s, w)
	if err != nil {
		return APIError(err)
	}
	if run == nil {
		if run, err = startOne(ctx, s, w, b.labels); err != nil {
			return APIError(fmt.Errorf("start the watch: %w", err))
		}
		run.fresh = true
	}
	if b.detach {
		return detached(env, s, []*watched{run}, b.asJSON)
	}
	ended, err := env.follow(ctx, s, []*watched{run}, b.asJSON, nil)
	if err != nil {
		return err
	}
	return exitFor(ended)
}

// unwatched refuses a batch that a watch would share its report with.
func (e *Env) unwatched(ctx context.Context, s *Session, b batchItem) error {
	id := watchID(b.input.Name)
	d, found, err := findRun(ctx, s, id)
	if err != nil || !found || !d.Open() || d.Output != b.input.Spec.Output {
		return err
	}
	return Usagef("%s watches for files and writes the report of that name into %s; give this batch another --name, or end the watch with '%s runs cancel %s'",
		id, shortPath(b.input.Spec.Output), e.Program, id)
}

// watching is the watch of this name that goes on, if it is of the same files; nil where there is none.
func (e *Env) watching(ctx context.Context, s *Session, w watchItem) (*watched, error) {
	d, found, err := findRun(ctx, s, w.id())
	if err != nil || !found || !d.Open() {
		return nil, err
	}
	var input watch.Input
	if err := s.runs().Input(ctx, d.Run, &input); err != nil {
		return nil, err
	}
	input.Resume = nil
	if !sameJSON(input, w.input) {
		return nil, Usagef("a watch of %s is called %s already and has other settings; give this one another --name, or end that one with '%s runs cancel %s'",
			shortPath(input.Spec.Source), input.Name, e.Program, w.id())
	}
	e.remark("%s is already running; attached", w.id())
	return &watched{work: w, runID: d.RunID}, nil
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
