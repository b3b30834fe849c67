//go:build crash && linux && amd64

package crash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
	"github.com/convilyn/convilyn-temporal/standalone/temporalserver"
)

// Who is killed.
const (
	theWorker   = "worker"
	theService  = "service"
	theTemporal = "temporal"
)

// victims are the columns of the matrix.
var victims = map[string][]string{
	theWorker: {theWorker}, theService: {theService}, theTemporal: {theTemporal}, "all": {theWorker, theService, theTemporal},
}

// processes are a Temporal, a conversion service and a theWorker, each a process of its own that can be killed and started again
// at its place. Between worker and service stands a proxy, which sees every request.
type processes struct {
	t      *testing.T
	dir    string
	ports  map[string]int
	api    *client.Client
	client temporalclient.Client
	key    string
	hook   *postbox

	mu      sync.Mutex
	running map[string]*process
	fault   *fault
}

// fault is one run of a scenario: what has happened in it, and when somebody is to be killed.
type fault struct {
	moment  string   // at which; empty to only look on
	chance  float64  // of a kill at any moment, in a soak
	kills   int      // left to a soak
	loses   string   // the request whose first reply is lost, killed or not
	victims []string // who
	seen    []string // moments, each once, in their order
	active  []string // activities under way
	refuses string   // the request that the service does not know, in any case
	told    map[string]bool
	ran     map[string]bool // activities
	lost    bool            // the reply that was to be lost
	killed  time.Time
	resumed time.Time     // when the run went on after it
	up      chan struct{} // closed when the victims are up again
	failure error
}

func newProcesses(t *testing.T, number int) *processes {
	t.Helper()
	l := &processes{t: t, dir: t.TempDir(), ports: map[string]int{}, running: map[string]*process{}, hook: &postbox{ids: map[string]int{}}}
	// They have to be free again after a kill: not where the system takes free ports from, nor where Temporal's parts, of
	// this and of other processes, take theirs.
	for i, name := range []string{theTemporal, theService, "proxy", "control"} {
		l.ports[name] = loopback.EndPort + number*4 + i
	}
	l.serve("proxy", http.HandlerFunc(l.proxy))
	l.serve("control", http.HandlerFunc(l.heard))
	require.NoError(t, os.Mkdir(filepath.Join(l.dir, "service"), 0o700))
	for _, name := range []string{theTemporal, theService} {
		require.NoError(t, l.start(name))
	}
	t.Cleanup(func() { l.kill(theWorker, theService, theTemporal) })
	key, err := os.ReadFile(filepath.Join(l.dir, "service", "key"))
	require.NoError(t, err)
	l.key = strings.TrimSpace(string(key))
	l.api, err = client.New(l.url(theService), l.key)
	require.NoError(t, err)
	t.Cleanup(l.api.CloseIdleConnections)
	options := temporalclient.Options{HostPort: l.address(theTemporal), Namespace: temporalserver.Namespace}
	datafolder.Present(&options, accessKey)
	l.client, err = temporalconn.Dial(t.Context(), options, nil, logging.ForTemporal(zap.NewNop()))
	require.NoError(t, err)
	t.Cleanup(l.client.Close)
	return l
}

func (l *processes) address(name string) string {
	return fmt.Sprintf("%s:%d", loopback.Host, l.ports[name])
}

func (l *processes) url(name string) string { return "http://" + l.address(name) }

func (l *processes) serve(name string, handler http.Handler) {
	l.t.Helper()
	listener, err := net.Listen("tcp", l.address(name))
	require.NoError(l.t, err)
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	l.t.Cleanup(func() { _ = server.Close() })
}

// process is one that has said that it is ready.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// start starts a process at its place and waits until it is ready.
func (l *processes) start(name string) error {
	cmd, err := l.command(name)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(l.dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, readErr := bufio.NewReader(stdout).ReadString('\n')
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	if readErr != nil {
		_ = cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("%s does not start: %w; its log ends: %s", name, readErr, tail(log.Name()))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[name] = p
	return nil
}

// died names the processes that have ended without being killed.
func (l *processes) died() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, p := range l.running {
		select {
		case <-p.exited:
			err = errors.Join(err, fmt.Errorf("%s has died; its log ends: %s", name, tail(filepath.Join(l.dir, name+".log"))))
		default:
		}
	}
	return err
}

// tail is the end of a log, which is gone when the test has ended.
func tail(path string) string {
	const most = 2000
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-most):])
}

