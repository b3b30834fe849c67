// Package bench measures what durability costs: the same files converted by the bare client, by a child workflow a
// file, and by ConvertBatch, in turn, with one Temporal and one conversion service.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/convilyn/convilyn-temporal/client"
)

// Config is what is measured and with what.
type Config struct {
	Dir         string // exists, and is empty; for inputs and outputs
	Files       int    // a turn
	Concurrency int    // files at once; where conversions are costly it is a part of both
	Rounds      int
	Only        []string // names of Kinds; all where empty

	Temporal temporalclient.Client
	// Worker is the options of the product's own worker, which serves workflows.TaskQueue; the other contestants
	// get workers of their own with the same.
	Worker  worker.Options
	BaseURL string // of the service
	Key     string
	Poll    time.Duration // first wait between two looks at a job, that of the product's worker
	// Service tells what the service has used since it was started.
	Service func() (ServiceUse, error)
	Say     func(text string) // one line of progress
	// Profiles is an existing folder for CPU profiles, NAME.pprof, of each contestant's last turn; empty for none.
	Profiles string
}

// ServiceUse is what a conversion service has done and used so far.
type ServiceUse struct {
	Requests  int64   `json:"requests"`  // to the API
	Transfers int64   `json:"transfers"` // to its storage, up and down
	CPU       float64 `json:"cpu"`       // seconds
}

// Run measures. It ends early, without a report, when ctx does.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	api, err := client.New(cfg.BaseURL, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("the conversion service: %w", err)
	}
	defer api.CloseIdleConnections()
	workers, err := startWorkers(cfg, api)
	if err != nil {
		return nil, err
	}
	defer workers.stop()
	r := newReport(cfg)
	for _, k := range kinds {
		if len(cfg.Only) > 0 && !slices.Contains(cfg.Only, k.name) {
			continue
		}
		m := &measurement{Config: cfg, kind: k, api: api}
		m.Files, m.Concurrency = max(1, cfg.Files/k.share), max(1, cfg.Concurrency/k.narrow)
		result, err := m.run(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
		r.Kinds = append(r.Kinds, result)
	}
	return r, nil
}

// measurement is one kind of conversion, all contestants, all rounds.
type measurement struct {
	Config
	kind  kind
	api   *client.Client
	turns int
}

func (m *measurement) run(ctx context.Context) (KindReport, error) {
	result := KindReport{Name: m.kind.name, Title: m.kind.title, Files: m.Files, Concurrency: m.Concurrency}
	missing, err := m.missing(ctx)
	if err != nil || missing != "" {
		result.Skipped = missing
		return result, err
	}
	warm := inputs{filepath.Join(m.Dir, m.kind.name+"-warm"), min(m.Files, m.kind.warm)}
	if _, err := m.kind.write(warm); err != nil {
		return result, err
	}
	all := inputs{filepath.Join(m.Dir, m.kind.name), m.Files}
	if result.InputBytes, err = m.kind.write(all); err != nil {
		return result, err
	}
	if result.Contestants, err = m.compete(ctx, warm, all); err != nil {
		return result, err
	}
	result.Targets = m.kind.judge(result.Contestants)
	return result, nil
}

// compete lets each contestant warm up, and then has them take turns.
func (m *measurement) compete(ctx context.Context, warm, all inputs) ([]Contestant, error) {
	contestants := m.contestants()
	results := make([]Contestant, len(contestants))
	for i, c := range contestants {
		m.Say(fmt.Sprintf("%s: warming up: %s", m.kind.name, c.name))
		if _, err := m.take(ctx, c, warm); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		results[i].Name = c.name
	}
	for round := range m.Rounds {
		for _, at := range order(round, len(contestants)) {
			c := contestants[at]
			if round == m.Rounds-1 {
				c = m.profiled(c)
			}
			figures, err := m.take(ctx, c, all)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			m.Say(fmt.Sprintf("%s: round %d of %d: %s: %.1f files/s", m.kind.name, round+1, m.Rounds, c.name, figures.FilesPerSecond))
			results[at].Turns = append(results[at].Turns, figures)
		}
	}
	for i := range results {
		results[i].Median = medians(results[i].Turns)
	}
	return results, nil
}

// order is who comes when: A B C, then C A B, then B C A. Nobody always has the emptier database.
func order(round, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = (i + round*(n-1)) % n
	}
	return all
}

// missing says why this kind cannot be measured here; empty where it can.
func (m *measurement) missing(ctx context.Context) (string, error) {
	family, err := client.FamilyFor(m.kind.source, m.kind.target)
	if err != nil {
		return "", err
	}
	list, err := m.api.Support(ctx, family)
	if err != nil {
		return "", fmt.Errorf("ask the service what it converts: %w", err)
	}
	same := func(source, target string) bool { return source == m.kind.source && target == m.kind.target }
	if slices.ContainsFunc(list.Routes, func(r client.Route) bool { return same(r.Source, r.Target) }) {
		return "", nil
	}
	text := fmt.Sprintf("the service does not convert %s to %s", m.kind.source, m.kind.target)
	if i := slices.IndexFunc(list.Unavailable, func(r client.UnavailableRoute) bool { return same(r.Source, r.Target) }); i >= 0 {
		text += "; install " + list.Unavailable[i].Install
	}
	return text, nil
}

// inputs is a folder of files to convert.
type inputs struct {
	folder string
	files  int
}

// task is what a contestant gets to do.
type task struct {
	inputs
	id  string // unique
	out string // folder
}

// take lets a contestant convert everything in a folder, and measures that.
func (m *measurement) take(ctx context.Context, c contestant, in inputs) (Figures, error) {
	m.turns++
	t := task{inputs: in, id: fmt.Sprintf("bench-%s-%d", m.kind.name, m.turns)}
	t.out = filepath.Join(m.Dir, t.id)
	if err := os.Mkdir(t.out, 0o700); err != nil {
		return Figures{}, fmt.Errorf("make a folder for outputs: %w", err)
	}
	// What the contestants before have left in memory is not this one's.
	debug.FreeOSMemory()
	before, err := m.Service()
	if err != nil {
		return Figures{}, err
	}
	meter := startMeter()
	first, runErr := c.run(ctx, t)
	use := meter.stop()
	after, err := m.Service()
	if err := errors.Join(runErr, err); err != nil {
		return Figures{}, err
	}
	if err := m.check(c, t); err != nil {
		return Figures{}, err
	}
	total, err := count(ctx, m.Temporal, first)
	if err != nil {
		return Figures{}, err
	}
	return figures(t.files, use, total, ServiceUse{
		Requests: after.Requests - before.Requests, Transfers: after.Transfers - before.Transfers, CPU: after.CPU - before.CPU,
	}), os.RemoveAll(t.out)
}

// check looks for the outputs: a contestant that is fast because it does not do its work is no contestant.
func (m *measurement) check(c contestant, t task) error {
	if m.kind.canned {
		return nil // nothing is converted; the contestants count what they have done
	}
	entries, err := os.ReadDir(t.out)
	if err != nil {
		return fmt.Errorf("count the outputs: %w", err)
	}
	made := 0
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) == "."+m.kind.target {
			made++
		}
	}
	if made != t.files {
		return fmt.Errorf("%s made %d outputs of %d files", c.name, made, t.files)
	}
	return nil
}
