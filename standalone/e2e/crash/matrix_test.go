//go:build crash && linux && amd64

package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
)

// setsDefault is how many scenarios are told at once: most of the time they wait for a heartbeat that does not come.
const setsDefault = 10

// runTime bounds a scenario; one that takes longer is stuck.
const runTime = 90 * time.Second

// kill is one case of the matrix.
type kill struct {
	scenario, moment string
	who              string // a key of victims
}

// outcome is what became of a case.
type outcome struct {
	kill
	resumed time.Duration // from the kill until the run went on
	err     error
}

// Everything that activities do outside is met twice by each death: before it happens and after. Which moments there
// are is seen in a run of each scenario in which nobody dies: every request and reply, every change of files, the end
// of every activity. Then each scenario is told again for each of its moments and each who can die at it.
//
// CONVILYN_CRASH_STORIES is a pattern of the scenarios to tell, CONVILYN_CRASH_LANES how many at once.
func TestCrashMatrix(t *testing.T) {
	sets := setsWanted(t)
	pattern, err := regexp.Compile(os.Getenv("CONVILYN_CRASH_STORIES"))
	require.NoError(t, err)
	first := newProcesses(t, 0)
	var kills []kill
	expected := map[string]map[string]string{}
	had := map[[2]string]bool{}
	for _, name := range scenarioOrder {
		if !pattern.MatchString(name) {
			continue
		}
		s := &fault{}
		told, err := first.run(t.Context(), name, s)
		require.NoError(t, err, "%s, where nobody dies", name)
		expected[name] = told
		if !slices.Contains(scenarioActivities[name], notifies) {
			delete(s.ran, notifies) // it runs beside the others, and may come too late for the scenario
		}
		assert.ElementsMatch(t, scenarioActivities[name], slices.Collect(maps.Keys(s.ran)), "%s: activities that ran, and rows of scenarioActivities", name)
		for _, moment := range s.seen {
			key := [2]string{scenarios[name].kind, moment}
			if had[key] {
				continue
			}
			had[key] = true
			for _, who := range slices.Sorted(maps.Keys(victims)) {
				kills = append(kills, kill{scenario: name, moment: moment, who: who})
			}
		}
	}
	require.Len(t, scenarioOrder, len(scenarioActivities))
	outcomes := runAll(t, first, sets, kills, expected)
	report(t, outcomes)
}

func setsWanted(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CONVILYN_CRASH_LANES")
	if text == "" {
		return setsDefault
	}
	sets, err := strconv.Atoi(text)
	require.NoError(t, err)
	return sets
}

// scenarioOrder has the scenarios; what happens in two of a kind is met in the first.
var scenarioOrder = []string{"convert", "output in way", "loss kept", "batch", "watch", "plan gone", "goal", "goal retried", "goal cancelled", "goal unknown", "goal adopted"}

// runAll tells every case, so many at once.
func runAll(t *testing.T, first *processes, sets int, kills []kill, expected map[string]map[string]string) []outcome {
	t.Helper()
	all := []*processes{first}
	for n := 1; n < sets; n++ {
		all = append(all, newProcesses(t, n))
	}
	waiting := make(chan int)
	outcomes := make([]outcome, len(kills))
	var done sync.WaitGroup
	for _, l := range all {
		done.Go(func() {
			for i := range waiting {
				k := kills[i]
				s := &fault{moment: k.moment, victims: victims[k.who]}
				told, err := l.run(t.Context(), k.scenario, s)
				if err == nil && !maps.Equal(told, expected[k.scenario]) {
					err = fmt.Errorf("it left %v, where nobody died %v", told, expected[k.scenario])
				}
				outcomes[i] = outcome{kill: k, resumed: s.resumed.Sub(s.killed), err: err}
				if err != nil {
					t.Errorf("%s, %s killed %s: %v", k.scenario, k.who, k.moment, err)
				}
			}
		})
	}
	for i := range kills {
		waiting <- i
	}
	close(waiting)
	done.Wait()
	return outcomes
}

var runCount sync.Map // how many of each lane, for names

