package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/standalone/bench"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// benchRequest is a bench command as typed.
type benchRequest struct {
	files, concurrency, rounds int
	only                       []string
	dir, profiles              string
	asJSON                     bool
}

func newBench() *cobra.Command {
	var r benchRequest
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure batches beside the bare client and a child workflow per file", Args: cobra.NoArgs, Hidden: true,
		Long: "Converts the same files in turn by the bare client, by a child workflow a file, and by ConvertBatch, with a stack\n" +
			"and a conversion service of its own, which end with it. docs/bench.md says what is measured and how.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("faults") {
				return cli.Usagef("bench measures a service that commits no faults; leave --faults out")
			}
			return r.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&r.files, "files", 480, "files a turn; a 24th where conversions are costly")
	flags.IntVar(&r.concurrency, "concurrency", 50, "files at once; a sixth where conversions are costly")
	flags.IntVar(&r.rounds, "rounds", 2, "turns of each contestant")
	flags.StringSliceVar(&r.only, "only", nil, "some of "+strings.Join(bench.Kinds(), ", "))
	flags.StringVar(&r.dir, "dir", "", "existing folder to put the temporary one into, to measure its disk")
	flags.StringVar(&r.profiles, "profiles", "", "existing folder for a CPU profile of each contestant's last turn")
	flags.BoolVar(&r.asJSON, "json", false, "print one JSON object")
	return cmd
}

// check reports every fault at once.
func (r benchRequest) check() error {
	var faults []error
	within := func(flag string, n, most int) {
		if n < 1 || n > most {
			faults = append(faults, fmt.Errorf("--%s %d is not a number from 1 to %d", flag, n, most))
		}
	}
	within("files", r.files, 100_000)
	within("concurrency", r.concurrency, batch.MaxConcurrency)
	within("rounds", r.rounds, 100)
	for _, name := range r.only {
		if !slices.Contains(bench.Kinds(), name) {
			faults = append(faults, fmt.Errorf("--only %q is none of %s", name, strings.Join(bench.Kinds(), ", ")))
		}
	}
	if info, err := os.Stat(r.profiles); r.profiles != "" && (err != nil || !info.IsDir()) {
		faults = append(faults, fmt.Errorf("--profiles %s is not a folder; create it", r.profiles))
	}
	if err := errors.Join(faults...); err != nil {
		return &cli.Failure{Code: cli.ExitUsage, Err: err}
	}
	return nil
}

func (r benchRequest) run(cmd *cobra.Command) error {
	if err := r.check(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(r.dir, "convilyn-bench-")
	if err != nil {
		return cli.Usagef("make a temporary folder, choose another place with --dir: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	report, err := r.measure(cmd.Context(), dir, func(text string) { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), text) })
	if ctxErr := cmd.Context().Err(); ctxErr != nil {
		return ctxErr
	}
	if err != nil {
		return cli.APIError(err)
	}
	if r.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
	}
	return bench.WriteTable(cmd.OutOrStdout(), report)
}

// measure brings up a service in a process of its own, so that its work is told from that of worker and Temporal, and
// the stack in this one.
func (r benchRequest) measure(ctx context.Context, dir string, say func(string)) (*bench.Report, error) {
	service, err := startService(ctx, filepath.Join(dir, "service"))
	if err != nil {
		return nil, err
	}
	defer service.stop()
	// The environment is the product's; what is compared shall not depend on it.
	cfg, err := config.Load(func(string) string { return "" })
	if err != nil {
		return nil, err
	}
	cfg.BaseURL, cfg.APIKey = service.url, config.Secret(service.key)
	cfg.PollInterval, cfg.MaxActivities = stack.LocalPoll, r.concurrency
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the files: %w", err)
	}
	cfg.Roots = []string{work}
	s, err := stack.Open(ctx, stack.Options{Dir: filepath.Join(dir, "data"), Remote: true, Config: cfg}, say)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return bench.Run(ctx, bench.Config{
		Dir: work, Files: r.files, Concurrency: r.concurrency, Rounds: r.rounds, Only: r.only,
		Temporal: s.Temporal, Worker: host.WorkerOptions(cfg), BaseURL: service.url, Key: service.key, Poll: cfg.PollInterval,
		Service: service.use, Say: say, Profiles: r.profiles,
	})
}
