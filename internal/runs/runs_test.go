package runs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func clientOf(all ...*runstest.Run) (*runs.Client, *runstest.Temporal) {
	fake := runstest.New()
	fake.Now = func() time.Time { return now }
	fake.Add(all...)
	return &runs.Client{Temporal: fake, Namespace: "ns"}, fake
}

func question(slotID string, asked time.Time) questions.Question {
	return questions.Question{Slot: slot.Slot{SlotID: slotID, Type: "text", Text: "What " + slotID + "?", Required: true}, Round: 1, Key: "key-" + slotID, AskedAt: asked}
}

func TestKinds(t *testing.T) {
	types, lanes := map[string]bool{}, map[string]bool{}
	for _, kind := range runs.Kinds {
		types[kind.Workflow], lanes[kind.Lane] = true, true
		assert.Same(t, kind, runs.KindOf(kind.Workflow))
		assert.Same(t, kind, runs.KindOfLane(kind.Lane))
		assert.NotEqual(t, kind.One, kind.Many)
	}
	assert.Len(t, types, len(runs.Kinds))
	assert.Len(t, lanes, len(runs.Kinds))
	assert.Nil(t, runs.KindOf(batch.ShardWorkflowType), "a shard is a part of its batch")
	assert.False(t, runs.KindOf("other").Takes(batch.SignalPause))
	assert.True(t, runs.Watch.Takes(batch.SignalPause))
	assert.False(t, runs.Watch.Takes(batch.SignalSetConcurrency), "its waves are batchMemo")
}

func TestDescribe(t *testing.T) {
	watchMemo := watch.Memo{Name: "inbox to pdf", Source: "/in", Output: "/out", To: "pdf", Waves: 3}
	batchMemo := batch.Memo{Name: "docs to html", Source: "/docs", Output: "/out", To: "html", Files: 300, Failed: 2}
	for name, c := range map[string]struct {
		run                  *runstest.Run
		title, target, state string
	}{
		"conversion": {&runstest.Run{Kind: runs.Conversion, File: "a.docx", Format: "pdf"}, "a.docx", "pdf", "running"},
		"goal":       {&runstest.Run{Kind: runs.Goal, Goal: "g", Name: "n"}, "n", "g", "running"},
		"goal at a question": {
			&runstest.Run{Kind: runs.Goal, Goal: "g", Questions: []questions.Question{question("tone", now)}}, "", "g", "waiting",
		},
		"paused batch":                           {&runstest.Run{Kind: runs.Batch, Batch: batchMemo, State: "paused"}, "docs to html", "html", "paused"},
		"waiting batch":                          {&runstest.Run{Kind: runs.Batch, Batch: batchMemo, Questions: []questions.Question{question("convilyn.trouble", now)}}, "docs to html", "html", "waiting"},
		"unnamed batch":                          {&runstest.Run{Kind: runs.Batch, Batch: batch.Memo{Source: "/docs"}}, "/docs", "", "running"},
		"batch":                                  {(&runstest.Run{Kind: runs.Batch, Batch: batchMemo, State: "completed"}).End(nil), "docs to html", "html", "partial"},
		"stopped batch":                          {(&runstest.Run{Kind: runs.Batch, Batch: batchMemo, State: "failed"}).End(nil), "docs to html", "html", "stopped"},
		"watch":                                  {&runstest.Run{Kind: runs.Watch, Watch: watchMemo, State: "watching"}, "inbox to pdf", "pdf", "watching"},
		"unnamed watch":                          {&runstest.Run{Kind: runs.Watch, State: "watching"}, "w", "", "watching"},
		"goal that ended":                        {(&runstest.Run{Kind: runs.Goal, Goal: "g", State: "completed"}).End(nil), "", "g", "completed"},
		"partial goal":                           {(&runstest.Run{Kind: runs.Goal, Goal: "g", State: "partial"}).End(nil), "", "g", "partial"},
		"dropped goal":                           {(&runstest.Run{Kind: runs.Goal, Goal: "g", State: "stopped"}).End(nil), "", "g", "stopped"},
		"goal that was cancelled in the service": {(&runstest.Run{Kind: runs.Goal, Goal: "g", State: "cancelled"}).End(nil), "", "g", "cancelled"},
		"cancelled goal":                         {(&runstest.Run{Kind: runs.Goal, Goal: "g"}).Cancelled(), "", "g", "cancelled"},
		"failed file":                            {(&runstest.Run{Kind: runs.Conversion, File: "a"}).Fail(errors.New("no")), "a", "", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			c.run.ID, c.run.StartedAt = "w", now
			client, _ := clientOf(c.run)
			d, err := client.Describe(t.Context(), "w")
			require.NoError(t, err)
			assert.Same(t, c.run.Kind, d.Kind)
			assert.Equal(t, []string{"w", "r", c.title, c.target, c.state}, []string{d.ID, d.RunID, d.Name, d.Target, d.State()})
			assert.True(t, now.Equal(d.StartedAt))
			listed, err := client.List(t.Context(), runs.Filter{}, 10)
			require.NoError(t, err)
			require.Len(t, listed, 1)
			assert.Equal(t, d.Run, listed[0], "lists show the same")
		})
	}
	client, _ := clientOf()
	_, err := client.Describe(t.Context(), "none")
	require.ErrorIs(t, err, runs.ErrNoSuchRun)
}

