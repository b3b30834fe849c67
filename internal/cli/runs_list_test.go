package cli

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

func TestRunsList_SaysHowManyThereAre(t *testing.T) {
	f := runstest.New()
	for i := range 90 {
		f.Add((&runstest.Run{Kind: runs.Conversion, ID: fmt.Sprintf("c-%02d", i), StartedAt: time.Now().Add(-time.Duration(90-i) * time.Hour)}).End(nil))
	}
	for name, c := range map[string]struct {
		args        []string
		first, said string
	}{
		"first page": {nil, "c-89", "50 of 90 runs; --page 2 has the next\n"},
		"last page":  {[]string{"--page", "2"}, "c-39", "40 of 90 runs; this is the last page\n"},
		"all":        {[]string{"--limit", "90"}, "c-89", ""},
		"too far":    {[]string{"--page", "9"}, "", "no runs on this page; there are 90\n"},
		"since":      {[]string{"--since", "1d12h30m", "--limit", "10"}, "c-89", "10 of 36 runs; --page 2 has the next\n"},
		"name":       {[]string{"--name", "C-1", "--limit", "4"}, "c-19", "4 of 10 runs; --page 2 has the next\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t.Context(), t, f, Env{}, "", append([]string{"runs", "list"}, c.args...)...)

			require.Equal(t, ExitOK, code, stderr)
			assert.Equal(t, c.said, stderr)
			if c.first != "" {
				assert.Regexp(t, `^RUN .*\n`+c.first+" ", stdout)
			}
		})
	}
}

func TestRunsList_PartialBatches(t *testing.T) {
	f := runstest.New()
	f.Add(
		(&runstest.Run{Kind: runs.Batch, ID: "good", State: "completed"}).End(nil),
		(&runstest.Run{Kind: runs.Batch, ID: "some-failed", State: "partial", Batch: batch.Memo{Failed: 2}}).End(nil),
		(&runstest.Run{Kind: runs.Batch, ID: "of-an-old-version", State: "completed", Batch: batch.Memo{Failed: 1}}).End(nil),
		(&runstest.Run{Kind: runs.Batch, ID: "given-up", State: "failed", Batch: batch.Memo{Failed: 2}}).End(nil),
	)
	for state, want := range map[string]string{
		"partial":   `^RUN .*\nof-an-old-version +partial .*\nsome-failed +partial .*\n$`,
		"stopped":   `^RUN .*\ngiven-up +stopped .*\n$`,
		"completed": `^RUN .*\ngiven-up +stopped .*\nof-an-old-version +partial .*\nsome-failed +partial .*\ngood +completed .*\n$`,
	} {
		t.Run(state, func(t *testing.T) {
			code, stdout, stderr := command(t.Context(), t, f, Env{}, "", "runs", "list", "--state", state)

			require.Equal(t, ExitOK, code, stderr)
			assert.Regexp(t, want, stdout)
		})
	}
}

