package batch

import (
	"errors"
	"net/url"
	"path"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// lookAtOnce saves most files the step that waits, and six events with it. Continuing as new waits for it at most.
const lookAtOnce = 4 * time.Second

// errStopped ends a file that has begun and that nobody waits for any more.
var errStopped = errors.New("the batch was stopped")

// room reports whether one more file may begin.
func (b *batchRun) room() bool {
	if len(b.state.Page) == 0 || len(b.files) >= b.state.Pace.window() || b.held() || b.state.Stopped != "" {
		return false
	}
	return b.input.OnLoss != questions.OnLossAsk || b.roomForReview()
}

// next takes the next item off the page.
func (b *batchRun) next(ctx workflow.Context) item {
	next := b.state.Page[0]
	b.state.Page = b.state.Page[1:]
	next.StartedAt = workflow.Now(ctx)
	if next.Again {
		b.state.Tally.uncountFailure(next.Item)
	}
	return next
}

// begin converts a file, from the step that it has come to.
func (b *batchRun) begin(ctx workflow.Context, next item) {
	f := b.newFile(ctx, next)
	b.files = append(b.files, f)
	workflow.Go(ctx, func(ctx workflow.Context) {
		err := b.convert(ctx, f)
		if err == nil && f.pipeline.Held != nil {
			var waits bool
			if waits, err = b.review(ctx, f); waits {
				return
			}
		}
		b.finish(ctx, f, err)
	})
}

func (b *batchRun) newFile(ctx workflow.Context, next item) *file {
	plan, line := b.state.Plan, next.Item
	dest, source := plan.DestPath(line), plan.SourcePath(line)
	f := &file{item: next}
	f.pipeline = convert.Pipeline{
		Input: convert.Input{
			Source: fileURL(source), Name: path.Base(source), SourceFormat: line.From, Quality: line.Quality, Pages: line.Pages, Options: line.Options, Check: option.CheckWarn,
			To:     activities.Destination{Folder: fileURL(path.Dir(dest)), Stem: path.Base(dest), Format: plan.Target(line), OnExist: line.OnExist},
			OnLoss: b.input.OnLoss,
		},
		Progress: &f.item.Progress,
		Leave: func() bool {
			// What has its job was paid for, and is finished as far as that goes.
			return b.leaving || (b.troubled() || b.state.GivenUp) && f.item.JobID == ""
		},
		Priority: b.priority(ctx), LookFor: lookAtOnce, Part: strconv.Itoa(line.Index),
	}
	return f
}

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// convert converts a file. What only people can fix holds it, and with it the batch; then it goes on where it stopped.
func (b *batchRun) convert(ctx workflow.Context, f *file) error {
	for {
		err := f.pipeline.Run(ctx)
		if err == nil && (f.pipeline.Done || f.pipeline.Held != nil) {
			return nil
		}
		if err != nil {
			failure, known := activities.FailureOf(err)
			if !known || !stopsAll(failure.Kind) || temporal.IsCanceledError(err) {
				return err
			}
			b.trouble(ctx, failure)
		}

		f.parked = true
		if waitErr := workflow.Await(ctx, func() bool { return !b.leaving && !b.troubled() }); waitErr != nil {
			return waitErr
		}
		f.parked = false

		if b.state.GivenUp {
			if err == nil {
				err = errStopped
			}
			return err
		}
	}
}

// stopsAll reports whether a failure is not about one file: all that follow would fail alike.
func stopsAll(kind string) bool {
	return kind == activities.FailureAuth || kind == activities.FailurePlan
}

// finish takes a file that has ended out of those under way, and accounts for it.
func (b *batchRun) finish(ctx workflow.Context, f *file, err error) {
	if err != nil {
		discardParts(ctx, f)
	}
	b.files = slices.DeleteFunc(b.files, func(other *file) bool { return other == f })
	b.observe(ctx, f)

	entry := f.entry(err, workflow.Now(ctx))
	b.state.Entries = append(b.state.Entries, entry)
	b.remember(f.item.Item, entry)
	b.state.Tally.count(entry, f.item.Item.Source)
	run.CountFile(ctx, run.LaneBatch, string(entry.Status), codeOf(entry))
	b.state.Series.add(entry.EndedAt, 1)
	if entry.Status == manifest.StatusFailed {
		b.stopAtFailures()
		b.reportFailures(ctx)
	}
}

// discardParts removes what was downloaded of a file that ended in the middle of that.
func discardParts(ctx workflow.Context, f *file) {
	in, some := f.pipeline.Discard()
	if !some {
		return
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	convert.DiscardParts(ctx, in)
}

// observe lets the pace learn from a file that has ended. Until something was rejected, both versions are the same.
func (b *batchRun) observe(ctx workflow.Context, f *file) {
	pace := &b.state.Pace
	o := outcome{at: workflow.Now(ctx), rejected: f.item.Rejected, slowDown: f.item.SlowDown, underWay: len(b.files)}
	if pace.Rejected+o.rejected > 0 && workflow.GetVersion(ctx, "pace-by-effect", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		pace.observeVersion0(o)
		return
	}
	pace.observe(o)
}

// entry is the report's line about a file that has ended.
func (f *file) entry(err error, now time.Time) activities.BatchEntry {
	entry := activities.BatchEntry{
		Index: f.item.Item.Index, FileID: f.item.FileID, JobID: f.item.JobID, Size: f.item.Size, SHA256: f.item.SHA256,
		Attempts: f.item.Attempts, StartedAt: f.item.StartedAt, EndedAt: now,
	}
	switch {
	case err == nil:
		entry.Status, entry.Outputs, entry.Warnings = manifest.StatusCompleted, f.pipeline.Outputs, f.pipeline.Warnings
		entry.Check = f.pipeline.Check
	case temporal.IsCanceledError(err), errors.Is(err, errStopped):
		entry.Status = manifest.StatusCancelled
		entry.Error = &activities.BatchFault{Step: f.pipeline.Step, Code: "CANCELLED", Message: "the batch ended before this file did"}
	default:
		failure := f.pipeline.Failure(err)
		entry.Status = manifest.StatusFailed
		entry.Attempts = max(entry.Attempts, failure.Attempts)
		if f.pipeline.Step == activities.StepReview {
			entry.Warnings, entry.Check = f.pipeline.Warnings, f.pipeline.Check
		}
		entry.Error = &activities.BatchFault{
			Step: failure.Step, Kind: failure.Kind, Code: failure.Code, Message: run.Cut(failure.Message, 1000),
		}
	}
	return entry
}

// codeOf is empty where the file has not failed.
func codeOf(entry activities.BatchEntry) string {
	if entry.Error == nil {
		return ""
	}
	return entry.Error.Code
}
