// Package backend is a conversion service that speaks the Convilyn API and really converts. What it has accepted survives
// its death. It knows nothing of Temporal.
//
// This package puts the parts together: store keeps records and files, queue runs jobs and goals, api answers requests,
// engines convert, goals are the multi-step jobs, and faults stands around the others for rehearsals.
package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/api"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/engines/fidelity"
	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/backend/queue"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/internal/httpserver"
)

// Config says how a Service runs. Zero values take the defaults named beside them.
type Config struct {
	DataDir string // must exist; everything is kept in it
	// BaseURL is how clients reach the service, for storage URLs; by default what they asked the API by.
	BaseURL        string
	Keys           []string          // accepted keys; by default one that is made once and kept in DataDir/key
	Workers        int               // conversions at once; by default one a core
	InputTTL       time.Duration     // life of an upload, 1 h
	LinkTTL        time.Duration     // life of a result link, 1 h
	ResultTTL      time.Duration     // life of results and jobs, 24 h
	GrantTTL       time.Duration     // life of an upload grant, 15 min
	ConvertTimeout time.Duration     // of one conversion, 10 min
	PassTimeout    time.Duration     // of one pass of a goal, without its conversions, 30 min; kept where Children is
	MaxUpload      int64             // bytes, 500 MiB
	Registry       *engines.Registry // the service closes it
	Children       *childproc.Config // has engines without a Package, and goals, run in child processes; nil for in this one
	Goals          goals.Catalog     // goals.All where nil
	Faults         *faults.Faults    // for rehearsals; nil for none
	Logger         *zap.Logger
	Clock          func() time.Time
}

const maxUploadDefault = 524_288_000

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&c.InputTTL, time.Hour},
		{&c.LinkTTL, time.Hour},
		{&c.ResultTTL, 24 * time.Hour},
		{&c.GrantTTL, 15 * time.Minute},
		{&c.ConvertTimeout, 10 * time.Minute},
		{&c.PassTimeout, 30 * time.Minute},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	if c.Workers <= 0 {
		c.Workers = runtime.NumCPU()
	}
	if c.Goals == nil {
		c.Goals = goals.All()
	}
	if c.MaxUpload <= 0 {
		c.MaxUpload = maxUploadDefault
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

// Service is a running conversion service.
type Service struct {
	cfg      Config
	store    *store.Store
	jobs     *queue.Jobs
	goals    *queue.Goals
	events   *api.Events
	api      *api.API
	children *childproc.Children // nil where everything runs in this process
	check    func(ctx context.Context, in engines.Request, made engines.Result) (fidelity.Report, error)
	// closeCheck frees what check holds in this process.
	closeCheck func() error
	locks      queue.Locks
	closeLocks func() error
	stop       context.CancelFunc
	swept      chan struct{} // closed when nothing is swept any more
}

// Open takes up the data folder: what was queued or half done when the last process ended goes on.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	cfg = cfg.withDefaults()
	if cfg.Registry == nil {
		return nil, errors.New("backend: Config.Registry is missing; DefaultRegistry makes one")
	}
	records, err := store.Open(ctx, cfg.DataDir, cfg.now)
	if err != nil {
		return nil, err
	}

	if err := records.Tighten(); err != nil {
		cfg.Logger.Warn("others may read some of the data folder", zap.Error(err))
	}

	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Service{cfg: cfg, store: records, stop: stop, swept: make(chan struct{})}
	s.useChildren()
	s.useCheck()
	s.useLocks()
	if err := s.build(life); err != nil {
		stop()
		return nil, errors.Join(err, records.Close())
	}

	if err := s.jobs.Start(life); err != nil {
		stop()
		return nil, errors.Join(err, records.Close())
	}
	s.goals.Start(life)
	go s.sweepEvery(life, time.Minute)
	return s, nil
}

