package runs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

func failing(activity string, attempt int, code string, since time.Time) runstest.Step {
	return runstest.Step{
		Activity: activity, Attempt: attempt, Failure: code + ": no",
		Detail: &activities.Failure{Code: code, Message: "no", Since: &since},
	}
}

func TestLook_Trouble(t *testing.T) {
	long, longer, justNow := time.Now().Add(-time.Hour).UTC(), time.Now().Add(-2*time.Hour).UTC(), time.Now().UTC()
	for name, c := range map[string]struct {
		run  *runstest.Run
		want []runs.Trouble
	}{
		"a step that runs":             {&runstest.Run{Step: runstest.Step{Activity: "DownloadResults", Attempt: 1}}, nil},
		"a few attempts":               {&runstest.Run{Step: failing("DownloadResults", 3, "DISK_FULL", long)}, nil},
		"more than a few":              {&runstest.Run{Step: failing("DownloadResults", 4, "DISK_FULL", long)}, []runs.Trouble{{WorkflowID: "w", Step: "download", Steps: 1, Attempts: 3, Code: "DISK_FULL", Error: "DISK_FULL: no", Since: &long}}},
		"a goal that rests":            {&runstest.Run{Kind: runs.Goal, Step: failing(goal.RestingActivity, 400, "X", long)}, nil},
		"the steps of a batch":         {&runstest.Run{Kind: runs.Batch, Step: failing("FinishReport", 9, "DISK_FULL", long)}, []runs.Trouble{{WorkflowID: "w", Step: "report", Steps: 1, Attempts: 8, Code: "DISK_FULL", Error: "DISK_FULL: no", Since: &long}}},
		"steps that fail alike":        {&runstest.Run{Kind: runs.Batch, Step: failing("UploadFile", 5, "UNAVAILABLE", long), Steps: []runstest.Step{failing("UploadFile", 7, "UNAVAILABLE", longer), failing("DownloadResults", 9, "DISK_FULL", long)}}, []runs.Trouble{{WorkflowID: "w", Step: "upload", Steps: 2, Attempts: 6, Code: "UNAVAILABLE", Error: "UNAVAILABLE: no", Since: &longer}, {WorkflowID: "w", Step: "download", Steps: 1, Attempts: 8, Code: "DISK_FULL", Error: "DISK_FULL: no", Since: &long}}},
		"a wave of a watch":            {&runstest.Run{Kind: runs.Watch, Children: []*runstest.Run{{Kind: runs.Batch, ID: "wave", Step: failing("UploadFile", 5, "UNAVAILABLE", long)}}}, []runs.Trouble{{WorkflowID: "wave", Step: "upload", Steps: 1, Attempts: 4, Code: "UNAVAILABLE", Error: "UNAVAILABLE: no", Since: &long}}},
		"a step that nobody takes":     {&runstest.Run{Step: runstest.Step{Activity: "UploadFile", Queued: long}}, []runs.Trouble{{WorkflowID: "w", Step: "upload", Steps: 1, Code: runs.CodeNoWorker, Error: "no worker takes it: none is up, or all are busy", Since: &long}}},
		"a job that does not move":     {&runstest.Run{Kind: runs.Batch, Step: runstest.Step{Activity: "AwaitConversion", Attempt: 1, Progress: activities.Progress{Still: &long}}}, []runs.Trouble{{WorkflowID: "w", Step: "convert", Steps: 1, Code: runs.CodeJobStill, Error: "its job does not move at the service; a conversion costs nothing, so cancel the run and start it again, or wait", Since: &long}}},
		"a job that has just moved":    {&runstest.Run{Step: runstest.Step{Activity: "AwaitConversion", Attempt: 1, Progress: activities.Progress{Still: &justNow}}}, nil},
		"a run that nobody takes":      {&runstest.Run{Unclaimed: long}, []runs.Trouble{{WorkflowID: "w", Step: "workflow", Steps: 1, Code: runs.CodeNoWorker, Error: "no worker takes it: none is up, or all are busy", Since: &long}}},
		"a run that is about to begin": {&runstest.Run{Unclaimed: time.Now()}, nil},
		"a run that has ended":         {(&runstest.Run{Children: []*runstest.Run{{Kind: runs.Batch, ID: "wave", Step: failing("UploadFile", 5, "X", long)}}}).End(nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.run.ID = "w"
			if c.run.Kind == nil {
				c.run.Kind = runs.Conversion
			}
			client, _ := clientOf(c.run)
			d, err := client.Look(t.Context(), "w")
			require.NoError(t, err)
			assert.Equal(t, c.want, d.Troubles)
			listed := client.Troubles(t.Context(), []runs.Run{d.Run})
			assert.Equal(t, c.want, listed["w"], "lists know the same")
			if !d.Open() {
				return
			}
			found, more, err := client.Survey(t.Context(), 10)
			require.NoError(t, err)
			assert.False(t, more)
			assert.Equal(t, c.want, found, "each is counted once")
		})
	}
	client, _ := clientOf()
	_, err := client.Look(t.Context(), "none")
	require.ErrorIs(t, err, runs.ErrNoSuchRun)
}