func TestDescribe_Step(t *testing.T) {
	step := runstest.Step{Activity: "AwaitConversion", Attempt: 3, Failure: "connection refused", Progress: activities.Progress{Step: activities.StepAwait, Percent: 40, Message: "page 3"}}
	client, fake := clientOf(&runstest.Run{Kind: runs.Conversion, ID: "w", Step: step}, &runstest.Run{Kind: runs.Batch, ID: "b", Step: step})
	d, err := client.Describe(t.Context(), "w")
	require.NoError(t, err)
	assert.Equal(t, runs.Step{Progress: step.Progress, Attempt: 3, Failure: "connection refused"}, d.Step)
	d, err = client.Describe(t.Context(), "b")
	require.NoError(t, err)
	assert.Zero(t, d.Step, "a batch is at many steps")

	fake.Run("w").Step = runstest.Step{Activity: goal.RestingActivity}
	d, err = client.Describe(t.Context(), "w")
	require.NoError(t, err)
	assert.Zero(t, d.Step, "a parked run is at none")
	fake.Run("w").Step = runstest.Step{Activity: "UploadFile"}
	d, err = client.Describe(t.Context(), "w")
	require.NoError(t, err)
	assert.Equal(t, activities.StepUpload, d.Step.Step, "before its first heartbeat")
}

func TestDescribe_SealedMemo(t *testing.T) {
	sealed := &common.Payload{Metadata: map[string][]byte{"encoding": []byte(sealing.Encoding), sealing.MetadataKeyID: []byte("k1")}}
	client, _ := clientOf(&runstest.Run{Kind: runs.Conversion, ID: "w", Memo: map[string]any{runs.MemoSource: sealed}})
	d, err := client.Describe(t.Context(), "w")
	require.NoError(t, err)
	assert.Equal(t, "k1", d.SealedWith())
}

func TestBegunAt(t *testing.T) {
	first := &runstest.Run{Kind: runs.Batch, ID: "b", RunID: "first", StartedAt: now}
	latest := &runstest.Run{Kind: runs.Batch, ID: "b", RunID: "second", FirstRunID: "first", StartedAt: now.Add(time.Hour)}
	client, _ := clientOf(first, latest)
	d, err := client.Describe(t.Context(), "b")
	require.NoError(t, err)
	begun, err := client.BegunAt(t.Context(), d.Run)
	require.NoError(t, err)
	assert.True(t, now.Equal(begun))

	client, _ = clientOf(latest)
	begun, err = client.BegunAt(t.Context(), d.Run)
	require.NoError(t, err, "the first one is forgotten after its retention")
	assert.True(t, now.Add(time.Hour).Equal(begun))
}