// useChildren has engines that are Go code, and the goals, work in processes of their own, where they can be stopped.
// Outside programs have such processes anyway.
func (s *Service) useChildren() {
	if s.cfg.Children == nil {
		return
	}
	children := *s.cfg.Children
	children.Dir = s.store.Work()
	reads, writes := s.store.Shown()
	children.Reads, children.Writes = append(reads, children.Reads...), append(writes, children.Writes...)
	s.children = childproc.New(children)

	s.cfg.Registry.Around(func(e engines.Engine) engines.Engine {
		if e.Package == "" {
			e.Convert = func(ctx context.Context, in engines.Request) (engines.Result, error) {
				return s.children.Convert(ctx, e.Name, in)
			}
		}
		return e
	})
	s.cfg.Goals = slices.Clone(s.cfg.Goals)
	for i, goal := range s.cfg.Goals {
		if goal.InChild {
			s.cfg.Goals[i] = goal.In(s.children, s.cfg.PassTimeout)
		}
	}
}

// build puts the parts together, with the faults around them.
func (s *Service) build(life context.Context) error {
	cfg := s.cfg
	run := queue.Config{
		Store: s.store, Engines: cfg.Registry, Workers: cfg.Workers, Timeout: cfg.ConvertTimeout, Logger: cfg.Logger, Now: cfg.now, Check: s.check, Locks: s.locks,
	}
	s.goals = queue.NewGoals(run, cfg.Faults.Goals(cfg.Goals))
	run.Engines = cfg.Faults.Engines(cfg.Registry, s.store.Unfinished)
	s.jobs = queue.NewJobs(run)

	s.events = api.NewEvents(cfg.now)
	s.goals.OnChange(s.events.Changed)
	s.goals.OnChange(cfg.Faults.Answer(life, s.goals.AnswerSlot, cfg.Logger))
	s.goals.OnStep(s.events.Step)

	var err error
	s.api, err = api.New(api.Config{
		Store: s.store, Jobs: s.jobs, Goals: s.goals, Catalog: cfg.Goals, Registry: cfg.Registry, Events: s.events,
		Keys: cfg.Keys, BaseURL: cfg.BaseURL, MaxUpload: cfg.MaxUpload, GrantTTL: cfg.GrantTTL, LinkTTL: cfg.LinkTTL,
		Around: cfg.Faults.Handler, EventFilter: cfg.Faults.Events,
		Life: life, Logger: cfg.Logger, Now: cfg.now,
	})
	return err
}

func (c Config) now() time.Time { return c.Clock().UTC().Truncate(time.Millisecond) }

// Handler serves the API under /api/v1 and the storage under /storage.
func (s *Service) Handler() http.Handler { return s.api }

// Key is a key that the service accepts.
func (s *Service) Key() string { return s.api.Key() }

// Subscribers is how many event streams are open.
func (s *Service) Subscribers() int { return s.events.Subscribers() }

// Close stops. Running conversions and goals are broken off and go on at the next Open; event streams end.
func (s *Service) Close(ctx context.Context) error {
	if err := s.store.Stopping(); err != nil {
		s.cfg.Logger.Warn("an ordinary end may count as a death", zap.Error(err))
	}
	s.stop()
	for _, stopped := range []<-chan struct{}{s.jobs.Stopped(), s.goals.Stopped(), s.events.Close()} {
		select {
		case <-stopped:
		case <-ctx.Done():
			return fmt.Errorf("a job or a stream does not stop: %w", ctx.Err())
		}
	}
	s.cfg.Faults.Wait()
	<-s.swept
	if s.children != nil {
		s.children.Close()
	}
	return errors.Join(s.cfg.Registry.Close(), s.closeCheck(), s.closeLocks(), s.store.Close())
}

func (s *Service) sweepEvery(ctx context.Context, interval time.Duration) {
	defer close(s.swept)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.Error("sweep", zap.Error(err))
			}
		}
	}
}

func (s *Service) sweep(ctx context.Context) error {
	return s.store.Sweep(ctx, s.cfg.InputTTL, s.cfg.ResultTTL)
}

// connectionsMax is how many connections a service has at once.
const connectionsMax = 2048

// NewServer is the HTTP server that a service is meant to stand behind: it bounds headers, connections, and how slowly
// bodies may come and go.
func NewServer(handler http.Handler) *http.Server { return httpserver.New(handler, connectionsMax) }
