//go:build crash && linux && amd64

package main

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

// lanesDefault is how many stories are told at once: most of the time they wait for a heartbeat that does not come.
const lanesDefault = 10

// tellingTime bounds a story; one that takes longer is stuck.
const tellingTime = 90 * time.Second

// kill is one case of the matrix.
type kill struct {
	story, moment string
	who           string // a key of victims
}

// outcome is what became of a case.
type outcome struct {
	kill
	resumed time.Duration // from the kill until the run went on
	err     error
}

// Everything that activities do outside is met twice by each death: before it happens and after. Which moments there
// are is seen in a telling of each story in which nobody dies: every request and reply, every change of files, the end
// of every activity. Then each story is told again for each of its moments and each who can die at it.
//
// CONVILYN_CRASH_STORIES is a pattern of the stories to tell, CONVILYN_CRASH_LANES how many at once.
func TestCrashMatrix(t *testing.T) {
	lanes := lanesWanted(t)
	pattern, err := regexp.Compile(os.Getenv("CONVILYN_CRASH_STORIES"))
	require.NoError(t, err)
	first := newLane(t, 0)
	var kills []kill
	expected := map[string]map[string]string{}
	had := map[[2]string]bool{}
	for _, name := range tellingOrder {
		if !pattern.MatchString(name) {
			continue
		}
		s := &strike{}
		told, err := first.tell(t.Context(), name, s)
		require.NoError(t, err, "%s, where nobody dies", name)
		expected[name] = told
		if !slices.Contains(crashRows[name], notifies) {
			delete(s.ran, notifies) // it runs beside the others, and may come too late for the story
		}
		assert.ElementsMatch(t, crashRows[name], slices.Collect(maps.Keys(s.ran)), "%s: activities that ran, and rows of crashRows", name)
		for _, moment := range s.seen {
			key := [2]string{stories[name].kind, moment}
			if had[key] {
				continue
			}
			had[key] = true
			for _, who := range slices.Sorted(maps.Keys(victims)) {
				kills = append(kills, kill{story: name, moment: moment, who: who})
			}
		}
	}
	require.Len(t, tellingOrder, len(crashRows))
	outcomes := tellAll(t, first, lanes, kills, expected)
	report(t, outcomes)
}

func lanesWanted(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CONVILYN_CRASH_LANES")
	if text == "" {
		return lanesDefault
	}
	lanes, err := strconv.Atoi(text)
	require.NoError(t, err)
	return lanes
}

// tellingOrder has the stories; what happens in two of a kind is met in the first.
var tellingOrder = []string{"convert", "output in way", "batch", "watch", "goal", "goal retried", "goal cancelled", "goal unknown", "goal adopted"}

// tellAll tells every case, so many at once.
func tellAll(t *testing.T, first *lane, lanes int, kills []kill, expected map[string]map[string]string) []outcome {
	t.Helper()
	all := []*lane{first}
	for n := 1; n < lanes; n++ {
		all = append(all, newLane(t, n))
	}
	waiting := make(chan int)
	outcomes := make([]outcome, len(kills))
	var done sync.WaitGroup
	for _, l := range all {
		done.Go(func() {
			for i := range waiting {
				k := kills[i]
				s := &strike{moment: k.moment, victims: victims[k.who]}
				told, err := l.tell(t.Context(), k.story, s)
				if err == nil && !maps.Equal(told, expected[k.story]) {
					err = fmt.Errorf("it left %v, where nobody died %v", told, expected[k.story])
				}
				outcomes[i] = outcome{kill: k, resumed: s.resumed.Sub(s.killed), err: err}
				if err != nil {
					t.Errorf("%s, %s killed %s: %v", k.story, k.who, k.moment, err)
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

var tellings sync.Map // how many of each lane, for names

// tell tells a story on a lane and looks what is left of it: the files that have to be the same each time.
func (l *lane) tell(ctx context.Context, name string, s *strike) (map[string]string, error) {
	story := stories[name]
	count, _ := tellings.LoadOrStore(l, new(int))
	number := count.(*int)
	*number++
	x := &telling{lane: l, id: fmt.Sprintf("story-%03d", *number)}
	folder := filepath.Join(l.dir, "stories", x.id)
	x.in, x.out = filepath.Join(folder, "in"), filepath.Join(folder, "out")
	if err := errors.Join(os.MkdirAll(x.in, 0o755), os.MkdirAll(x.out, 0o755)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tellingTime)
	defer cancel()
	l.kill(theWorker)
	if err := l.start(theWorker); err != nil {
		return nil, err
	}
	conversions, goals, err := l.jobs(ctx)
	if err != nil {
		return nil, err
	}
	s.loses, s.refuses, s.told, s.ran = story.loses, story.refuses, map[string]bool{}, map[string]bool{}
	l.mu.Lock()
	l.strike = s
	l.mu.Unlock()
	err = story.tell(ctx, x)
	l.mu.Lock()
	l.strike = nil
	l.mu.Unlock()
	if s.up != nil {
		<-s.up
		err = errors.Join(err, s.fault)
	} else if s.moment != "" {
		err = errors.Join(err, errors.New("the moment never came"))
	}
	if err != nil {
		return nil, err
	}
	return l.left(ctx, x, story, conversions, goals)
}

// left looks at what a story has left: its jobs and its files, and nothing of it half.
func (l *lane) left(ctx context.Context, x *telling, s story, conversions, goals int) (map[string]string, error) {
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
func (l *lane) jobs(ctx context.Context) (conversions, goals int, err error) {
	page, err := l.api.Convert.List(ctx, client.ListParams{Limit: 1})
	if err != nil {
		return 0, 0, err
	}
	list, err := l.goalJobs(ctx)
	return page.Total, list.Total, err
}

// goalJobs asks the service itself, whatever the proxy does.
func (l *lane) goalJobs(ctx context.Context) (list client.WireGoalList, err error) {
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
		key := [2]string{o.story, o.moment}
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

// TestCrashSoak tells stories at random for CONVILYN_CRASH_SOAK (10m, say), in each of which up to four deaths strike at
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
	for n := range lanesWanted(t) {
		l := newLane(t, n)
		done.Go(func() {
			for time.Now().Before(until) {
				name := tellingOrder[rand.IntN(len(tellingOrder))]
				s := &strike{chance: 0.05, kills: 4}
				if _, err := l.tell(t.Context(), name, s); err != nil {
					t.Errorf("%s, the last deaths of %v: %v", name, s.victims, err)
				}
				told.Add(1)
				deaths.Add(int64(4 - s.kills))
			}
		})
	}
	done.Wait()
	t.Logf("%d stories, %d deaths", told.Load(), deaths.Load())
}
