package engines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/convilyn/convilyn-temporal/client/option"
)

// Registry finds the engine for a pair. The first engine that runs here and has the route wins; where it refuses
// an input or fails on it, the next one is tried.
type Registry struct {
	engines []Engine // available ones, in order of preference
	missing []Engine // known, but not on this machine
}

// NewRegistry checks every engine, all at once, and keeps those that can run here, in the order given.
func NewRegistry(ctx context.Context, all ...Engine) *Registry {
	faults := make([]error, len(all))
	var checks sync.WaitGroup
	for i, e := range all {
		if e.Version != nil {
			checks.Go(func() { _, faults[i] = e.Version(ctx) })
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

// Around puts something around each engine that runs here.
func (r *Registry) Around(change func(Engine) Engine) {
	for i, e := range r.engines {
		r.engines[i] = change(e)
	}
}

// OfferedRoute is a route with the engine that serves it.
type OfferedRoute struct {
	Route
	Engine  string          // the one that goes first
	Options []option.Option // what any engine of the pair takes; never nil
}

// Offered lists each pair that this machine can convert once, with the engine that would do it.
func (r *Registry) Offered() []OfferedRoute {
	var out []OfferedRoute
	seen := map[[2]string]bool{}
	for _, e := range r.engines {
		for _, route := range e.Routes {
			key := [2]string{route.Source, route.Target}
			if seen[key] || route.finishes() {
				continue
			}
			seen[key] = true
			first, route, _ := find(r.engines, route.Source, route.Target)
			out = append(out, OfferedRoute{Route: route, Engine: first.Name, Options: r.Options(route.Source, route.Target)})
		}
	}
	return out
}

// Status is an engine as people ask about it.
type Status struct {
	Name    string
	Package string // to install where it is missing; empty for built-ins
	Version string // what the program says of itself; empty for built-ins and where it is missing
	Missing bool
	Routes  int // pairs that it converts, alone or where others refuse
	// Serves are the pairs that come to it first, Adds those that nothing else here has.
	Serves int
	Adds   int
}

// Statuses tells of every engine: those that run here in order of preference, then those that are missing.
func (r *Registry) Statuses(ctx context.Context) []Status {
	all := slices.Concat(r.engines, r.missing)
	missingFrom := len(r.engines)
	all = slices.DeleteFunc(all, func(e Engine) bool {
		finisher := len(e.Routes) > 0 && !slices.ContainsFunc(e.Routes, func(route Route) bool { return !route.finishes() })
		if finisher {
			missingFrom--
		}
		return finisher
	})
	out := make([]Status, len(all))
	var asked sync.WaitGroup
	for i, e := range all {
		missing := i >= missingFrom
		out[i] = Status{Name: e.Name, Package: e.Package, Missing: missing, Routes: len(e.Routes)}
		if e.Version != nil && !missing {
			asked.Go(func() {
				if version, err := e.Version(ctx); err == nil {
					out[i].Version = version
				}
			})
		}
		for _, route := range e.Routes {
			others := slices.DeleteFunc(slices.Clone(r.engines), func(o Engine) bool { return o.Name == e.Name })
			if _, _, elsewhere := find(others, route.Source, route.Target); !elsewhere {
				out[i].Adds++
			}
			if first, _, offered := find(r.engines, route.Source, route.Target); offered && first.Name == e.Name {
				out[i].Serves++
			}
		}
	}
	asked.Wait()
	return out
}

// Step converts one thing on the way to another: by whichever engine has the pair.
type Step func(ctx context.Context, in Request) (Result, error)

// Convert converts by the engine that Find gives; it is a Step.
func (r *Registry) Convert(ctx context.Context, in Request) (Result, error) {
	engine, _, err := r.Find(in.Source, in.Target, in.Asked()...)
	if err != nil {
		return Result{}, err
	}
	return engine.Convert(ctx, in)
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

// UnavailableRoute is a route with what would bring an engine for it: a package, or several with "or" between.
type UnavailableRoute struct {
	Route
	Package string
}

// Unavailable lists the pairs that only engines missing on this machine convert, each once.
func (r *Registry) Unavailable() []UnavailableRoute {
	var out []UnavailableRoute
	seen := map[[2]string]bool{}
	for _, e := range r.missing {
		for _, route := range e.Routes {
			key := [2]string{route.Source, route.Target}
			if _, _, offered := find(r.engines, route.Source, route.Target); offered || seen[key] {
				continue
			}
			seen[key] = true
			out = append(out, UnavailableRoute{Route: route, Package: strings.Join(r.packagesFor(route.Source, route.Target), " or ")})
		}
	}
	return out
}

// Find returns the engine for a pair and what is asked for by options, or an *Error that names the package that would make
// the pair possible, or the options that it does not take.
func (r *Registry) Find(source, target string, options ...string) (Engine, Route, error) {
	if _, route, ok := find(r.engines, source, target); ok {
		takers := r.takers(source, target, options)
		if len(takers) == 0 {
			return Engine{}, Route{}, r.refuseOptions(source, target, options)
		}
		return chain(takers), route, nil
	}
	if packages := r.packagesFor(source, target); len(packages) > 0 {
		return Engine{}, Route{}, Errorf(CodeUnsupportedRoute,
			"%s to %s is not possible on this machine; installing %s makes it possible",
			source, target, strings.Join(packages, " or "))
	}
	return Engine{}, Route{}, Errorf(CodeUnsupportedRoute, "no engine here converts %s to %s", source, target)
}

// packagesFor are those that would make a pair possible.
func (r *Registry) packagesFor(source, target string) []string {
	var out []string
	for _, e := range r.missing {
		if _, _, ok := find([]Engine{e}, source, target); ok {
			out = append(out, e.Package)
		}
	}
	return out
}

// chain is the first engine, helped out by the others where it refuses an input or fails on it. Where all refuse, they are
// asked in turn for what they can do at all; what the first said is the answer where nobody can.
func chain(able []Engine) Engine {
	first := able[0]
	if len(able) == 1 {
		return first
	}
	first.Convert = func(ctx context.Context, in Request) (Result, error) {
		var refused error
		failed := map[string]bool{}
		var notes []string
		for _, in.Helped = range []bool{true, false} {
			for _, e := range able {
				if failed[e.Name] {
					continue
				}
				result, err := e.Convert(ctx, in)
				if ctx.Err() != nil || !refuses(err) && !fails(err) {
					result.Warnings = append(slices.Clone(notes), result.Warnings...)
					return result, err
				}
				if fails(err) { // it would again
					failed[e.Name] = true
					notes = append(notes, fmt.Sprintf("best_effort: %s failed on this file, and another engine converted it: %s", e.Name, message(err)))
				}
				if refused == nil {
					refused = err
				}
				if err := empty(in.OutDir); err != nil {
					return Result{}, err
				}
			}
		}
		return Result{}, refused
	}
	return first
}

// refuses tells an input that an engine does not take from one that it failed on.
func refuses(err error) bool {
	known, ok := AsError(err)
	return ok && known.Code == CodeUnsupportedInput && known.Reason != ReasonEncrypted
}

// fails tells an input that an engine broke on. Another may do it: a program that is installed takes no conversion away.
func fails(err error) bool {
	known, ok := AsError(err)
	return ok && known.Code == CodeConversionFailed
}

// message is what an error tells a person.
func message(err error) string {
	known, _ := AsError(err)
	return known.Message
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

// able are the engines that have a pair, in the order in which they are tried.
func able(engines []Engine, source, target string) []Engine {
	var first, reserve []Engine
	for _, e := range engines {
		for _, route := range e.Routes {
			switch {
			case route.Source != source || route.Target != target:
			case route.Reserve:
				reserve = append(reserve, e)
			default:
				first = append(first, e)
			}
		}
	}
	return slices.Concat(first, reserve)
}

func find(engines []Engine, source, target string) (Engine, Route, bool) {
	for _, e := range able(engines, source, target) {
		for _, route := range e.Routes {
			if route.Source == source && route.Target == target {
				return e, route, true
			}
		}
	}
	return Engine{}, Route{}, false
}
