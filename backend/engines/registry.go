package engines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Registry finds the engine for a pair. The first engine that runs here and has the route wins; where it refuses
// an input, the next one is tried.
type Registry struct {
	engines []Engine // available ones, in order of preference
	missing []Engine // known, but not on this machine
}

// NewRegistry checks every engine, all at once, and keeps those that can run here, in the order given.
func NewRegistry(ctx context.Context, all ...Engine) *Registry {
	faults := make([]error, len(all))
	var checks sync.WaitGroup
	for i, e := range all {
		if e.Check != nil {
			checks.Go(func() { faults[i] = e.Check(ctx) })
		}
	}
	checks.Wait()
	r := &Registry{}
	for i, e := range all {
		if faults[i] != nil {
			r.missing = append(r.missing, e)
			continue
		}
		r.engines = append(r.engines, e)
	}
	return r
}

// OfferedRoute is a route with the engine that serves it.
type OfferedRoute struct {
	Route
	Engine string
}

// Offered lists each pair that this machine can convert once, with the engine that would do it.
func (r *Registry) Offered() []OfferedRoute {
	var out []OfferedRoute
	seen := map[[2]string]bool{}
	for _, e := range r.engines {
		for _, route := range e.Routes {
			key := [2]string{route.Source, route.Target}
			if seen[key] {
				continue
			}
			seen[key] = true
			out = append(out, OfferedRoute{Route: route, Engine: e.Name})
		}
	}
	return out
}

// Close closes every engine. No conversion may run.
func (r *Registry) Close() error {
	var faults []error
	for _, e := range r.engines {
		if e.Close == nil {
			continue
		}
		if err := e.Close(); err != nil {
			faults = append(faults, fmt.Errorf("close engine %s: %w", e.Name, err))
		}
	}
	return errors.Join(faults...)
}

// UnavailableRoute is a route with the package that would bring its engine.
type UnavailableRoute struct {
	Route
	Package string
}

// Unavailable lists the pairs that only engines missing on this machine convert.
func (r *Registry) Unavailable() []UnavailableRoute {
	var out []UnavailableRoute
	for _, e := range r.missing {
		for _, route := range e.Routes {
			if _, _, offered := find(r.engines, route.Source, route.Target); !offered {
				out = append(out, UnavailableRoute{Route: route, Package: e.Package})
			}
		}
	}
	return out
}

// Find returns the engine for a pair, or an *Error that names the package that would make it possible.
func (r *Registry) Find(source, target string) (Engine, Route, error) {
	var able []Engine
	var offered Route
	for _, e := range r.engines {
		if _, route, ok := find([]Engine{e}, source, target); ok {
			if able = append(able, e); len(able) == 1 {
				offered = route
			}
		}
	}
	if len(able) > 0 {
		return chain(able), offered, nil
	}
	var packages []string
	for _, e := range r.missing {
		if _, _, ok := find([]Engine{e}, source, target); ok {
			packages = append(packages, e.Package)
		}
	}
	if len(packages) > 0 {
		return Engine{}, Route{}, Errorf(CodeUnsupportedRoute,
			"%s to %s is not possible on this machine; installing %s makes it possible",
			source, target, strings.Join(packages, " or "))
	}
	return Engine{}, Route{}, Errorf(CodeUnsupportedRoute, "no engine here converts %s to %s", source, target)
}

// chain is the first engine, helped out by the others where it refuses an input.
func chain(able []Engine) Engine {
	first := able[0]
	first.Convert = func(ctx context.Context, in Request) (Result, error) {
		var refused error
		for _, e := range able {
			result, err := e.Convert(ctx, in)
			if !refuses(err) {
				return result, err
			}
			if refused == nil {
				refused = err
			}
			if err := empty(in.OutDir); err != nil {
				return Result{}, err
			}
		}
		return Result{}, refused
	}
	return first
}

// refuses tells an input that an engine does not take from one that it failed on.
func refuses(err error) bool {
	known, ok := AsError(err)
	return ok && known.Code == CodeUnsupportedInput
}

// empty removes what an engine wrote before it refused.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("clear the outputs: %w", err)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("clear the outputs: %w", err)
		}
	}
	return nil
}

func find(engines []Engine, source, target string) (Engine, Route, bool) {
	for _, e := range engines {
		for _, route := range e.Routes {
			if route.Source == source && route.Target == target {
				return e, route, true
			}
		}
	}
	return Engine{}, Route{}, false
}
