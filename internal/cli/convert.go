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
		Long: "Converts each INPUT to FORMAT. Several formats stand with commas; INPUT:FORMAT gives one input its own.\n" +
			"The outputs go beside their inputs, or to -o: a folder, or a file name for a single output.\n\n" +
			"The run is named by input, target and options: after a crash the same command finds the same run,\n" +
			"and what was done is not done again.",
		Example: "  " + env.Program + " convert report.md --to pdf,html -o out/\n" +
			"  " + env.Program + " convert letter.docx:pdf photo.png:jpg,webp --json\n" +
			"  " + env.Program + " convert book.pdf --to txt --pages 1-3",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return Usagef("nothing to convert; name at least one file, see '%s convert --help'", env.Program)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.inputs = args
			return convertFile(cmd.Context(), env, r, marks, detach, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.to, "to", "", "target format, or several with commas (pdf, html, jpg, ...)")
	flags.StringVarP(&r.output, "output", "o", "", "output folder, or file name for a single output (default: beside the input)")
	flags.StringVar(&r.from, "from", "", "source format, where the file name does not tell it")
	flags.StringVar(&r.quality, "quality", "", "1-100 for images, standard or high for documents")
	flags.StringVar(&r.pages, "pages", "", "pages of a document, such as 1-5")
	flags.StringVar(&r.onExist, "on-exist", onExistFail, "when an output exists: fail, skip or overwrite")
	marks.flag(cmd)
	flags.BoolVar(&detach, "detach", false, "start the runs and return; see them with 'runs'")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object a file")
	return cmd
}

func convertFile(ctx context.Context, env *Env, r request, marks labels, detach, asJSON bool) error {
	if err := marks.check(); err != nil {
		return err
	}
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
	outcomes, todo, err := settleExisting(ctx, session, items, r.onExist)
	if err != nil {
		return err
	}
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
	ended, err := env.follow(ctx, session, started, asJSON, nil)
	if err != nil {
		return err
	}
	if !asJSON {
		env.sumUp(append(outcomes, ended...), time.Since(begun))
	}
	return exitFor(append(outcomes, ended...))
}

// settleExisting decides about items whose output exists already, before anything is started.
func settleExisting(ctx context.Context, s *Session, items []item, onExist string) (settled []result, todo []item, err error) {
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
			taken = append(taken, shortPath(path))
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
	e.printf("%s, %s", text, took.Round(100*time.Millisecond))
}
