// Package stack is Temporal, its web page, the conversion service, a worker and the inbox in one process, on one data
// folder. Processes on the same folder share one stack: the first one runs it, the others join it.
package stack

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/private"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
	"github.com/convilyn/convilyn-temporal/standalone/temporalserver"
)

// Namespace is the one of every stack.
const Namespace = temporalserver.Namespace

// Stack is one that this process runs, or has joined.
type Stack struct {
	At       Addresses
	Dir      string
	Keys     *sealing.Keys // nil where payloads are plain
	Logger   *zap.Logger
	Temporal temporalclient.Client
	// Listeners are all that this process listens with for the stack; none where another process runs it.
	Listeners []Listener
	// Service and Worker are nil where another process runs the stack; Service is nil with a remote API, too.
	Service *Service
	Worker  *host.Host

	access   string    // the access key; empty for a stack of a version that had none
	ownToken bool      // the inbox has one
	owner    *fileLock // nil where another process runs the stack
	undo     []func()  // in the order of starting
	notice   func(string)
}

// Open joins the stack that runs on the data folder, or starts one. notice takes messages for people.
func Open(ctx context.Context, o Options, notice func(string)) (*Stack, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder, choose another with --data: %w", err)
	}
	owner, user, err := claim(ctx, o.Dir)
	if err != nil {
		return nil, err
	}

	s := &Stack{Dir: o.Dir, owner: owner, notice: notice, Keys: o.Config.Keys}
	if owner == nil {
		err = s.join(ctx, user, o.Faults)
	} else {
		err = s.start(ctx, o, user)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Joined reports whether another process runs the stack.
func (s *Stack) Joined() bool { return s.owner == nil }

// APIKey is what the local conversion service lets in.
func (s *Stack) APIKey() (string, error) { return APIKey(s.Dir) }

// OnClose has something done before everything that was started so far is ended.
func (s *Stack) OnClose(undo func()) { s.undo = append(s.undo, undo) }

// Close ends everything in the reverse order of starting. The owner of a stack that others use waits for them.
func (s *Stack) Close() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
	s.undo = nil
}

func (s *Stack) join(ctx context.Context, user *fileLock, committed *faults.Faults) error {
	s.OnClose(user.release)
	at, err := LoadAddresses(s.Dir)
	if err != nil {
		return err
	}
	if committed != nil && committed.ID() != at.Faults {
		return fmt.Errorf("the stack that runs on %s does not commit these faults; end it first, or leave --faults out", s.Dir)
	}

	s.At, s.Logger = at, zap.NewNop()
	if s.access, err = AccessKey(s.Dir); err != nil {
		return err
	}
	if s.Keys, err = joinedKeys(s.Keys, at, s.Dir); err != nil {
		return err
	}
	return s.dial(ctx)
}

// nameBinary spares each start a third of a second of processor time: without a name of ours the SDK hashes the whole program,
// which is large.
var nameBinary = sync.OnceFunc(func() {
	path, err := os.Executable()
	if err != nil {
		return
	}
	if info, err := os.Stat(path); err == nil {
		worker.SetBinaryChecksum(fmt.Sprintf("standalone-%x-%x", info.Size(), info.ModTime().UnixNano()))
	}
})

func (s *Stack) start(ctx context.Context, o Options, user *fileLock) error {
	nameBinary()
	s.OnClose(s.owner.release)
	var last *fileLock
	s.OnClose(func() { last.release() })

	logger, closeLog, err := openLog(o)
	if err != nil {
		return err
	}
	s.Logger = logger
	s.OnClose(closeLog)

	if err := s.closeToOthers(); err != nil {
		return err
	}
	at, err := o.Ports.choose()
	if err != nil {
		return err
	}
	s.OnClose(at.close)
	s.At = Addresses{
		PID: os.Getpid(), Temporal: fmt.Sprintf("%s:%d", loopback.Host, at.temporal), UI: "http://" + at.ui.Addr().String(),
		Inbox: "http://" + at.inbox.Addr().String(), API: o.Config.BaseURL, Faults: o.Faults.ID(),
	}

	if err := s.startParts(ctx, o, at); err != nil {
		return err
	}
	if err := s.At.save(s.Dir); err != nil {
		return err
	}

	// Undone first: nothing is taken from under another process that uses this stack.
	s.OnClose(func() {
		last = awaitUsers(context.Background(), s.Dir, user, func() {
			s.notice("another command still uses this stack; staying until it ends")
		})
		_ = os.Remove(filepath.Join(s.Dir, addressesFile))
	})
	return nil
}