func TestList(t *testing.T) {
	client, fake := clientOf(
		&runstest.Run{Kind: runs.Conversion, ID: "file", State: "running"},
		(&runstest.Run{Kind: runs.Conversion, ID: "done"}).End(nil),
		&runstest.Run{Kind: runs.Goal, ID: "goal", State: "waiting", Questions: []questions.Question{question("tone", now)}},
		&runstest.Run{Kind: runs.Batch, ID: "batch", State: "paused"},
		(&runstest.Run{Kind: runs.Watch, ID: "watch"}).Cancelled(),
	)
	for name, c := range map[string]struct {
		filter runs.Filter
		limit  int
		want   []string
		query  string
	}{
		"all":       {runs.Filter{}, 10, []string{"batch", "goal", "file", "watch", "done"}, "WorkflowType IN ('ConvertFile', 'RunGoal', 'ConvertBatch', 'WatchFolder') AND ExecutionStatus != 'ContinuedAsNew'"},
		"first":     {runs.Filter{}, 2, []string{"batch", "goal"}, "WorkflowType IN ('ConvertFile', 'RunGoal', 'ConvertBatch', 'WatchFolder') AND ExecutionStatus != 'ContinuedAsNew'"},
		"lane":      {runs.Filter{Kinds: []*runs.Kind{runs.Conversion}}, 10, []string{"file", "done"}, "WorkflowType = 'ConvertFile' AND ExecutionStatus != 'ContinuedAsNew'"},
		"open":      {runs.Filter{State: "running"}, 10, []string{"batch", "goal", "file"}, "WorkflowType IN ('ConvertFile', 'RunGoal', 'ConvertBatch', 'WatchFolder') AND ExecutionStatus = 'Running'"},
		"paused":    {runs.Filter{State: "paused"}, 10, []string{"batch"}, "WorkflowType IN ('ConvertFile', 'RunGoal', 'ConvertBatch', 'WatchFolder') AND ExecutionStatus = 'Running' AND ConvilynState = 'paused'"},
		"cancelled": {runs.Filter{State: "cancelled"}, 10, []string{"watch"}, "WorkflowType IN ('ConvertFile', 'RunGoal', 'ConvertBatch', 'WatchFolder') AND ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'"},
		"timed out": {runs.Filter{State: "timedout"}, 10, nil, "WorkflowType IN ('ConvertFile', 'RunGoal', 'ConvertBatch', 'WatchFolder') AND ExecutionStatus = 'TimedOut'"},
		"ended":     {runs.Filter{Ended: true, Kinds: []*runs.Kind{runs.Watch}}, 10, []string{"watch"}, "WorkflowType = 'WatchFolder' AND ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'"},
	} {
		t.Run(name, func(t *testing.T) {
			listed, err := client.List(t.Context(), c.filter, c.limit)
			require.NoError(t, err)
			var ids []string
			for _, r := range listed {
				ids = append(ids, r.ID)
			}
			assert.Equal(t, c.want, ids)
			lists := fake.Lists()
			assert.Equal(t, c.query, lists[len(lists)-1])
		})
	}
}

func TestWaiting_LongestFirst(t *testing.T) {
	client, _ := clientOf(
		&runstest.Run{Kind: runs.Goal, ID: "old", State: "waiting", Questions: []questions.Question{question("a", now), question("b", now.Add(-time.Hour))}},
		&runstest.Run{Kind: runs.Batch, ID: "new", State: "waiting", Questions: []questions.Question{question("c", now)}},
		&runstest.Run{Kind: runs.Watch, ID: "watch", State: "waiting"},
	)
	waiting, err := client.Waiting(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, waiting, 2, "a watch asks nothing")
	assert.Equal(t, []string{"old", "new"}, []string{waiting[0].ID, waiting[1].ID})
	assert.True(t, now.Add(-time.Hour).Equal(waiting[0].WaitsSince()))
}