// tell tells a scenario on a lane and looks what is left of it: the files that have to be the same each time.
func (l *processes) run(ctx context.Context, name string, s *fault) (map[string]string, error) {
	scenario := scenarios[name]
	count, _ := runCount.LoadOrStore(l, new(int))
	number := count.(*int)
	*number++
	x := &run{processes: l, id: fmt.Sprintf("story-%03d", *number)}
	folder := filepath.Join(l.dir, "stories", x.id)
	x.in, x.out = filepath.Join(folder, "in"), filepath.Join(folder, "out")
	if err := errors.Join(os.MkdirAll(x.in, 0o755), os.MkdirAll(x.out, 0o755)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	l.kill(theWorker)
	if err := l.start(theWorker); err != nil {
		return nil, err
	}
	conversions, goals, err := l.jobs(ctx)
	if err != nil {
		return nil, err
	}
	s.loses, s.refuses, s.told, s.ran = scenario.loses, scenario.refuses, map[string]bool{}, map[string]bool{}
	l.mu.Lock()
	l.fault = s
	l.mu.Unlock()
	err = scenario.run(ctx, x)
	l.mu.Lock()
	l.fault = nil
	l.mu.Unlock()
	if s.up != nil {
		<-s.up
		err = errors.Join(err, s.failure)
	} else if s.moment != "" {
		err = errors.Join(err, errors.New("the moment never came"))
	}
	if err != nil {
		return nil, errors.Join(err, l.died())
	}
	return l.left(ctx, x, scenario, conversions, goals)
}

// left looks at what a scenario has left: its jobs and its files, and nothing of it half.
func (l *processes) left(ctx context.Context, x *run, s scenario, conversions, goals int) (map[string]string, error) {
	conversionsNow, goalsNow, err := l.jobs(ctx)
	if err != nil {
		return nil, err
	}
	if conversionsNow-conversions != s.conversions || goalsNow-goals != s.goals {
		return nil, fmt.Errorf("there are %d conversions and %d goal jobs more, not %d and %d", conversionsNow-conversions, goalsNow-goals, s.conversions, s.goals)
	}
	files, err := tree(x.out)
	if err != nil {
		return nil, err
	}
	if names := slices.Sorted(maps.Keys(files)); !slices.Equal(names, s.files) {
		return nil, fmt.Errorf("there are the files %v, not %v", names, s.files)
	}
	for name := range files {
		if strings.HasSuffix(name, ".report.jsonl") || strings.HasSuffix(name, ".summary.json") {
			files[name] = "" // it tells times and ids
		}
	}
	half, err := os.ReadDir(filepath.Join(l.dir, "service", "work"))
	if err == nil && len(half) > 0 {
		err = fmt.Errorf("the service has left %s in its work folder", half[0].Name())
	}
	return files, err
}

// jobs counts the jobs of the service.
func (l *processes) jobs(ctx context.Context) (conversions, goals int, err error) {
	page, err := l.api.Convert.List(ctx, client.ListParams{Limit: 1})
	if err != nil {
		return 0, 0, err
	}
	list, err := l.goalJobs(ctx)
	return page.Total, list.Total, err
}

// goalJobs asks the service itself, whatever the proxy does.
func (l *processes) goalJobs(ctx context.Context) (list client.WireGoalList, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url(theService)+client.PathGoals, http.NoBody)
	if err != nil {
		return list, err
	}
	request.Header.Set("Authorization", "Bearer "+l.key)
	response, err := straight.RoundTrip(request)
	if err != nil {
		return list, err
	}
	defer response.Body.Close()
	return list, json.NewDecoder(response.Body).Decode(&list)
}

// report prints the matrix: moment by who was killed, with the time until the run went on.
func report(t *testing.T, outcomes []outcome) {
	t.Helper()
	who := slices.Sorted(maps.Keys(victims))
	rows := map[[2]string]map[string]string{}
	var order [][2]string
	var slowest time.Duration
	for _, o := range outcomes {
		key := [2]string{o.scenario, o.moment}
		if rows[key] == nil {
			rows[key] = map[string]string{}
			order = append(order, key)
		}
		cell := fmt.Sprintf("%.1fs", o.resumed.Seconds())
		switch {
		case o.err != nil:
			cell = "FAILED"
		case o.resumed < 0:
			cell = "done" // nothing was left to do
		}
		rows[key][o.who] = cell
		slowest = max(slowest, o.resumed)
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "STORY\tMOMENT\t%s\n", strings.ToUpper(strings.Join(who, "\t")))
	for _, key := range order {
		_, _ = fmt.Fprintf(w, "%s\t%s", key[0], key[1])
		for _, name := range who {
			_, _ = fmt.Fprintf(w, "\t%s", rows[key][name])
		}
		_, _ = fmt.Fprintln(w)
	}
	_ = w.Flush()
	t.Logf("%d moments, %d kills; the slowest went on after %.1fs\n%s", len(order), len(outcomes), slowest.Seconds(), text.String())
}

// TestCrashSoak tells scenarios at random for CONVILYN_CRASH_SOAK (10m, say), in each of which up to four deaths fault at
// random moments.
func TestCrashSoak(t *testing.T) {
	text := os.Getenv("CONVILYN_CRASH_SOAK")
	if text == "" {
		t.Skip("a soak is for hours without people; CONVILYN_CRASH_SOAK says how long")
	}
	long, err := time.ParseDuration(text)
	require.NoError(t, err)
	until := time.Now().Add(long)
	var done sync.WaitGroup
	var told, deaths atomic.Int64
	for n := range setsWanted(t) {
		l := newProcesses(t, n)
		done.Go(func() {
			for time.Now().Before(until) {
				name := scenarioOrder[rand.IntN(len(scenarioOrder))]
				s := &fault{chance: 0.05, kills: 4}
				if _, err := l.run(t.Context(), name, s); err != nil {
					t.Errorf("%s, the last deaths of %v: %v", name, s.victims, err)
				}
				told.Add(1)
				deaths.Add(int64(4 - s.kills))
			}
		})
	}
	done.Wait()
	t.Logf("%d scenarios, %d deaths", told.Load(), deaths.Load())
}
