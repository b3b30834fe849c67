package goals

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	temporalclient "go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// resident is the memory of this process in MiB, after what is garbage was given back; 0 where Linux does not tell.
func resident() int {
	debug.FreeOSMemory()
	data, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kib >> 10
}

// parkedRuns is how many runs are parked at once: few, so that CI is quick, or as CONVILYN_PARKED says.
func parkedRuns(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CONVILYN_PARKED")
	if text == "" {
		return 25
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "CONVILYN_PARKED")
	return n
}

// manyRuns is many runs of one stack, each with a folder of its own.
type manyRuns struct {
	t    *testing.T
	b    *fixture.Workspace
	s    *fixture.Stack
	runs []temporalclient.WorkflowRun
}

const startedAtOnce = 16

// each does something for every run, some at once, and returns the first error.
func (c *manyRuns) each(do func(i int) error) error {
	var work errgroup.Group
	work.SetLimit(startedAtOnce)
	for i := range c.runs {
		work.Go(func() error { return do(i) })
	}
	return work.Wait()
}

func (c *manyRuns) folder(i int) string { return filepath.Join(c.b.Out, strconv.Itoa(i)) }

func (c *manyRuns) start(n int, input goal.Input) {
	c.t.Helper()
	c.runs = make([]temporalclient.WorkflowRun, n)
	require.NoError(c.t, c.each(func(i int) error {
		input := input
		input.To.Folder = "file://" + c.folder(i)
		options := temporalclient.StartWorkflowOptions{ID: fmt.Sprintf("run-%04d", i), TaskQueue: workflows.TaskQueue}
		run, err := c.s.Client.ExecuteWorkflow(c.t.Context(), options, goal.WorkflowType, input)
		c.runs[i] = run
		return err
	}))
}

// parkedAs is what Temporal says of parked runs, at about one moment.
type parkedAs struct {
	running int   // activities
	looks   int   // so far, of all
	events  int64 // of all
}

func (c *manyRuns) look() (parkedAs, error) {
	var mu sync.Mutex
	var sum parkedAs
	err := c.each(func(i int) error {
		description, err := c.s.Client.DescribeWorkflowExecution(c.t.Context(), c.runs[i].GetID(), "")
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		sum.events += description.GetWorkflowExecutionInfo().GetHistoryLength()
		for _, activity := range description.GetPendingActivities() {
			if name := activity.GetActivityType().GetName(); name != "LookGoal" {
				return fmt.Errorf("%s is pending in %s", name, c.runs[i].GetID())
			}
			sum.looks += int(activity.GetAttempt()) - 1 // the one that waits is none yet
			if activity.GetState() != enums.PENDING_ACTIVITY_STATE_SCHEDULED {
				sum.running++
			}
		}
		return nil
	})
	return sum, err
}

// Many runs wait at once. They hold no socket and no activity, looks leave no trace in history, and when all
// are answered together each gets its own answer, once. The log has what that costs.
func TestManyParkedRuns(t *testing.T) {
	testkit.SkipLong(t, "it parks many runs")
	t.Parallel()
	n := parkedRuns(t)
	b, patches := fixture.New(t), fixture.NewPatchLog()
	s := b.OpenChanged(func(o *stack.Options) { o.Goals, o.Around = []goals.Goal{testkit.Stumble(0)}, patches.Around })
	c := &manyRuns{t: t, b: b, s: s}
	input := b.StumbleInput()
	input.LookEvery = workflows.Duration(time.Duration(n) * 50 * time.Millisecond) // 20 looks a second by all of them
	before, began := resident(), time.Now()
	c.start(n, input)
	started := time.Since(began)
	require.Eventually(t, func() bool {
		waiting, err := s.RunsClient().Waiting(t.Context(), n+1)
		return err == nil && len(waiting) == n
	}, testkit.Patience, 100*time.Millisecond)
	t.Logf("%d runs started in %s, parked %s later", n, started.Round(time.Millisecond), (time.Since(began) - started).Round(time.Millisecond))

	c.rests()
	parked := resident()
	c.isListed()
	given := c.answerAll()
	answered := c.ends(given, patches)
	t.Logf("answered to PATCH: p50 %s, p99 %s, longest %s", quantile(answered, 0.5), quantile(answered, 0.99), quantile(answered, 1))
	t.Logf("resident memory: %d MiB before, %d MiB parked, %d MiB after", before, parked, resident())
}

