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
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
)

// Run measures. It ends early, without a report, when ctx does.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	api, err := client.New(cfg.BaseURL, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("the conversion service: %w", err)
	}
	defer api.CloseIdleConnections()
	workers, err := startWorkers(cfg.Temporal, cfg.Worker, cfg.Poll, api)
	if err != nil {
		return nil, err
	}
	defer workers.stop()
	r := newReport(cfg.Rounds)
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

// profiled is the contestant with a profile of what this process computes meanwhile.
func (m *measurement) profiled(c contestant) contestant {
	if m.Profiles == "" {
		return c
	}
	name := strings.ReplaceAll(m.kind.name+"-"+c.name, " ", "-") + ".pprof"
	return contestant{c.name, func(ctx context.Context, t task) (*execution, error) {
		file, err := os.Create(filepath.Join(m.Profiles, name)) //nolint:gosec // the user's own folder
		if err != nil {
			return nil, fmt.Errorf("write a profile: %w", err)
		}
		defer file.Close() //nolint:errcheck // a profile that is cut says so when it is read
		if err := pprof.StartCPUProfile(file); err != nil {
			return nil, fmt.Errorf("write a profile: %w", err)
		}
		defer pprof.StopCPUProfile()
		return c.run(ctx, t)
	}}
}
