package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/private"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
	"github.com/convilyn/convilyn-temporal/standalone/temporalserver"
)

const databaseFile = "temporal.db"

// Open joins the stack that runs on the data folder, or starts one. notice takes messages for people.
func Open(ctx context.Context, o Options, notice func(string)) (*Stack, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, datafolder.Foreign(o.Dir, fmt.Errorf("make the data folder, choose another with --data: %w", err))
	}
	for {
		if o.Stays {
			if err := awaitCommand(ctx, o.Dir, notice); err != nil {
				return nil, err
			}
		}
		s, err := openOrJoin(ctx, o, notice)
		if err != nil || !o.Stays || !s.Joined() || s.At.Stays {
			return s, datafolder.Foreign(o.Dir, err)
		}
		s.Close() // another command was faster
	}
}

// openOrJoin waits for a stack that is about to start or to end.
func openOrJoin(ctx context.Context, o Options, notice func(string)) (*Stack, error) {
	waiting, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	for {
		s, again, err := open(ctx, waiting, o, notice)
		if err == nil || !again || pause(waiting, 200*time.Millisecond) != nil {
			return s, err
		}
	}
}

// open joins or starts; again reports whether the stack that it has joined went away or was not ready, so that it may be tried again.
func open(ctx, waiting context.Context, o Options, notice func(string)) (s *Stack, again bool, err error) {
	owner, user, err := claim(waiting, o.Dir, notice)
	if err != nil {
		return nil, false, err
	}

	s = &Stack{Dir: o.Dir, owner: owner, notice: notice, Keys: o.Config.Keys}
	if owner == nil {
		err = s.join(ctx, user, o.Faults)
		again = errors.Is(err, errNotReady)
	} else {
		err = s.start(ctx, o, user)
	}
	if err != nil {
		s.Close()
		return nil, again, err
	}
	return s, false, nil
}

// errNotReady is a stack that was joined and did not answer.
var errNotReady = errors.New("the stack does not answer")

func (s *Stack) join(ctx context.Context, user *fileLock, committed *faults.Faults) error {
	s.OnClose(user.release)
	at, err := LoadAddresses(s.Dir)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotReady, err)
	}
	if committed != nil && committed.ID() != at.Faults {
		return fmt.Errorf("the stack that runs on %s does not commit these faults; end it first, or leave --faults out", s.Dir)
	}

	s.At, s.Logger = at, zap.NewNop()
	if s.access, err = AccessKey(s.Dir); err != nil {
		return err
	}
	if ahead, err := ClockAhead(s.Dir); err == nil && ahead > 0 {
		s.notice(ClockText(ahead))
	}
	if s.Keys, err = joinedKeys(s.Keys, at, s.Dir); err != nil {
		return err
	}
	silent := time.AfterFunc(noticeAfter, func() {
		s.notice(fmt.Sprintf("the stack on %s does not answer: process %d, Temporal at %s; waiting for it. It may be stopped, or busy", s.Dir, at.PID, at.Temporal))
	})
	err = s.dial(ctx)
	silent.Stop()
	var denied *serviceerror.PermissionDenied
	if err != nil && ctx.Err() == nil && !errors.As(err, &denied) {
		return fmt.Errorf("%w: %w", errNotReady, err)
	}
	return err
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
	// One that died has left it, and others would take its ports for those of this one.
	_ = os.Remove(filepath.Join(s.Dir, addressesFile))

	logger, closeLog, err := openLog(o)
	if err != nil {
		return err
	}
	s.Logger = logger
	s.OnClose(closeLog)

	if err := s.closeToOthers(); err != nil {
		return err
	}
	at, err := o.Ports.choose(s.Dir)
	s.OnClose(at.close)
	if err != nil {
		return err
	}
	for _, text := range at.differ {
		s.notice(text)
	}
	s.At = Addresses{
		PID: os.Getpid(), Temporal: at.temporal.Addr().String(), UI: "http://" + at.ui.Addr().String(),
		Inbox: "http://" + at.inbox.Addr().String(), API: o.Config.BaseURL, Faults: o.Faults.ID(), Stays: o.Stays,
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
	s.metrics = host.NewMetrics()
	s.OnClose(func() { _ = s.metrics.Close() })
	if o.Remote {
		_ = at.api.Close()
	} else if err := s.startService(ctx, &o, at.api); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(s.Dir, databaseFile))
	before := err == nil
	if err := s.startServer(at.temporal); err != nil {
		return err
	}
	if err := s.dial(ctx); err != nil {
		return err
	}
	s.metrics.ObserveRuns(s.Temporal, Namespace)
	if err := s.keepRunsFor(ctx, o.Config.Retention); err != nil {
		return err
	}

	if err := s.holdToRoots(ctx, &o.Config, before); err != nil {
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

// keepRunsFor sets how long Temporal keeps runs that end from now on; 0 leaves that as it is.
func (s *Stack) keepRunsFor(ctx context.Context, retention time.Duration) error {
	if retention == 0 {
		return nil
	}
	_, err := s.Temporal.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: Namespace, Config: &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(retention)},
	})
	if err != nil {
		return fmt.Errorf("set the retention of Temporal: %w", err)
	}
	return nil
}

// serveInbox lets in by the access key where nobody has chosen a token.
func (s *Stack) serveInbox(cfg config.Config, listener net.Listener) error {
	s.ownToken = cfg.InboxToken != ""
	if !s.ownToken {
		cfg.InboxToken = config.Secret(s.access)
	}
	stop, err := host.ServeInbox(cfg, host.InboxOptions{
		Listener: listener, Temporal: s.Temporal, Namespace: Namespace, Files: filepath.Join(s.Dir, "inbox"),
		Logger: s.Logger.Named("inbox"), Metrics: s.metrics, Notice: s.clockNotice, UI: s.At.UI, Local: !s.ownToken,
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

func (s *Stack) startServer(listener net.Listener) error {
	// Temporal's own log at info level is about Temporal's insides.
	logger := s.Logger.Named("temporal-server").WithOptions(zap.IncreaseLevel(zap.WarnLevel))
	clock := temporalserver.NewClock(newestTime(s.Dir))
	server, err := temporalserver.Start(temporalserver.Options{
		Database: filepath.Join(s.Dir, databaseFile), Listener: listener, Secret: s.access, Clock: clock, Logger: logger,
	})
	if err != nil {
		return err
	}

	for service, port := range server.Ports {
		guard := GuardCertificate
		if service == primitives.FrontendService {
			guard = GuardKey
		}
		s.listens("Temporal's "+string(service), fmt.Sprintf("%s:%d", loopback.Host, port), guard)
	}
	s.OnClose(func() { stopServer(server, s.Logger) })
	s.clock = clock
	s.metrics.ObserveClock(clock.Ahead)
	s.watchClock(server, clock)
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
	if s.metrics != nil {
		options.MetricsHandler = s.metrics.Handler()
	}
	c, err := temporalconn.Dial(ctx, options, s.Keys, logging.ForTemporal(s.Logger))
	if err != nil {
		return err
	}

	s.Temporal = c
	s.OnClose(c.Close)
	return nil
}

// StartWorker starts the worker of a stack that this process runs. A worker that runs already must be stopped before.
func (s *Stack) StartWorker(ctx context.Context, cfg config.Config) error {
	cfg.StopTimeout, cfg.State = min(cfg.StopTimeout, 10*time.Second), s.Dir
	h, err := host.New(ctx, cfg, s.Temporal, Namespace, s.metrics, s.Logger.Named("worker"))
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