func TestRuns_AreNamedByIDPrefixOrName(t *testing.T) {
	newTemporal := func() *goals {
		f := newGoals()
		f.add("goal-binder-0123456789ab", "goal_lane.binder", question("title", "text")).Name = "Minutes of May"
		f.Add(
			&runstest.Run{Kind: runs.Batch, ID: "docs-to-pdf", Batch: batch.Memo{Name: "docs to pdf", Source: "/docs", Output: "/out", To: "pdf"}},
			&runstest.Run{Kind: runs.Batch, ID: "docs-to-html", Batch: batch.Memo{Name: "docs to html"}},
			&runstest.Run{Kind: runs.Batch, ID: "docs-to-txt", Batch: batch.Memo{Name: "Übersicht: Æ"}},
		)
		return f
	}
	for name, c := range map[string]struct {
		args []string
		want string // in either output
	}{
		"show by prefix":          {[]string{"runs", "show", "docs-to-p"}, "run      docs-to-pdf\n"},
		"show by name":            {[]string{"runs", "show", "Minutes of May"}, "run      goal-binder-0123456789ab\n"},
		"cancel by prefix":        {[]string{"runs", "cancel", "docs-to-h"}, "docs-to-html: cancelled\n"},
		"pause by name":           {[]string{"runs", "pause", "docs to pdf"}, "docs-to-pdf was told: pause\n"},
		"concurrency by prefix":   {[]string{"runs", "set-concurrency", "docs-to-p", "3"}, "docs-to-pdf was told: set-concurrency\n"},
		"retry by prefix":         {[]string{"runs", "retry", "docs-to-p"}, "docs-to-pdf was told: retry-failed\n"},
		"answer by name":          {[]string{"slots", "answer", "Minutes of May", "title=x"}, "goal-binder-0123456789ab: title: accepted\n"},
		"watch by prefix":         {[]string{"runs", "watch", "goal-b", "--json"}, "title (text): What title?"},
		"report by a wrong name":  {[]string{"runs", "report", "docs-to-p"}, "docs-to-pdf has no report yet"},
		"ambiguous, with how to":  {[]string{"runs", "cancel", "docs"}, "docs names several runs; type more of an id:\n  docs-to-"},
		"ambiguous, candidates":   {[]string{"runs", "show", "docs-to-"}, "  docs-to-html  running, docs to html, started "},
		"ambiguous, another":      {[]string{"runs", "show", "docs-to-"}, "  docs-to-pdf  running, docs to pdf, started "},
		"name of any letters":     {[]string{"runs", "show", "Übersicht: Æ"}, "run      docs-to-txt\n"},
		"none of any letters":     {[]string{"runs", "show", "Ærø"}, "no run is called Ærø; see 'runs list'"},
		"no letters":              {[]string{"runs", "show", "x\x1b[31m"}, `no run is called x\x1b[31m; see 'runs list'`},
		"no name":                 {[]string{"runs", "show", ""}, "name a run; see 'runs list'"},
		"nothing of this name":    {[]string{"runs", "show", "minutes"}, "no run is called minutes; see 'runs list'"},
		"slots list has the name": {[]string{"slots", "list"}, "  Minutes of May  goal-binder-0123456789ab  title"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTemporal()
			if c.args[1] == "watch" {
				r := f.Run("goal-binder-0123456789ab")
				queries := 0
				r.OnQuery = func() {
					if queries++; queries == 3 { // the first look, of two, was printed
						go f.Change(func() { r.End(goal.Result{Status: goal.ResultCompleted}) })
					}
				}
			}

			_, stdout, stderr := f.command(t, Env{}, "", c.args...)

			assert.Contains(t, stdout+stderr, c.want)
			if c.args[1] == "cancel" && c.args[2] == "docs" {
				_, stdout, _ = f.command(t, Env{}, "", "runs", "list", "--state", "cancelled")
				assert.Empty(t, stdout, "nothing was cancelled")
			}
		})
	}
}

func TestRunsList_Refused(t *testing.T) {
	for says, args := range map[string][]string{
		"--page 0 is not a number from 1":                      {"--page", "0"},
		`--state "done" is not running, waiting,`:              {"--state", "done"},
		`"yesterday-ish" is not a date such as 2026-11-28 or`:  {"--since", "yesterday-ish"},
		`"-3d" is in the future`:                               {"--since", "-3d"},
		`--lane "batches" is not turbo, goal, batch or watch`:  {"--lane", "batches"},
		`"3x" is not a date such as 2026-11-28`:                {"--since", "3x"},
		`"99999999999d" is not a date such as 2026-11-28 or '`: {"--since", "99999999999d"},
	} {
		t.Run(says, func(t *testing.T) {
			code, _, stderr := command(t.Context(), t, nil, Env{}, "", append([]string{"runs", "list"}, args...)...)

			assert.Equal(t, ExitUsage, code)
			assert.Contains(t, stderr, says)
		})
	}
}

func TestMoments(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-11-28":           time.Date(2026, 11, 28, 0, 0, 0, 0, time.Local),
		"2026-11-28 14:00":     time.Date(2026, 11, 28, 14, 0, 0, 0, time.Local),
		"2026-11-28T14:00:05Z": time.Date(2026, 11, 28, 14, 0, 5, 0, time.UTC),
	} {
		t.Run(text, func(t *testing.T) {
			var m moment

			require.NoError(t, m.Set(text))

			assert.True(t, want.Equal(m.Time), m.Time)
		})
	}
}
