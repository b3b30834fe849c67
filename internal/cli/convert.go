package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
)

func newConvert(env *Env) *cobra.Command {
	var r request
	var marks labels
	var detach, asJSON bool
	cmd := &cobra.Command{
		Use:   "convert INPUT... [--to FORMAT]",
		Short: "Convert files, durably",
		Long: "Converts each INPUT to FORMAT. Several formats are separated by commas; INPUT:FORMAT gives one input its own.\n" +
			"The outputs go beside their inputs, or to -o: a folder, or a file name for a single output, which also names the\n" +
			"format. An INPUT of - is standard input, and -o - is standard output; - goes to standard output where there is no -o.\n\n" +
			"Where one of several inputs cannot be converted to the format, it is named and left out; --strict refuses then.\n" +
			"An output that an earlier run has made of the same input, and that nobody has changed, is replaced.\n\n" +
			"The run is named by input, target and options: after a crash the same command finds the same run,\n" +
			"and what was done is not done again.",
		Example: "  " + env.Program + " convert report.md --to pdf,html -o out/\n" +
			"  " + env.Program + " convert letter.docx:pdf photo.png:jpg,webp --json\n" +
			"  " + env.Program + " convert book.pdf -o chapter.txt --pages 1-3\n" +
			"  " + env.Program + " convert * --to pdf -o out/\n" +
			"  curl https://example.com | " + env.Program + " convert - --from html --to md",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return Usagef("nothing to convert; name at least one file, see '%s convert --help'", env.Program)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.inputs = args
			if err := r.options.read(cmd, &r.quality, &r.pages); err != nil {
				return err
			}
			var err error
			if r.onLoss, r.policy, err = r.losses.read(&r.options); err != nil {
				return Usagef("%w", err)
			}
			return convertFile(cmd.Context(), env, r, marks, detach, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.to, "to", "", "target format, or several with commas (pdf, html, jpg, ...)")
	flags.StringVarP(&r.output, "output", "o", "", "output folder, or file name for a single output, or - (default: beside the input)")
	flags.StringVar(&r.from, "from", "", "source format, where the file name does not tell it")
	flags.StringVar(&r.quality, "quality", "", "1-100 for images, standard or high for documents")
	flags.StringVar(&r.pages, "pages", "", "pages of a document, such as 1-5")
	r.options.flags(cmd)
	r.losses.flags(cmd)
	flags.StringVar(&r.onExist, "on-exist", onExistFail, "when an output exists: fail, skip or overwrite")
	flags.BoolVar(&r.strict, "strict", false, "refuse inputs that cannot be converted to the format, where there are several")
	marks.flag(cmd)
	env.progressFlags(cmd)
	flags.BoolVar(&detach, "detach", false, "start the runs and return; see them with 'runs'")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object a file")
	return cmd
}

func convertFile(ctx context.Context, env *Env, r request, marks labels, detach, asJSON bool) error {
	if err := marks.check(); err != nil {
		return err
	}
	r, err := env.spooled(r, detach, asJSON)
	if err != nil {
		return err
	}
	skipped := r.leaveOut()
	items, err := plan(r)
	if err != nil {
		return err
	}
	session, err := env.open(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	for i := range items {
		items[i].workflowID = session.sealedID(items[i].workflowID)
	}
	outcomes, todo, err := env.settleExisting(ctx, session, items, r.onExist)
	if err != nil {
		return err
	}
	outcomes = append(skipped, outcomes...)
	for _, o := range outcomes {
		if err := env.print(o, asJSON); err != nil {
			return err
		}
	}
	started, err := startAll(ctx, session, todo, marks)
	if err != nil {
		return APIError(fmt.Errorf("start the runs: %w", err))
	}
	if detach {
		return detached(env, session, started, asJSON)
	}
	begun := time.Now()
	follow := func() ([]result, error) { return env.follow(ctx, session, started, asJSON, nil) }
	if r.losses.asks() {
		follow = func() ([]result, error) { return env.followAsking(ctx, session, started, asJSON) }
	}
	ended, err := follow()
	if err != nil {
		return err
	}
	outcomes = append(outcomes, ended...)
	if err := r.spool.end(env, outcomes); err != nil {
		return err
	}
	if !asJSON && !r.spool.pours() {
		env.sumUp(outcomes, time.Since(begun))
	}
	return exitFor(outcomes)
}

// settleExisting decides about items whose output exists already, before anything is started.
func (e *Env) settleExisting(ctx context.Context, s *Session, items []item, onExist string) (settled []result, todo []item, err error) {
	var taken []string
	for _, it := range items {
		path, exists := it.existing()
		if !exists {
			todo = append(todo, it)
			continue
		}
		done, running, err := earlierRun(ctx, s, it)
		switch {
		case err != nil:
			return nil, nil, APIError(err)
		case done != nil:
			end, err := s.await(ctx, done)
			if err != nil {
				return nil, nil, APIError(err)
			}
			settled = append(settled, end)
		case running, onExist == onExistOverwrite:
			todo = append(todo, it)
		case onExist == onExistSkip:
			o := newOutcome(it, "")
			o.Status, o.Error = statusSkipped, &outcomeError{Code: "OUTPUT_EXISTS", Message: shortPath(path) + " exists"}
			settled = append(settled, o)
		default:
			former, err := formerOutputs(ctx, s, it, path)
			if err != nil {
				return nil, nil, APIError(err)
			}
			if len(former) == 0 {
				taken = append(taken, shortPath(path))
				continue
			}
			e.remark("%s: replaces what an earlier run has made of %s", shortPath(path), it.source)
			it.input.To.Replace = former
			todo = append(todo, it)
		}
	}
	if len(taken) > 0 {
		return nil, nil, outputsExist(taken)
	}
	return settled, todo, nil
}

func outputsExist(paths []string) error {
	more := ""
	if len(paths) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(paths)-1)
	}
	return Usagef("%s exists%s; use --on-exist skip or overwrite, or another -o; nothing was started", paths[0], more)
}

func startAll(ctx context.Context, s *Session, items []item, marks labels) ([]*watched, error) {
	started := make([]*watched, len(items))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(startsAtOnce)
	for i, it := range items {
		group.Go(func() error {
			w, err := startOne(ctx, s, it, marks)
			started[i] = w
			return err
		})
	}
	return started, group.Wait()
}

// sumUp is the last line for people.
func (e *Env) sumUp(all []result, took time.Duration) {
	counts := map[string]int{}
	for _, r := range all {
		counts[r.state()]++
	}
	text := fmt.Sprintf("%d of %s done", counts[workflows.StateCompleted], term.Plural(len(all), "conversion", "conversions"))
	for _, status := range []string{workflows.StateFailed, workflows.StateCancelled, statusSkipped} {
		if counts[status] > 0 {
			text += fmt.Sprintf(", %d %s", counts[status], status)
		}
	}
	e.remark("%s, %s", text, took.Round(100*time.Millisecond))
}