func TestAnswer(t *testing.T) {
	newRun := func() *runstest.Run {
		return &runstest.Run{Kind: runs.Goal, ID: "w", Questions: []questions.Question{question("tone", now)}}
	}
	answer := questions.Answer{SlotID: "tone", Value: json.RawMessage(`"formal"`), AnswerID: "a"}

	t.Run("accepted", func(t *testing.T) {
		client, _ := clientOf(newRun())
		receipt, err := client.Answer(t.Context(), "w", answer)
		require.NoError(t, err)
		assert.Equal(t, questions.VerdictAccepted, receipt.Verdict)
		answer.AnswerID = "b"
		_, err = client.Answer(t.Context(), "w", answer)
		var refused *runs.RefusedError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, questions.VerdictConflict, refused.Receipt.Verdict)
	})
	t.Run("no worker", func(t *testing.T) {
		run := newRun()
		run.Silent = true
		client, _ := clientOf(run)
		receipt, err := client.Answer(t.Context(), "w", questions.Answer{SlotID: "tone"})
		require.ErrorIs(t, err, runs.ErrNoVerdict)
		require.Len(t, run.Signals, 1, "it is left as a signal")
		assert.Equal(t, questions.SignalFillSlot, run.Signals[0].Name)
		assert.NotEmpty(t, receipt.AnswerID)
		assert.Equal(t, receipt.AnswerID, run.Signals[0].Answer.AnswerID, "under the same id, so that it counts once")
	})
	t.Run("ended", func(t *testing.T) {
		client, _ := clientOf(newRun().End(nil))
		_, err := client.Answer(t.Context(), "w", answer)
		require.ErrorIs(t, err, runs.ErrEnded)
		_, err = client.Answer(t.Context(), "none", answer)
		require.ErrorIs(t, err, runs.ErrNoSuchRun)
	})
}

func TestNoWorker(t *testing.T) {
	client, _ := clientOf(&runstest.Run{Kind: runs.Goal, ID: "w", Silent: true})
	_, err := client.Questions(t.Context(), "w")
	assert.True(t, runs.NoWorker(err), "%v", err)
	assert.True(t, runs.NoWorker(context.DeadlineExceeded))
	assert.False(t, runs.NoWorker(errors.New("refused")))
	_, err = client.Status(t.Context(), "none")
	require.ErrorIs(t, err, runs.ErrNoSuchRun)
}

func TestProgress_AddsShardsUp(t *testing.T) {
	client, _ := clientOf(
		&runstest.Run{Kind: runs.Batch, ID: "b", Progress: batch.Progress{Total: 30, Completed: 10, Shards: []batch.ShardNow{{WorkflowID: "s1", Items: 10}, {WorkflowID: "unborn", Items: 10}}}},
		&runstest.Run{Kind: runs.Batch, ID: "s1", Progress: batch.Progress{Completed: 4}, Failures: []batch.FailedItem{{Name: "x", At: now}}},
	)
	progress, err := client.Progress(t.Context(), "b")
	require.NoError(t, err)
	assert.Equal(t, 14, progress.Completed)
	failures, err := client.Failures(t.Context(), "b")
	require.NoError(t, err)
	assert.Len(t, failures, 1)
}

func TestResult(t *testing.T) {
	summary := activities.BatchSummary{Report: "/out/docs.report.jsonl", Files: 3, Failed: 1}
	done := batch.Result{Status: batch.ResultStopped, Reason: "too slow", Summary: summary, Runs: 2, LargestHistory: 3612}
	detail := activities.Failure{Code: "FILE_TOO_LARGE", Message: "it has 2 GB", Kind: activities.FailureInput, Attempts: 2}
	client, _ := clientOf(
		(&runstest.Run{Kind: runs.Batch, ID: "batch"}).End(done),
		(&runstest.Run{Kind: runs.Batch, ID: "cancelled", CancelResult: done}).Cancelled(),
		(&runstest.Run{Kind: runs.Watch, ID: "watch", RunID: "last", CancelResult: watch.Result{Waves: 3}}).Cancelled(),
		(&runstest.Run{Kind: runs.Conversion, ID: "step"}).Fail(temporal.NewNonRetryableApplicationError("a.md: it has 2 GB", "Input", nil, detail)),
		(&runstest.Run{Kind: runs.Goal, ID: "other"}).Fail(errors.New("docs: plan: the folder is gone")),
	)
	result := func(kind *runs.Kind, id string) runs.End {
		end, err := client.Result(t.Context(), kind, id, "r")
		require.NoError(t, err)
		return end
	}
	assert.Equal(t, runs.End{RunID: "r", Batch: &done}, result(runs.Batch, "batch"))

	end := result(runs.Batch, "cancelled")
	assert.Equal(t, &done, end.Batch, "a cancelled batch has its account in the details")
	assert.Equal(t, []string{workflows.StateCancelled, runs.CodeCancelled}, []string{end.Fault.State, end.Fault.Code})
	end = result(runs.Watch, "watch")
	assert.Equal(t, 3, end.Watch.Waves)
	assert.Equal(t, "last", end.RunID, "a watch goes on in many runs")

	end = result(runs.Conversion, "step")
	assert.Nil(t, end.Conversion)
	assert.Equal(t, &runs.Fault{State: workflows.StateFailed, Code: "FILE_TOO_LARGE", Message: "it has 2 GB", Detail: detail, Cause: "a.md: it has 2 GB"}, end.Fault)
	end = result(runs.Goal, "other")
	assert.Equal(t, activities.CodeUnknown, end.Fault.Code)
	assert.Equal(t, "docs: plan: the folder is gone", end.Fault.Cause)

	_, err := client.Result(t.Context(), runs.Goal, "none", "")
	var missing *serviceerror.NotFound
	require.ErrorAs(t, err, &missing, "that says nothing of a run")
}

