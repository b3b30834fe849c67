package histories

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// watchRecordings are paths through WatchFolder whose histories workflows/testdata keeps.
var watchRecordings = map[string]struct {
	maxEvents int
	pause     bool
}{
	"cancelled":        {},
	"paused":           {pause: true},
	"continued-as-new": {maxEvents: 20},
}

func TestRecordWatchHistories(t *testing.T) {
	stack := fixture.Shared(t, func(b *fixture.Workspace) *fixture.Stack { return b.Open("") })
	for name, r := range watchRecordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := fixture.New(t)
			s := stack(t)
			id := "watch-" + name
			run := s.Start(id, watch.WorkflowType, watch.Input{
				Name: name, MaxEvents: r.maxEvents, Interval: workflows.Duration(100 * time.Millisecond),
				Spec: manifest.Spec{Source: b.In, Output: b.Out, To: "html", Settle: 100 * time.Millisecond, Lenient: true, SkipFailed: true},
			})
			first := run.GetRunID()
			for wave := 1; wave <= 3; wave++ {
				b.Write(fmt.Sprintf("doc-%d.md", wave), fmt.Sprintf("# Document %d", wave))
				b.Eventually(func() bool { return s.WatchProgress(id).Converted == wave }, "a wave")
				if r.pause && wave == 1 {
					s.Signal(id, batch.SignalPause, batch.Steering{By: "test"})
					b.Eventually(func() bool { return s.WatchProgress(id).State == workflows.StatePaused }, "paused")
					s.Signal(id, batch.SignalResume, nil)
				}
			}
			now := s.WatchProgress(id)
			require.NoError(t, s.Client.CancelWorkflow(t.Context(), id, ""))
			last := s.Client.GetWorkflow(t.Context(), id, "")
			assert.True(t, temporal.IsCanceledError(last.Get(t.Context(), nil)))
			events := s.History(id, first)
			record(t, "watch-folder-"+name, events)
			if r.maxEvents > 0 {
				assert.Greater(t, now.Runs, 1)
				record(t, "watch-folder-"+name+"-then", s.History(id, last.GetRunID()))
			} else {
				assert.LessOrEqual(t, len(events.Events), 3*25+15, "events of a wave are few")
			}
		})
	}
}