func TestTrouble_Text(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	since, next := at.Add(-5*time.Minute), at.Add(9*time.Second)
	full := runs.Trouble{Step: "download", Steps: 6, Attempts: 17, Code: "DISK_FULL", Error: "DISK_FULL: no space", Since: &since, NextAt: &next}
	assert.Equal(t, "download (6 of them), 17 attempts failed since 11:55:00 (5 min): DISK_FULL: no space; next in 9 s", full.Text(at))
	assert.Equal(t, "download × 17: DISK_FULL", full.Mark())
	unclaimed := runs.Trouble{Step: "upload", Steps: 1, Code: runs.CodeNoWorker, Error: "no worker takes it", Since: &since}
	assert.Equal(t, "upload since 11:55:00 (5 min): no worker takes it", unclaimed.Text(at))
	assert.Equal(t, "NO_WORKER", unclaimed.Mark())
}

func TestProgress_NoForecastWhereNothingIsDone(t *testing.T) {
	for name, c := range map[string]struct {
		latest   time.Duration // since a file was done
		rate     float64
		forecast bool
	}{
		"files come":              {time.Second, 2, true},
		"none for a while":        {2 * time.Minute, 2, false},
		"few files come, slowly":  {2 * time.Minute, 0.01, true},
		"none for long, slow too": {time.Hour, 0.01, false},
	} {
		t.Run(name, func(t *testing.T) {
			last := time.Now().Add(-c.latest - 5*time.Second)
			r := &runstest.Run{Kind: runs.Batch, ID: "b", Progress: batch.Progress{
				Total: 100, Completed: 40, Rate: c.rate, LeftFor: 16e9, Throughput: []batch.Sample{{At: last.Add(-5 * time.Second), Done: 1}, {At: last, Done: 3}, {At: last.Add(5 * time.Second)}},
			}}
			client, _ := clientOf(r)
			p, err := client.Progress(t.Context(), "b")
			require.NoError(t, err)
			assert.Equal(t, c.forecast, p.LeftFor > 0)
			assert.Equal(t, c.forecast, p.Rate > 0)
		})
	}
}

func TestForeseen(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	five := []runs.Trouble{{Steps: 5}}
	for name, c := range map[string]struct {
		landed   time.Duration // ago
		troubles []runs.Trouble
		forecast bool
	}{
		"no trouble":               {time.Second, nil, true},
		"no trouble, and no files": {15 * time.Second, nil, true},
		"one of them comes on":     {time.Second, five, true},
		"one of them may come on":  {15 * time.Second, five, false},
		"all of them":              {time.Second, append(five, runs.Trouble{Steps: 1}), false},
	} {
		t.Run(name, func(t *testing.T) {
			p := batch.Progress{LeftFor: 16e9, InFlight: map[string]int{"upload": 1, "download": 5}, Throughput: []batch.Sample{{At: now.Add(-c.landed), Done: 1}}}
			assert.Equal(t, c.forecast, runs.Foreseen(p, c.troubles, now).LeftFor > 0)
		})
	}
}
