//go:build crash && linux && amd64

package crash

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
	"github.com/convilyn/convilyn-temporal/standalone/temporalserver"
)

// What the processes of the crash matrix are told. They work in the folder of their lane.
const (
	envPort    = "CONVILYN_CRASH_PORT"    // of Temporal
	envAddress = "CONVILYN_CRASH_ADDRESS" // of the service
	envBaseURL = "CONVILYN_CRASH_BASE_URL"
	envControl = "CONVILYN_CRASH_CONTROL" // of the worker: where it says what it is about to do
	envFiles   = "CONVILYN_CRASH_FILES"   // the folder whose changes it says, too
)

const asRole = "CONVILYN_TEST_AS_ROLE"

// TestMain lets the test binary be each of the processes, which stay until they are killed.
func TestMain(m *testing.M) {
	roles := map[string]func() error{theTemporal: temporalRole, theService: serviceRole, theWorker: workerRole}
	if role := roles[os.Getenv(asRole)]; role != nil {
		_, _ = fmt.Fprintln(os.Stderr, role())
		os.Exit(1) //nolint:forbidigo // this is a main, too
	}
	m.Run()
}

// ready tells whoever has started this process.
func ready() { _, _ = fmt.Fprintln(os.Stdout, "ready") }

// accessKey is what callers of Temporal show.
const accessKey = "the key of these processes alone"

// temporalRole is Temporal's server alone, as standalone runs it.
func temporalRole() error {
	port, err := strconv.Atoi(os.Getenv(envPort))
	if err != nil {
		return err
	}
	listener, err := loopback.Listen(port)
	if err != nil {
		return err
	}
	logger := logging.New(os.Stderr, zap.ErrorLevel, "json")
	if _, err := temporalserver.Start(temporalserver.Options{Database: "temporal.db", Listener: listener, Secret: accessKey, Logger: logger}); err != nil {
		return err
	}
	ready()
	select {}
}

// crashFaults make the service do as the hosted one does today, and take long enough to be waited for.
const crashFaults = `
ignore_idempotency: true
rules:
  - {job: "md html", probability: 1, answer: {slow: 700ms}}
  - {job: "txt html", probability: 1, answer: {fail: CORRUPT}}
`

// serviceRole is the conversion service alone, with goals that go wrong.
func serviceRole() error {
	ctx := context.Background()
	faults, err := faults.Parse([]byte(crashFaults))
	if err != nil {
		return err
	}
	open, err := backend.Open(ctx, backend.Config{
		DataDir: "service", BaseURL: os.Getenv(envBaseURL), Registry: engines.NewRegistry(ctx, text.New()), Faults: faults,
		Goals: []goals.Goal{testkit.Stumble(0), limping()},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", os.Getenv(envAddress))
	if err != nil {
		return err
	}
	ready()
	return http.Serve(listener, open.Handler())
}

// limping is a stumble whose jobs fail once each, also where the service has died in between.
func limping() goals.Goal {
	g := testkit.StumbleBefore(0, func(t *goals.Task) error {
		if err := t.Ready(); err != nil {
			return err
		}
		if err := os.Mkdir(filepath.Join(t.Dir, "limped"), 0o700); err == nil {
			return &goals.Failure{Code: goals.CodeStep, Message: "stumbled", Action: "retry"}
		}
		return nil
	})
	g.ID = "goal_lane.limping"
	return g
}

// workerRole is the worker's main, which says what it is about to do.
func workerRole() error {
	ctx := context.Background()
	cfg, err := config.Load(os.Getenv)
	if err != nil {
		return err
	}
	logger := logging.New(os.Stderr, cfg.LogLevel, cfg.LogFormat)
	options, _, err := temporalconn.Options("")
	if err != nil {
		return err
	}
	say := &sayer{control: os.Getenv(envControl)}
	options.Interceptors = []interceptor.ClientInterceptor{&activityWatch{say: say}}
	temporal, err := temporalconn.Dial(ctx, options, nil, logging.ForTemporal(logger))
	if err != nil {
		return err
	}
	h, err := host.New(ctx, cfg, temporal, options.Namespace, host.NewMetrics(), logger)
	if err != nil {
		return err
	}
	if err := watchSyscalls(os.Getenv(envFiles), say); err != nil {
		return fmt.Errorf("watch the changes of files: %w", err)
	}
	if err := h.Start(); err != nil {
		return err
	}
	ready()
	select {}
}

// sayer tells the test what is about to happen, and goes on when the test lets it.
type sayer struct{ control string }

func (s *sayer) say(kind, text string) {
	response, err := http.PostForm(s.control, url.Values{"kind": {kind}, "text": {text}})
	if err == nil {
		_ = response.Body.Close()
	}
}

// activityWatch says when activities begin and end.
type activityWatch struct {
	interceptor.InterceptorBase
	say *sayer
}

func (w *activityWatch) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &activityInbound{say: w.say}
	i.Next = next
	return i
}

type activityInbound struct {
	interceptor.ActivityInboundInterceptorBase
	say *sayer
}

func (i *activityInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	name := activity.GetInfo(ctx).ActivityType.Name
	i.say.say("begin", name)
	out, err := i.Next.ExecuteActivity(ctx, in)
	i.say.say("end", name)
	return out, err
}

// fileLabel is the name of a file without what differs from run to run.
func fileLabel(root, path string) string {
	relative, err := filepath.Rel(root, path)
	if err != nil {
		return path
	}
	return anonymous.ReplaceAllString(relative, "*")
}