func TestStart(t *testing.T) {
	client, fake := clientOf()
	spec := runs.Spec{Kind: runs.Watch, ID: "w", Input: watch.Input{Name: "docs"}, State: workflows.StateWatching, Memo: map[string]any{watch.MemoKey: watch.Memo{Name: "docs"}}}
	runID, err := client.Start(t.Context(), spec)
	require.NoError(t, err)
	again, err := client.Start(t.Context(), spec)
	require.NoError(t, err)
	assert.Equal(t, runID, again, "it attaches to the one that is running")
	require.Len(t, fake.Starts(), 1)
	lane, _ := fake.Starts()[0].TypedSearchAttributes.GetKeyword(workflows.KeyLane)
	assert.Equal(t, workflows.LaneWatch, lane)
	assert.Equal(t, workflows.TaskQueue, fake.Starts()[0].TaskQueue)

	d, err := client.Describe(t.Context(), "w")
	require.NoError(t, err)
	assert.Equal(t, "docs/watching", d.Name+"/"+d.State())
	var input watch.Input
	require.NoError(t, client.Input(t.Context(), d.Run, &input))
	assert.Equal(t, spec.Input, input)
}

func TestStart_AfterTheEnd(t *testing.T) {
	spec := runs.Spec{Kind: runs.Conversion, ID: "w", Input: convert.Input{}}
	client, fake := clientOf((&runstest.Run{Kind: runs.Conversion, ID: "w"}).End(nil))
	_, err := client.Start(t.Context(), spec)
	require.ErrorIs(t, err, runs.ErrAlreadyDone)
	_, err = client.StartAgain(t.Context(), spec)
	require.NoError(t, err)
	assert.Len(t, fake.Starts(), 1)

	client, fake = clientOf((&runstest.Run{Kind: runs.Conversion, ID: "w"}).Fail(errors.New("no")))
	_, err = client.Start(t.Context(), spec)
	require.NoError(t, err, "what failed is started again")
	assert.Len(t, fake.Starts(), 1)
}

func TestSteerAndCancel(t *testing.T) {
	docs := &runstest.Run{Kind: runs.Batch, ID: "b"}
	client, fake := clientOf(docs)
	require.NoError(t, client.Steer(t.Context(), "b", batch.SignalPause, batch.Steering{By: "Kim"}))
	assert.Equal(t, []runstest.Signal{{Name: batch.SignalPause, Steering: batch.Steering{By: "Kim"}}}, docs.Signals)
	require.NoError(t, client.Cancel(t.Context(), "b"))
	d, err := client.Describe(t.Context(), "b")
	require.NoError(t, err)
	assert.Equal(t, workflows.StateCancelled, d.State())
	assert.True(t, now.Equal(*d.ClosedAt))
	require.ErrorIs(t, client.Steer(t.Context(), "b", batch.SignalPause, batch.Steering{}), runs.ErrEnded)
	require.ErrorIs(t, client.Steer(t.Context(), "none", batch.SignalPause, batch.Steering{}), runs.ErrNoSuchRun)
	assert.NotNil(t, fake.Run("b"))
}

