package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/manifest"
)

// reportFilter picks lines of a report.
type reportFilter struct{ status, code string }

func (f reportFilter) check() error {
	known := []string{
		string(manifest.StatusCompleted), string(manifest.StatusFailed), string(manifest.StatusCancelled), string(manifest.StatusCurrent),
		string(manifest.StatusSkipped), string(manifest.StatusNotStarted),
	}
	if f.status == "" || slices.Contains(known, f.status) {
		return nil
	}
	return notOneOf("status", f.status, known)
}

func (f reportFilter) picks(line manifest.Line) bool {
	return (f.status == "" || f.status == string(line.Status)) &&
		(f.code == "" || line.Error != nil && line.Error.Code == f.code)
}

func newRunsReport(env *Env) *cobra.Command {
	var f reportFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use: "report RUN", Short: "Print what became of every file of a batch", Args: oneBatch(env, "report"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return env.withReport(cmd.Context(), args[0], func(_ context.Context, path string) error {
				return env.printReport(path, f, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&f.status, "status", "", "only files that are completed, failed, cancelled, current, skipped or not_started")
	cmd.Flags().StringVar(&f.code, "code", "", "only files that failed with this code")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the lines as they are, one JSON object a file")
	return cmd
}

// withReport finds the report of a batch or a watch and works with it.
func (e *Env) withReport(ctx context.Context, id string, do func(ctx context.Context, path string) error) error {
	return e.withSession(ctx, func(ctx context.Context, s *Session) error {
		d, err := describe(ctx, s, id)
		if err != nil {
			return err
		}
		path, err := reportOf(ctx, s, d.Run)
		if err != nil {
			return err
		}
		return do(ctx, path)
	})
}

// reportOf is the path of the whole report of a batch or a watch, which is there.
func reportOf(ctx context.Context, s *Session, r runs.Run) (string, error) {
	if !r.Kind.HasReport() {
		return "", noBatch(r)
	}
	path := manifest.ReportPath(r.Output, r.Name)
	if !r.Kind.Endless && !r.Open() {
		end, err := s.runs().Result(ctx, r.Kind, r.ID, r.RunID)
		if err != nil {
			return "", fmt.Errorf("read how %s ended: %w", r.ID, err)
		}
		if end.Batch != nil && end.Batch.Summary.Report != "" {
			path = end.Batch.Summary.Report
		}
	}

	_, err := os.Stat(path)
	switch {
	case err == nil:
		return path, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", Usagef("the report cannot be read: %w", err)
	case r.Kind.Endless:
		return "", Usagef("%s has no report yet, it is written with the first wave; see 'runs show %s'", r.ID, r.ID)
	case !r.Open():
		return "", Usagef("%s is not there; start the same batch again: what is done already is current, and a report is written", path)
	}
	return "", Usagef("%s has no report yet, it is written at the end; see 'runs show %s'", r.ID, r.ID)
}

func (e *Env) printReport(path string, f reportFilter, asJSON bool) error {
	var failed error // of printing, which is no fault of the report
	err := manifest.Lines(path, func(line manifest.Line) error {
		if !f.picks(line) {
			return nil
		}
		if asJSON {
			failed = e.printJSON(line)
		} else {
			_, failed = fmt.Fprintln(e.Stdout, term.OneLine(reportLine(line)))
		}
		return failed
	})
	if err != nil && failed == nil {
		return Usagef("read the report: %w", err)
	}
	return failed
}

// reportLine is status, source, outputs, and why there are none.
func reportLine(line manifest.Line) string {
	text := fmt.Sprintf("%s %s", line.Status, line.Source)
	paths := make([]string, 0, len(line.Outputs))
	for _, output := range line.Outputs {
		paths = append(paths, shortPath(output.Path))
	}
	if len(paths) > 0 {
		text += " → " + strings.Join(paths, ", ")
	}
	for _, warning := range line.Warnings {
		if strings.HasPrefix(warning, "check: ") {
			text += " | " + warning
		}
	}
	if line.Error != nil {
		text += fmt.Sprintf(" | %s: %s", line.Error.Code, line.Error.Message)
	}
	return text
}

func newRunsVerify(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "verify RUN", Short: "Check that every output of a batch is still as its report says", Args: oneBatch(env, "verify"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withReport(cmd.Context(), args[0], func(ctx context.Context, path string) error {
				return env.verify(ctx, path, asJSON)
			})
		},
	}
	env.progressFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object an output that is wrong")
	return cmd
}

func (e *Env) verify(ctx context.Context, path string, asJSON bool) error {
	count := e.counter()
	verified, err := manifest.Verify(ctx, path, func(m manifest.Mismatch) error {
		count.Clear()
		if asJSON {
			return e.printJSON(m)
		}
		_, err := fmt.Fprintln(e.Stdout, term.OneLine(shortPath(m.Path)+" "+m.Problem))
		return err
	}, func(done int) { count.Show("verifying… %s", term.Plural(done, "output", "outputs")) })
	count.Clear()
	if err != nil {
		return Usagef("verify %s: %w", shortPath(path), err)
	}
	e.remark("%s of %s verified (%s), %d wrong", term.Plural(verified.Outputs, "output", "outputs"),
		term.Plural(verified.Files, "file", "files"), term.Bytes(verified.Bytes), verified.Wrong)
	if verified.Wrong > 0 {
		return &Failure{Code: ExitJobFailed}
	}
	return nil
}
