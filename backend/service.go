// Package backend is a conversion service that speaks the Convilyn API and really converts. It keeps its
// records in SQLite and its files on disk; what it has accepted survives its death. It knows nothing of Temporal.
package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/goals"
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
	PassTimeout    time.Duration     // of what a goal does until it waits for somebody, without its conversions, 30 min; kept where Apart is
	MaxUpload      int64             // bytes, 500 MiB
	Registry       *engines.Registry // the service closes it
	Apart          *childproc.Config // has engines without a Package, and goals, run in child processes; nil for in this one
	Goals          []goals.Goal      // goals.All where nil
	Faults         *Faults           // to commit, for rehearsals; nil for none
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
	cfg     Config
	store   *store
	signer  signer
	keys    keyring
	pool    *pool
	passes  *passes
	events  *hub
	locks   keyedLocks
	handler http.Handler
	life    context.Context // ends with the service
	stop    context.CancelFunc
	janitor chan struct{}
	lock    *os.File
	// children do what Config.Apart has run apart; nil where that is nothing.
	children *childproc.Children
}

// Open takes up the data folder: what was queued or half done when the last process ended goes on.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	cfg = cfg.withDefaults()
	if cfg.Registry == nil {
		return nil, errors.New("backend: Config.Registry is missing; DefaultRegistry makes one")
	}
	var err error
	if cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	s := &Service{cfg: cfg, events: newHub(), janitor: make(chan struct{})}
	if s.lock, err = lockFolder(cfg.DataDir); err != nil {
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	s.handler = s.routes()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.life, s.stop = running, stop
	s.runApart()
	s.pool, s.passes = newPool(s), newPasses(s)
	s.pool.start(running, s.pool.take)
	s.passes.start(running, s.passes.take)
	go s.sweepEvery(running, time.Minute)
	return s, nil
}

// runApart has engines that are Go code, and the goals, work in processes of their own, where they can be stopped;
// outside programs see to that themselves.
func (s *Service) runApart() {
	if s.cfg.Apart == nil {
		return
	}
	children := *s.cfg.Apart
	children.Dir = s.path(folderWork)
	s.children = childproc.New(children)
	s.cfg.Registry.Around(func(e engines.Engine) engines.Engine {
		if e.Package == "" {
			e.Convert = func(ctx context.Context, in engines.Request) (engines.Result, error) {
				return s.children.Convert(ctx, e.Name, in)
			}
		}
		return e
	})
	all := slices.Clone(s.cfg.Goals)
	for i, goal := range all {
		if goal.Apart {
			all[i] = goal.In(s.children, s.cfg.PassTimeout)
		}
	}
	s.cfg.Goals = all
}

// load reads the keys and opens the records; what was half done is queued again.
func (s *Service) load(ctx context.Context) (err error) {
	if err := s.prepareFolders(); err != nil {
		return err
	}
	if s.keys, err = loadKeys(s.cfg); err != nil {
		return err
	}
	if s.signer, err = loadSigner(s.path("signing.key")); err != nil {
		return err
	}
	if s.store, err = openStore(ctx, s.path("backend.db")); err != nil {
		return err
	}
	if err := errors.Join(s.store.recover(ctx, s.now()), s.store.recoverGoals(ctx, s.now())); err != nil {
		return errors.Join(err, s.store.close())
	}
	return nil
}

// Folders below DataDir.
const (
	folderInputs  = "inputs"
	folderResults = "results"
	folderGoals   = "goals" // a folder a goal job, with steps and artifacts
	folderWork    = "work"  // half-made things; emptied at every start
)

func (s *Service) prepareFolders() error {
	if err := os.RemoveAll(s.path(folderWork)); err != nil {
		return fmt.Errorf("clear the work folder: %w", err)
	}
	for _, name := range []string{folderInputs, folderResults, folderGoals, folderWork} {
		if err := os.MkdirAll(s.path(name), 0o700); err != nil {
			return fmt.Errorf("make the data folders: %w", err)
		}
	}
	return nil
}

func (s *Service) path(parts ...string) string {
	return filepath.Join(append([]string{s.cfg.DataDir}, parts...)...)
}

func (s *Service) now() time.Time { return s.cfg.Clock().UTC().Truncate(time.Millisecond) }

// Handler serves the API under /api/v1 and the storage under /storage.
func (s *Service) Handler() http.Handler { return s.handler }

// Key is a key that the service accepts.
func (s *Service) Key() string { return s.keys.first }

// Subscribers is how many event streams are open.
func (s *Service) Subscribers() int { return s.events.size() }

// Close stops. Running conversions and goals are broken off and go on at the next Open; event streams end.
func (s *Service) Close(ctx context.Context) error {
	s.stop()
	for _, stopped := range []<-chan struct{}{s.pool.stopped(), s.passes.stopped(), s.events.close()} {
		select {
		case <-stopped:
		case <-ctx.Done():
			return fmt.Errorf("a job or a stream does not stop: %w", ctx.Err())
		}
	}
	s.passes.background.Wait()
	<-s.janitor
	if s.children != nil {
		s.children.Close()
	}
	return errors.Join(s.cfg.Registry.Close(), s.store.close(), s.lock.Close())
}