func (l *processes) command(name string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var cmd *exec.Cmd
	env := []string{}
	switch name {
	case theService:
		cmd = exec.CommandContext(context.Background(), self)
		env = []string{asRole + "=service", envAddress + "=" + l.address(theService), envBaseURL + "=" + l.url("proxy")}
	case theTemporal:
		cmd = exec.CommandContext(context.Background(), self)
		env = []string{asRole + "=temporal", fmt.Sprintf("%s=%d", envPort, l.ports[theTemporal])}
	case theWorker:
		cmd = exec.CommandContext(context.Background(), self)
		env = []string{
			asRole + "=worker", envControl + "=" + l.url("control"), envFiles + "=" + filepath.Join(l.dir, "stories"),
			"TEMPORAL_ADDRESS=" + l.address(theTemporal), "TEMPORAL_TLS=false", "TEMPORAL_API_KEY=" + accessKey, "CONVILYN_BASE_URL=" + l.url("proxy"), "CONVILYN_API_KEY=" + l.key,
			"CONVILYN_POLL_INTERVAL=200ms", "CONVILYN_WEBHOOK_URL=" + l.url("proxy") + pathHook, "CONVILYN_WEBHOOK_SECRET=" + fixture.HookSecret,
		}
	}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "CONVILYN_") && !strings.HasPrefix(variable, "TEMPORAL_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Dir, cmd.Env = l.dir, append(cmd.Env, env...)
	return cmd, nil
}

// kill ends processes at once, as a power cut would, and waits until they are gone.
func (l *processes) kill(names ...string) {
	for _, name := range names {
		l.mu.Lock()
		p := l.running[name]
		delete(l.running, name)
		l.mu.Unlock()
		if p != nil {
			_ = p.cmd.Process.Kill()
			<-p.exited
		}
	}
}

// heard takes what the worker is about to do.
func (l *processes) heard(_ http.ResponseWriter, r *http.Request) {
	kind, text := r.FormValue("kind"), r.FormValue("text")
	switch kind {
	case "file":
		l.reach("before " + text)
	case "end":
		l.reach(text + ": at its end")
		l.active(func(all []string) []string {
			if i := slices.Index(all, text); i >= 0 {
				all = slices.Delete(all, i, i+1)
			}
			return all
		})
	case "begin":
		l.began(text)
	}
}

// doing is the activities under way that may be doing this: those of a batch as a whole run beside those of its files.
func (s *fault) doing(what string) []string {
	ofBatch := strings.Contains(what, "/.convilyn/") || strings.Contains(what, ".report.jsonl") || strings.Contains(what, ".summary.json")
	return slices.DeleteFunc(slices.Clone(s.active), func(name string) bool { return slices.Contains(batchSteps, name) != ofBatch && len(s.active) > 1 })
}

// batchSteps are the activities of a batch as a whole. They touch files alone.
var batchSteps = []string{"PlanBatch", "ReadPlan", "WriteReportPart", "ListFailed", "FinishReport", "SalvageReport"}

// notifies is an activity that runs beside the others; it is told by its request.
const notifies = "PostNotification"

func (l *processes) began(activity string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil {
		return
	}
	l.fault.ran[activity] = true
	if activity != notifies {
		l.fault.active = append(l.fault.active, activity)
	}
}

// ran tells whether an activity has begun in the scenario.
func (l *processes) ran(activity string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault.ran[activity]
}

func (l *processes) active(change func(all []string) []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		l.fault.active = change(l.fault.active)
	}
}

// reach notes a moment, and kills where it is the one. It tells who was killed at it.
func (l *processes) reach(what string) []string {
	l.mu.Lock()
	s := l.fault
	if s == nil {
		l.mu.Unlock()
		return nil
	}
	moment := what
	if !strings.Contains(what, ": ") {
		moment = strings.Join(s.doing(what), "+") + ": " + what
	}
	first := !s.told[moment]
	s.told[moment] = true
	if first {
		s.seen = append(s.seen, moment)
	}
	if !s.killed.IsZero() && s.resumed.IsZero() {
		s.resumed = time.Now()
	}
	hits := first && moment == s.moment && s.killed.IsZero() || s.draws()
	if hits {
		s.killed, s.resumed = time.Now(), time.Time{}
		s.up = make(chan struct{})
		if slices.Contains(s.victims, theWorker) {
			s.active = nil
		}
	}
	up, dead := s.up, slices.Clone(s.victims)
	l.mu.Unlock()
	if !hits {
		return nil
	}
	l.kill(dead...)
	go func() {
		defer close(up)
		// In the order in which they need each other.
		for _, name := range []string{theTemporal, theService, theWorker} {
			if slices.Contains(dead, name) {
				if err := l.start(name); err != nil {
					l.mu.Lock()
					s.failure = errors.Join(s.failure, err)
					l.mu.Unlock()
				}
			}
		}
	}()
	return dead
}

// draws decides in a soak whether somebody dies now, and who; never while somebody is dead.
func (s *fault) draws() bool {
	if s.kills == 0 || rand.Float64() >= s.chance {
		return false
	}
	if s.up != nil {
		select {
		case <-s.up:
		default:
			return false
		}
	}
	s.kills--
	s.victims = victims[slices.Sorted(maps.Keys(victims))[rand.IntN(len(victims))]]
	return true
}
