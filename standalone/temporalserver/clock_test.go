package temporalserver

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/common/dynamicconfig"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// machine has a clock that can be set, and one that only runs.
type machine struct {
	wall    time.Time
	running time.Duration
}

func (m *machine) pass(d time.Duration) {
	m.wall, m.running = m.wall.Add(d), m.running+d
}

func (m *machine) read() (time.Time, time.Duration) { return m.wall, m.running }

func TestClock(t *testing.T) {
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		atLeast time.Duration // after noon
		events  func(m *machine)
		now     time.Duration // after noon
		ahead   time.Duration
	}{
		"follows the machine":         {0, func(m *machine) { m.pass(time.Hour) }, time.Hour, 0},
		"begins with the machine":     {-time.Hour, func(*machine) {}, 0, 0},
		"never goes back":             {0, func(m *machine) { m.wall = m.wall.Add(-24 * time.Hour) }, 0, 24 * time.Hour},
		"runs on":                     {0, func(m *machine) { m.wall = m.wall.Add(-24 * time.Hour); m.pass(time.Minute) }, time.Minute, 24 * time.Hour},
		"follows a machine that woke": {0, func(m *machine) { m.wall = m.wall.Add(8 * time.Hour) }, 8 * time.Hour, 0},
		"is set right again":          {0, func(m *machine) { m.wall = m.wall.Add(-time.Hour); m.pass(time.Minute); m.wall = m.wall.Add(time.Hour) }, time.Minute, 0},
		"begins after what was seen":  {time.Hour, func(m *machine) { m.pass(time.Minute) }, time.Hour + time.Minute, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			m := &machine{wall: noon, running: 5 * time.Second}
			clock := newClock(noon.Add(c.atLeast), m.read)
			require.False(t, clock.Now().Before(noon))
			c.events(m)
			assert.Equal(t, noon.Add(c.now), clock.Now())
			assert.Equal(t, c.ahead, clock.Ahead())
			assert.Equal(t, c.now, clock.Since(noon))
		})
	}
}

func TestNewClock_FollowsTheMachine(t *testing.T) {
	clock := NewClock(time.Time{})
	before := time.Now()
	now := clock.Now()
	assert.False(t, now.Before(before.Round(0)))
	assert.False(t, now.After(time.Now().Round(0)))
	assert.Positive(t, NewClock(time.Now().Add(time.Hour)).Ahead())
}

// running is a server with a new database, and its address.
func running(t *testing.T) (server *Server, address string) {
	t.Helper()
	testkit.SkipIfShort(t, "it runs Temporal")
	listener, err := loopback.Listen(0)
	require.NoError(t, err)
	server, err = Start(Options{Database: filepath.Join(t.TempDir(), "temporal.db"), Listener: listener, Secret: "s", Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	return server, listener.Addr().String()
}

func TestServer_SetBack(t *testing.T) {
	server, _ := running(t)
	rate := func() any {
		return server.settings.GetValue(dynamicconfig.AdminMatchingNamespaceTaskqueueToPartitionDispatchRate.Key())[0].Value
	}

	var rates []any
	for range 3 {
		require.NoError(t, server.SetBack(t.Context(), Namespace, "q"))
		rates = append(rates, rate())
	}
	assert.Equal(t, []any{spareRate, usualRate, spareRate}, rates, "each is a change, or matching would not look again")
	require.Error(t, server.SetBack(t.Context(), "no such namespace", "q"))
}

// A clock that was set back by a day leaves queues with a time a day ahead from which on their tasks may pass. A rate of a task a
// day leaves them with the same, and needs no other clock.
func TestServer_SetBackLetsQueuesGoOn(t *testing.T) {
	server, address := running(t)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	frontend := workflowservice.NewWorkflowServiceClient(conn)
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer s"))

	queue := &taskqueue.TaskQueue{Name: "q"}
	var started, passed atomic.Int32
	var polls sync.WaitGroup
	polls.Go(func() {
		seen := map[string]bool{} // what nobody completes comes again
		for ctx.Err() == nil {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			task, err := frontend.PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{Namespace: Namespace, TaskQueue: queue, Identity: "worker"})
			cancel()
			if id := task.GetWorkflowExecution().GetWorkflowId(); err == nil && id != "" && !seen[id] {
				seen[id] = true
				passed.Add(1)
			}
		}
	})
	t.Cleanup(func() { cancel(); polls.Wait() })
	start := func() {
		id := fmt.Sprint("w", started.Add(1))
		_, err := frontend.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
			Namespace: Namespace, WorkflowId: id, RequestId: id, WorkflowType: &common.WorkflowType{Name: "w"}, TaskQueue: queue,
		})
		require.NoError(t, err)
	}
	allPassed := func() bool { return passed.Load() == started.Load() }

	start()
	require.Eventually(t, allPassed, testkit.Patience, 10*time.Millisecond, "the queue is loaded: a change of its rate counts")
	server.settings.OverrideSetting(dynamicconfig.AdminMatchingNamespaceTaskqueueToPartitionDispatchRate, 1.0/(24*60*60))
	before, waiting := int32(0), 0
	held := func() bool {
		start()
		now := passed.Load()
		if waiting++; now != before {
			before, waiting = now, 0
		}
		return waiting == 20
	}
	require.Eventually(t, held, testkit.Patience, 50*time.Millisecond, "somebody asks for tasks, and none passes")

	require.NoError(t, server.SetBack(ctx, Namespace, "q"))
	require.Eventually(t, allPassed, testkit.Patience, 10*time.Millisecond, "all pass")
}