// rests sees that nothing runs for parked runs, and that their histories do not grow.
func (c *manyRuns) rests() {
	c.t.Helper()
	var first, last parkedAs
	quiet := func(sum *parkedAs, looks int) func() bool {
		return func() bool {
			now, err := c.look()
			*sum = now
			return assert.NoError(c.t, err) && now.running == 0 && now.looks >= looks
		}
	}
	pause := time.Duration(len(c.runs)) * 2 * time.Millisecond // Temporal's limit on requests would hold up what comes next
	require.Eventually(c.t, quiet(&first, len(c.runs)), 5*time.Minute, pause, "never a fixture.Moment without a look")
	assert.Zero(c.t, c.s.Service.Subscribers(), "no socket is open")
	require.Eventually(c.t, quiet(&last, first.looks+len(c.runs)), 5*time.Minute, pause)
	assert.Equal(c.t, first.events, last.events, "no event a look")
	c.t.Logf("parked: %d activities run, %d sockets are open, %d looks so far, %d events in all, as %d looks before",
		last.running, c.s.Service.Subscribers(), last.looks, last.events, last.looks-first.looks)
}

// isListed reads the two lists that people read.
func (c *manyRuns) isListed() {
	c.t.Helper()
	n := min(len(c.runs), 1000) // which is as far as the inbox reads
	began := time.Now()
	code, stdout, stderr := c.b.Run("slots", "list", "--limit", strconv.Itoa(len(c.runs)), "--json")
	c.t.Logf("slots list took %s, the process with it", time.Since(began).Round(time.Millisecond))
	require.Equal(c.t, 0, code, stderr)
	assert.Equal(c.t, len(c.runs), strings.Count(stdout, "\n"))
	began = time.Now()
	status, body := c.read()
	c.t.Logf("the inbox's list took %s for %d bytes", time.Since(began).Round(time.Millisecond), len(body))
	require.Equal(c.t, http.StatusOK, status)
	assert.Contains(c.t, body, strconv.Itoa(n)+" ", "one card for all of them")
}

// read logs in by the link that up prints, and is sent on to the list.
func (c *manyRuns) read() (status int, body string) {
	c.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(c.t, err)
	link, _ := c.s.Links()
	response, err := (&http.Client{Jar: jar}).Get(link)
	require.NoError(c.t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	return response.StatusCode, string(page)
}

// patientRunsClient waits for verdicts on a busy machine, too.
func (c *manyRuns) patientRunsClient() *runs.Client {
	client := c.s.RunsClient()
	client.Patience = testkit.Patience
	return client
}

func (c *manyRuns) answerAll() []time.Time {
	c.t.Helper()
	given, client := make([]time.Time, len(c.runs)), c.patientRunsClient()
	require.NoError(c.t, c.each(func(i int) error {
		given[i] = time.Now()
		receipt, err := client.Answer(c.t.Context(), c.runs[i].GetID(), questions.Answer{SlotID: "word", Value: fmt.Appendf(nil, `"word %d"`, i)})
		if err == nil && receipt.Verdict != questions.VerdictAccepted {
			err = fmt.Errorf("%s: %s", receipt.Verdict, receipt.Reason)
		}
		return err
	}))
	c.t.Logf("all answers were judged within %s", time.Since(given[0]).Round(time.Millisecond))
	return given
}

// ends sees how every run ended, and returns how long each answer was under way to the service, sorted.
func (c *manyRuns) ends(given []time.Time, patches *fixture.PatchLog) []time.Duration {
	c.t.Helper()
	took := make([]time.Duration, len(c.runs))
	require.NoError(c.t, c.each(func(i int) error {
		var result goal.Result
		if err := c.runs[i].Get(c.t.Context(), &result); err != nil {
			return fmt.Errorf("%s: %w", c.runs[i].GetID(), err)
		}
		assert.Equal(c.t, goal.ResultCompleted, result.Status)
		data, err := os.ReadFile(filepath.Join(c.folder(i), "word.txt"))
		if err != nil {
			return err
		}
		assert.Equal(c.t, fmt.Sprintf("word %d", i), string(data))
		filled := patches.Of(result.JobSpecID)
		if len(filled) != 1 {
			return fmt.Errorf("the slot of %s was filled %d times", c.runs[i].GetID(), len(filled))
		}
		assert.JSONEq(c.t, fmt.Sprintf(`"word %d"`, i), filled[0].Value)
		took[i] = filled[0].At.Sub(given[i])
		return nil
	}))
	c.t.Logf("all had ended %s after the first answer", time.Since(given[0]).Round(time.Millisecond))
	slices.Sort(took)
	return took
}

// quantile is of sorted times.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))].Round(time.Millisecond)
}
