package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/internal/runs"
)

// Ledger is what commands on a data folder have named, and so what its worker may use.
func Ledger(dir string) *roots.Ledger { return roots.Open(filepath.Join(dir, datafolder.RootsFile)) }

// Spool is where commands keep standard input for their runs, and find what goes to standard output. The worker uses all of it.
func Spool(dir string) string { return filepath.Join(dir, "stdin") }

// Name has the worker use what a command names. What is in the spool is not kept: it is there for one run.
func Name(dir string, places ...roots.Place) error {
	spool := roots.Place{Path: Spool(dir), Of: roots.Tree}
	lasting := slices.DeleteFunc(slices.Clone(places), func(p roots.Place) bool { return spool.Holds(p.Path) })
	if len(lasting) == 0 {
		return nil
	}
	return Ledger(dir).Add(lasting...)
}

// holdToRoots lets the worker use what commands have named, the files that come by the inbox, the spool, and what CONVILYN_ROOTS names. A data
// folder of a version that had no such file gets what its open runs and schedules name; where that cannot be read, everything:
// nothing that was begun is to be lost.
func (s *Stack) holdToRoots(ctx context.Context, cfg *config.Config, before bool) error {
	cfg.Ledger = filepath.Join(s.Dir, datafolder.RootsFile)
	cfg.Roots = append([]string{filepath.Join(s.Dir, "inbox"), Spool(s.Dir)}, cfg.Roots...)
	ledger := Ledger(s.Dir)
	if ledger.Exists() {
		return nil
	}
	if !before {
		return ledger.Add()
	}
	places, err := s.named(ctx)
	if err == nil {
		err = ledger.Add(places...)
	}
	if err != nil {
		s.Logger.Warn("cannot tell what the open runs of an earlier version use; the worker may use all files", zap.Error(err))
		return ledger.Add(roots.Place{Path: "/", Of: roots.Tree}, roots.Place{Path: "/", Of: roots.Tree, Write: true})
	}
	return nil
}

// named is what the open runs and the schedules name.
func (s *Stack) named(ctx context.Context) ([]roots.Place, error) {
	const most = 1_000_000
	c := &runs.Client{Temporal: s.Temporal, Namespace: Namespace}
	open, err := c.List(ctx, runs.Filter{State: "running"}, most)
	if err != nil {
		return nil, err
	}
	var places []roots.Place
	for _, run := range open {
		named, err := c.PlacesOf(ctx, run)
		if err != nil {
			return nil, err
		}
		places = append(places, named...)
	}
	names, err := c.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		schedule, err := c.Schedule(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("read the schedule %s: %w", name, err)
		}
		listed, err := runs.Listed(ctx, schedule.Input.Spec)
		if err != nil {
			return nil, err
		}
		places = append(append(places, runs.Places(schedule.Input)...), listed...)
	}
	return places, nil
}
