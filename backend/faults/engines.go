package faults

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// Registry finds engines, as engines.Registry does.
type Registry interface {
	Find(source, target string, options ...string) (engines.Engine, engines.Route, error)
	Options(source, target string) []option.Option
}

// Engines is next with the faults of jobs. unfinished counts the jobs that have not ended. Without any faults it is next
// itself.
func (f *Faults) Engines(next Registry, unfinished func(context.Context) ([]store.Unfinished, error)) Registry {
	if f == nil {
		return next
	}
	return &faultyEngines{faults: f, next: next, unfinished: unfinished}
}

type faultyEngines struct {
	faults     *Faults
	next       Registry
	unfinished func(context.Context) ([]store.Unfinished, error)
}

// Find gives an engine that refuses jobs before they are queued, and misbehaves when it converts, as the rules say.
func (r *faultyEngines) Find(source, target string, options ...string) (engines.Engine, engines.Route, error) {
	engine, route, err := r.next.Find(source, target, options...)
	if err != nil {
		return engine, route, err
	}
	convert := engine.Convert
	engine.Convert = func(ctx context.Context, in engines.Request) (engines.Result, error) {
		return r.convert(ctx, in, convert)
	}
	engine.Admit = func(ctx context.Context) (done func(), err error) {
		return r.admit(ctx, source, target)
	}
	return engine, route, nil
}

// Options are those of the engines.
func (r *faultyEngines) Options(source, target string) []option.Option {
	return r.next.Options(source, target)
}

// refusal is a job that is refused. It knows its reply, which need not be one that the service would give.
type refusal struct{ requestEffect }

func (e *refusal) Error() string { return fmt.Sprintf("a fault on request: status %d", e.Status) }

// ServeHTTP writes the reply.
func (e *refusal) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.refuse(w, r) }

// admit lets one job at a time be asked for, so that no more get in than are to.
func (r *faultyEngines) admit(ctx context.Context, source, target string) (done func(), err error) {
	r.faults.asking.Lock()
	hit, applies, err := r.draw(ctx, source, target, true)
	if err == nil && applies {
		err = &refusal{hit.requestEffect}
	}
	return r.faults.asking.Unlock, err
}

func (r *faultyEngines) convert(
	ctx context.Context, in engines.Request, next func(context.Context, engines.Request) (engines.Result, error),
) (engines.Result, error) {
	hit, _, err := r.draw(ctx, in.Source, in.Target, false)
	switch {
	case err != nil:
		return engines.Result{}, err
	case hit.Fail != "":
		return engines.Result{}, engines.Errorf(hit.Fail, "A fault on request.")
	case hit.Stuck:
		in.Progress(50, "stuck on request")
		<-ctx.Done()
		return engines.Result{}, ctx.Err()
	case hit.Slow > 0:
		if err := r.faults.Sleep(ctx, hit.Slow); err != nil {
			return engines.Result{}, err
		}
	}

	result, err := next(ctx, in)
	if err == nil && hit.WrongSize != 0 {
		err = announce(result.Files, hit.WrongSize)
	}
	return result, err
}

// announce has the service tell sizes that are not those of the files.
func announce(files []engines.File, more int64) error {
	for i := range files {
		info, err := os.Stat(files[i].Path)
		if err != nil {
			return fmt.Errorf("measure an output: %w", err)
		}
		files[i].Size = info.Size() + more
	}
	return nil
}

// draw decides about one conversion: whether it is refused when it is asked for, or what happens when it begins.
func (r *faultyEngines) draw(ctx context.Context, source, target string, asked bool) (effect, bool, error) {
	unfinished, err := r.unfinished(ctx)
	if err != nil {
		return effect{}, false, err
	}
	hit, applies := r.faults.draw(
		func(of *rule) bool {
			return of.Job != "" && asked == (of.Answer.Status != 0) && jobMatches(of.Job, source, target)
		},
		func(of *rule) int {
			n := 0
			if asked {
				n++
			}
			for _, pair := range unfinished {
				if jobMatches(of.Job, pair.Source, pair.Target) {
					n += pair.Jobs
				}
			}
			return n
		})
	return hit, applies, nil
}
