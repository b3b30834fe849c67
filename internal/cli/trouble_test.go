package cli

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// fullDisk is a step that has found no room for an hour.
func fullDisk() runstest.Step {
	since := time.Now().Add(-time.Hour)
	text := "no space is left in /out"
	return runstest.Step{
		Activity: "DownloadResults", Attempt: 13, Failure: "DISK_FULL: " + text,
		Detail: &activities.Failure{Step: activities.StepDownload, Code: activities.CodeDiskFull, Message: text, Since: &since},
	}
}

// troubledRuns are one of each kind, with trouble of their own or of a child.
func troubledRuns() map[string]*runstest.Run {
	return map[string]*runstest.Run{
		"a conversion": {Kind: runs.Conversion, ID: "r", File: "a.md", Format: "pdf", Step: fullDisk()},
		"a goal":       {Kind: runs.Goal, ID: "r", Goal: "g", Step: fullDisk()},
		"a batch": {Kind: runs.Batch, ID: "r", Steps: []runstest.Step{fullDisk(), fullDisk()}, Progress: batch.Progress{
			State: workflows.StateRunning, Total: 9, Completed: 3, Rate: 2, LeftFor: workflows.Duration(16 * time.Second), InFlight: map[string]int{"download": 2},
		}},
		"a watch": {Kind: runs.Watch, ID: "r", Waves: someWaves(), Children: []*runstest.Run{{Kind: runs.Batch, ID: "wave", Step: fullDisk()}}},
	}
}

const (
	whatFails = "12 attempts failed since"
	whyFails  = "DISK_FULL: no space is left in /out"
)

func TestTroubleIsShown(t *testing.T) {
	for name, run := range troubledRuns() {
		t.Run(name, func(t *testing.T) {
			temporal := runstest.New()
			temporal.Add(&runstest.Run{Kind: runs.Conversion, ID: "fine", File: "b.md", Format: "pdf"}, run)

			code, stdout, stderr := command(t.Context(), t, temporal, Env{}, "", "runs", "show", "r")
			require.Equal(t, ExitOK, code, stderr)
			assert.Regexp(t, `(?m)^trouble  download.*`+whatFails+` .*\(60 min|1 h\): `+whyFails, stdout)
			assert.NotContains(t, stdout, "left,", "a forecast")

			code, stdout, stderr = command(t.Context(), t, temporal, Env{}, "", "runs", "show", "r", "--json")
			require.Equal(t, ExitOK, code, stderr)
			assert.Contains(t, stdout, `"code":"DISK_FULL","error":"`+whyFails+`","since":"`)

			_, stdout, _ = command(t.Context(), t, temporal, Env{}, "", "runs", "list")
			assert.Regexp(t, `(?m)^r .* download × 12: DISK_FULL`, stdout)
			assert.Regexp(t, `(?m)^fine .* -$`, stdout)

			check := troubleCheck(t.Context(), &Session{Temporal: temporal})
			assert.False(t, check.OK)
			assert.Regexp(t, `^(r|wave): download.*`+whatFails+`.*`+whyFails, check.Detail)
			assert.Contains(t, check.Remedy, "make room")
		})
	}
}

// Who follows a run sees it, on a terminal and off one.
func TestTroubleIsSeenByWhoFollows(t *testing.T) {
	for name, run := range troubledRuns() {
		for where, terminal := range map[string]term.Screen{"on a terminal": {Live: true, Width: func() int { return 200 }}, "off a terminal": {}} {
			t.Run(name+" "+where, func(t *testing.T) {
				temporal := runstest.New()
				temporal.Add(run)
				var out bytes.Buffer
				e := &Env{Program: "starter", Stdout: &out, Stderr: &out, Terminal: terminal}
				session := &Session{Temporal: temporal}
				d, err := session.runs().Describe(t.Context(), "r")
				require.NoError(t, err)

				screen := newScreen(e, session, []*watched{attach(d.Run)}, false)
				if v, is := screen.(*view); is {
					v.started = time.Now().Add(-2 * time.Minute) // it waits a minute before its first line
				}
				screen.refresh(context.Background())
				screen.draw()
				assert.Contains(t, out.String(), whatFails)
				assert.Contains(t, out.String(), whyFails)
				assert.NotContains(t, out.String(), "about", "a forecast")
			})
		}
	}
}

func TestAWatchTellsOfTroubleOnce(t *testing.T) {
	temporal := runstest.New()
	run := troubledRuns()["a watch"]
	temporal.Add(run)
	var out bytes.Buffer
	e := &Env{Program: "starter", Stdout: &out, Stderr: &out}
	v := newWatchView(e, &Session{Temporal: temporal}, &watched{work: watchItem{workflowID: "r"}}, false)
	look := func() string {
		out.Reset()
		v.refresh(context.Background())
		v.draw()
		return out.String()
	}

	assert.Contains(t, look(), whyFails)
	assert.NotContains(t, look(), whyFails)
	temporal.Change(func() { run.Children[0].Step = runstest.Step{} })
	assert.Contains(t, look(), "no trouble any more")
	assert.Empty(t, look())
}

func TestTroubleMark(t *testing.T) {
	one := runs.Trouble{Step: "download", Attempts: 4, Code: "DISK_FULL"}
	assert.Equal(t, "-", troubleMark(nil))
	assert.Equal(t, "download × 4: DISK_FULL and 1 more", troubleMark([]runs.Trouble{one, one}))
	assert.Len(t, troubleView([]runs.Trouble{one, one, one, one, one}), visibleTroubles+1)
}