// closeToOthers has what earlier versions made read by the owner alone, too, and makes the key by which the owner is known.
func (s *Stack) closeToOthers() (err error) {
	if err := private.Tighten(s.Dir, ours); err != nil {
		s.Logger.Warn("others may read some of the data folder; standalone doctor names it", zap.Error(err)) // such as of somebody else
	}
	s.access, err = private.Secret(AccessKeyFile(s.Dir))
	return err
}

// startParts starts everything in the order in which the parts need each other.
func (s *Stack) startParts(ctx context.Context, o Options, at places) error {
	if o.Remote {
		_ = at.api.Close()
	} else if err := s.startService(ctx, &o, at.api); err != nil {
		return err
	}
	if err := s.startServer(at.temporal); err != nil {
		return err
	}
	if err := s.dial(ctx); err != nil {
		return err
	}

	if err := configureInbox(&o.Config, s.Dir, s.At.Inbox); err != nil {
		return err
	}
	if err := s.StartWorker(ctx, o.Config); err != nil {
		return err
	}

	if err := s.servePage(o.Config, at.ui); err != nil {
		return err
	}
	return s.serveInbox(o.Config, at.inbox)
}

// serveInbox lets in by the access key where nobody has chosen a token.
func (s *Stack) serveInbox(cfg config.Config, listener net.Listener) error {
	s.ownToken = cfg.InboxToken != ""
	if !s.ownToken {
		cfg.InboxToken = config.Secret(s.access)
	}
	stop, err := host.ServeInbox(cfg, host.InboxOptions{
		Listener: listener, Temporal: s.Temporal, Namespace: Namespace, Files: filepath.Join(s.Dir, "inbox"),
		Logger: s.Logger.Named("inbox"), UI: s.At.UI, Local: !s.ownToken,
	})
	if err != nil {
		return err
	}

	s.listens("inbox", listener.Addr().String(), GuardLogin)
	s.OnClose(stop)
	return nil
}

func (s *Stack) startService(ctx context.Context, o *Options, listener net.Listener) error {
	service, err := startService(ctx, *o, listener, s.Logger)
	if err != nil {
		return err
	}

	s.Service = service
	s.OnClose(service.Close)
	s.At.API = service.URL
	s.listens("conversion service", strings.TrimPrefix(service.URL, "http://"), GuardAPIKey)
	service.configure(&o.Config)
	return nil
}

func (s *Stack) startServer(port int) error {
	// Temporal's own log at info level is about Temporal's insides.
	logger := s.Logger.Named("temporal-server").WithOptions(zap.IncreaseLevel(zap.WarnLevel))
	server, ports, err := temporalserver.Start(temporalserver.Options{
		Database: filepath.Join(s.Dir, "temporal.db"), Port: port, Secret: s.access, Logger: logger,
	})
	if err != nil {
		return err
	}

	for service, port := range ports {
		guard := GuardCertificate
		if service == primitives.FrontendService {
			guard = GuardKey
		}
		s.listens("Temporal's "+string(service), fmt.Sprintf("%s:%d", loopback.Host, port), guard)
	}
	s.OnClose(func() { stopServer(server, s.Logger) })
	return nil
}

func stopServer(server temporal.Server, logger *zap.Logger) {
	if err := server.Stop(); err != nil {
		logger.Error("stopping Temporal", zap.Error(err))
	}
}

// patience is how long a stack waits for the server that it has started itself: on a busy machine that takes its time.
const patience = 2 * time.Minute

func (s *Stack) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	options := s.TemporalOptions()
	// It never leaves this machine.
	options.ConnectionOptions.GrpcCompression = &temporalclient.GrpcCompressionNone{}
	c, err := temporalconn.Dial(ctx, options, s.Keys, logging.ForTemporal(s.Logger))
	if err != nil {
		return err
	}

	s.Temporal = c
	s.OnClose(c.Close)
	return nil
}

// TemporalOptions connect to the stack's Temporal as its owner.
func (s *Stack) TemporalOptions() temporalclient.Options {
	options := temporalclient.Options{HostPort: s.At.Temporal, Namespace: Namespace}
	datafolder.Present(&options, s.access)
	return options
}

// StartWorker starts the worker of a stack that this process runs. A worker that runs already must be stopped before.
func (s *Stack) StartWorker(ctx context.Context, cfg config.Config) error {
	metrics := host.NewMetrics()
	s.OnClose(func() { _ = metrics.Close() })

	cfg.StopTimeout = min(cfg.StopTimeout, 10*time.Second)
	h, err := host.New(ctx, cfg, s.Temporal, Namespace, metrics, s.Logger.Named("worker"))
	if err != nil {
		return err
	}
	if err := h.Start(); err != nil {
		return err
	}

	s.Worker = h
	s.OnClose(h.Stop)
	return nil
}