func TestSchedules(t *testing.T) {
	client, fake := clientOf()
	fake.Schedules().Foreign = []string{"somebody-elses", "convilyn-a-just-deleted"}
	spec := runs.Spec{Kind: runs.Batch, ID: "scheduled-docs", Input: batch.Input{Name: "docs"}}
	_, err := client.Schedule(t.Context(), "docs")
	require.ErrorIs(t, err, runs.ErrNoSuchSchedule)
	require.NoError(t, client.CreateSchedule(t.Context(), "docs", spec, time.Hour))
	names, err := client.Schedules(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a-just-deleted", "docs"}, names, "ours alone")

	s, err := client.Schedule(t.Context(), "docs")
	require.NoError(t, err)
	assert.Equal(t, spec.Input, s.Input)
	assert.Equal(t, time.Hour, s.Every)
	assert.Equal(t, 2, s.Skipped)
	assert.Equal(t, "scheduled-1", s.Recent[0].ID)
	assert.Len(t, s.Next, 2)

	require.NoError(t, client.PauseSchedule(t.Context(), "docs", "lunch"))
	require.NoError(t, client.ReplaceSchedule(t.Context(), "docs", spec, 2*time.Hour))
	s, err = client.Schedule(t.Context(), "docs")
	require.NoError(t, err)
	assert.Equal(t, "lunch", s.Note)
	assert.True(t, s.Paused, "a paused one stays so")
	assert.Empty(t, s.Next)
	assert.Empty(t, fake.Schedules().Triggered)

	require.NoError(t, client.ResumeSchedule(t.Context(), "docs", ""))
	require.NoError(t, client.ReplaceSchedule(t.Context(), "docs", spec, 3*time.Hour))
	assert.Len(t, fake.Schedules().Triggered, 1)
	require.NoError(t, client.DeleteSchedule(t.Context(), "docs"))
	_, err = client.Schedule(t.Context(), "docs")
	require.ErrorIs(t, err, runs.ErrNoSuchSchedule)
}

// Temporal cannot search by labels, so pages are read until there are enough runs that have them.
func TestList_ByLabels(t *testing.T) {
	var all []*runstest.Run
	for i := range 700 {
		r := &runstest.Run{Kind: runs.Conversion, ID: fmt.Sprintf("file-%03d", i), Labels: []string{"team=legal"}}
		if i%350 == 0 {
			r.Labels = append(r.Labels, "urgent")
		}
		all = append(all, r)
	}
	client, _ := clientOf(all...)
	for name, c := range map[string]struct {
		labels []string
		limit  int
		want   []string
	}{
		"one label":   {[]string{"urgent"}, 10, []string{"file-350", "file-000"}},
		"both":        {[]string{"urgent", "team=legal"}, 10, []string{"file-350", "file-000"}},
		"enough":      {[]string{"urgent"}, 1, []string{"file-350"}},
		"none has it": {[]string{"team"}, 10, nil},
	} {
		t.Run(name, func(t *testing.T) {
			listed, err := client.List(t.Context(), runs.Filter{Labels: c.labels}, c.limit)
			require.NoError(t, err)
			var ids []string
			for _, r := range listed {
				ids = append(ids, r.ID)
			}
			assert.Equal(t, c.want, ids)
		})
	}
}

func TestStart_KeepsLabels(t *testing.T) {
	client, fake := clientOf()
	memo := map[string]any{runs.MemoSource: "a.md"}
	_, err := client.Start(t.Context(), runs.Spec{Kind: runs.Conversion, ID: "w", Input: convert.Input{}, Memo: memo, Labels: []string{"urgent"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"urgent"}, fake.Starts()[0].Memo[runs.MemoLabels])
	assert.Len(t, memo, 1, "the caller's memo stays as it is")
	d, err := client.Describe(t.Context(), "w")
	require.NoError(t, err)
	assert.Equal(t, []string{"urgent"}, d.Labels)
}
