package inbox

import (
	"context"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// fakeBatch is what a batch says, and what it was told.
type fakeBatch struct {
	memo     batch.Memo
	progress batch.Progress
	failures []batch.FailedItem
	result   *result
	told     []told
	asked    int // for its progress
}

type told struct {
	signal   string
	steering batch.Steering
}

func (d *fakeDesk) Progress(_ context.Context, id string) (batch.Progress, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.runs[id]; r != nil && r.batch != nil {
		r.batch.asked++
	}
	r, err := d.find(id)
	if err != nil {
		return batch.Progress{}, err
	}
	return r.batch.progress, nil
}

func (d *fakeDesk) Failures(_ context.Context, id string) ([]batch.FailedItem, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, err := d.find(id)
	if err != nil {
		return nil, err
	}
	return r.batch.failures, nil
}

func (d *fakeDesk) Steer(_ context.Context, id, signal string, steering batch.Steering) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r := d.runs[id]; {
	case r == nil:
		return answering.ErrNoSuchRun
	case r.ended:
		return answering.ErrEnded
	default:
		r.batch.told = append(r.batch.told, told{signal, steering})
	}
	return nil
}

// docsBatch is a batch in the middle: 300 files, some of which have failed.
func docsBatch() *fakeRun {
	b := &fakeBatch{
		memo: batch.Memo{Name: "docs to html", Source: "/home/kim/docs", Output: "/home/kim/out", To: "html", Files: 300, Failed: 2},
		progress: batch.Progress{
			Name: "docs to html", State: workflows.StateRunning, Source: "/home/kim/docs", Output: "/home/kim/out", To: "html",
			Total: 300, Completed: 201, Failed: 7, Current: 20, Skipped: 2, Warnings: 3,
			InFlight: map[string]int{activities.StepDownload: 1, activities.StepAwait: 4, activities.StepUpload: 2}, Window: 7, Concurrency: 20, Throttled: 4,
			TotalBytes: 3 << 20, BytesIn: 2 << 20, BytesOut: 5 << 20, StartedAt: testNow.Add(-3 * time.Minute), Rate: 1.25, LeftFor: workflows.Duration(56 * time.Second),
			Failures: []batch.FailureGroup{
				{Code: "CONVERSION_FAILED", Count: 5, Example: "annex/7.md: the document is broken"}, {Code: "FILE_TOO_LARGE", Count: 2, Example: "scans/all.md: 2 GB"},
			},
			Slowest: []batch.ItemNow{{Name: "annex/slow.md", Step: activities.StepAwait, JobID: "job-17", Since: testNow.Add(-70 * time.Second)}}, Runs: 2,
		},
		failures: []batch.FailedItem{{Name: "annex/7.md", Step: activities.StepAwait, Code: "CONVERSION_FAILED", Message: "the document is broken", At: testNow.Add(-20 * time.Second)}},
	}
	for i, n := range []int{4, 9, 14, 16, 16, 17, 12, 0, 3, 8, 12, 15, 16, 17, 15, 16, 17, 4} {
		b.progress.Throughput = append(b.progress.Throughput, batch.Sample{At: testNow.Add(time.Duration(i-18) * 10 * time.Second), Done: n})
	}
	return &fakeRun{name: b.memo.Name, batch: b}
}

// troubled waits for people.
func troubled(r *fakeRun) *fakeRun {
	r.batch.progress.State, r.batch.progress.Reason = workflows.StateWaiting, "The batch docs to html waits: INSUFFICIENT_CREDITS"
	r.questions = []questions.Question{{
		SlotID: questions.SlotTrouble, Type: "choice", Required: true, Text: "The batch docs to html waits: the service refuses its files with INSUFFICIENT_CREDITS: no credits are left",
		Options: []activities.Option{{Value: questions.TroubleRetry, Label: "Fixed: go on"}, {Value: questions.TroubleGiveUp, Label: "Give up: the batch ends, and its report says what was done"}},
	}}
	return r
}

func endedBatch() *fakeRun {
	r := docsBatch()
	r.ended = true
	r.batch.result = &result{
		Status: batch.ResultFailures, Runs: 3, LargestHistory: 3612,
		Summary: &activities.BatchSummary{
			Report: "/home/kim/out/docs to html.report.jsonl", Files: 300, Completed: 270, Current: 20, Skipped: 2, Failed: 8, Outputs: 275,
			BytesIn: 3 << 20, BytesOut: 7 << 20, Codes: map[string]int{"FILE_TOO_LARGE": 2, "CONVERSION_FAILED": 6},
		},
	}
	return r
}
