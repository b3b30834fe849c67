package engines

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/client/option"
)

// finishes reports whether the route adds to what other engines made.
func (r Route) finishes() bool { return r.Source == r.Target }

func (e Engine) options(source, target string) []option.Option {
	if e.Options == nil {
		return nil
	}
	return e.Options(source, target)
}

func (e Engine) takes(source, target, name string) bool {
	return slices.ContainsFunc(e.options(source, target), func(o option.Option) bool { return o.Name == name })
}

// Options lists what a pair takes, by all engines here that have it together; never nil. Find knows whether one of them
// takes a choice of these.
func (r *Registry) Options(source, target string) []option.Option {
	lists := [][]option.Option{}
	for _, e := range able(r.engines, source, target) {
		lists = append(lists, e.options(source, target))
	}
	if len(lists) > 0 {
		if finisher, ok := r.finisher(target); ok {
			lists = append(lists, finisher.options(target, target))
		}
	}
	return option.Union(lists...)
}

// finisher is the engine that adds options to what others made of a format.
func (r *Registry) finisher(target string) (Engine, bool) {
	e, _, ok := find(r.engines, target, target)
	return e, ok
}

// takers are the engines of a pair that take these options, alone or with what the finisher adds, in the order in which they
// are tried.
func (r *Registry) takers(source, target string, options []string) []Engine {
	finisher, finished := r.finisher(target)
	var out []Engine
	for _, e := range able(r.engines, source, target) {
		lacks := func(name string) bool {
			taken := e.takes(source, target, name) || finished && finisher.takes(target, target, name)
			return !taken
		}
		if !slices.ContainsFunc(options, lacks) {
			out = append(out, e.finishedBy(finisher))
		}
	}
	return out
}

func (r *Registry) refuseOptions(source, target string, options []string) error {
	given := option.Values{}
	for _, name := range options {
		given[name] = ""
	}
	lists := r.Options(source, target)
	for _, name := range options {
		if !slices.ContainsFunc(lists, func(o option.Option) bool { return o.Name == name }) {
			_, err := option.Check(option.Values{name: ""}, lists, source+" to "+target)
			return Errorf(CodeInvalidParameters, "%v", err)
		}
	}
	return Errorf(CodeInvalidParameters, "no engine here takes the options %s of %s to %s together", strings.Join(given.Names(), ", "), source, target)
}

// finishedBy is the engine with the options of a request divided: its own go to it, the rest to the finisher afterwards.
func (e Engine) finishedBy(finisher Engine) Engine {
	convert := e.Convert
	e.Convert = func(ctx context.Context, in Request) (Result, error) {
		own, rest := in, Request{Source: in.Target, Target: in.Target, OutDir: in.OutDir, Stem: in.Stem, Progress: in.Progress}
		own.Options = nil
		for name, value := range in.Options {
			to := &rest.Options
			if e.takes(in.Source, in.Target, name) {
				to = &own.Options
			}
			if *to == nil {
				*to = option.Values{}
			}
			(*to)[name] = value
		}
		if !e.takes(in.Source, in.Target, option.NamePages) && len(in.Pages) > 0 && finisher.Convert != nil {
			own.Pages, rest.Pages = nil, in.Pages
		}

		result, err := convert(ctx, own)
		if err != nil || len(rest.Asked()) == 0 {
			return result, err
		}
		return finish(ctx, finisher, rest, result)
	}
	return e
}

// finish has a finisher put its own files in the place of those that were made.
func finish(ctx context.Context, finisher Engine, in Request, made Result) (Result, error) {
	for i, file := range made.Files {
		dir, err := os.MkdirTemp(in.OutDir, "finish-*")
		if err != nil {
			return Result{}, fmt.Errorf("make a folder: %w", err)
		}
		in.InputPath, in.OutDir = file.Path, dir
		done, err := finisher.Convert(ctx, in)
		if err != nil {
			return Result{}, err
		}
		if len(done.Files) != 1 {
			return Result{}, fmt.Errorf("%s made %d files of one", finisher.Name, len(done.Files))
		}
		if err := os.Rename(done.Files[0].Path, file.Path); err != nil {
			return Result{}, fmt.Errorf("put a finished file in place: %w", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return Result{}, fmt.Errorf("remove a folder: %w", err)
		}
		in.OutDir = filepath.Dir(dir)
		made.Files[i].Size = 0
		made.Warnings = append(made.Warnings, done.Warnings...)
	}
	return made, nil
}
