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
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// flight is one file of a batch under way.
type flight struct {
	convert.Pipeline
	item      activities.BatchItem
	again     bool
	startedAt time.Time
	parked    bool // between two steps, until the batch goes on
}

// errStopped ends a file that has begun and that nobody waits for any more.
var errStopped = errors.New("the batch was stopped")

// room says that one more file may begin.
func (b *batch) room() bool {
	return len(b.state.Page) > 0 && len(b.flights) < b.state.Pace.window() && !b.held() && b.state.Stopped == ""
}

// held says that no step may begin: somebody has paused the batch, something has to be mended, or it is on the point
// of continuing as new.
func (b *batch) held() bool { return b.state.Paused != "" || b.troubled() || b.leaving }

func (b *batch) next(ctx workflow.Context) batchItem {
	item := b.state.Page[0]
	b.state.Page = b.state.Page[1:]
	item.StartedAt = workflow.Now(ctx)
	if item.Again {
		b.state.Tally.forgive(item.Item)
	}
	return item
}

// begin lets a file fly, from the stage that it has reached.
func (b *batch) begin(ctx workflow.Context, item batchItem) {
	f := b.flight(ctx, item)
	b.flights = append(b.flights, f)
	workflow.Go(ctx, func(ctx workflow.Context) { b.land(ctx, f, b.fly(ctx, f)) })
}

func (b *batch) flight(ctx workflow.Context, item batchItem) *flight {
	plan := b.state.Plan
	dest, source := plan.DestPath(item.Item), plan.SourcePath(item.Item)
	f := &flight{item: item.Item, again: item.Again, startedAt: item.StartedAt, Pipeline: convert.Pipeline{
		Input: convert.Input{
			Source: fileURL(source), Name: path.Base(source), SourceFormat: item.Item.From, Quality: item.Item.Quality, Pages: item.Item.Pages,
			To: activities.Destination{Folder: fileURL(path.Dir(dest)), Stem: path.Base(dest), Format: plan.Target(item.Item), OnExist: item.Item.OnExist},
		},
		Finished: item.Finished, Refused: item.Refused, Asked: item.Asked, Unsure: item.Unsure,
		Source:  activities.UploadFileResult{Size: item.Size, SHA256: item.SHA256},
		LookFor: lookAtOnce, Part: strconv.Itoa(item.Item.Index), Priority: b.priority(ctx),
	}}
	f.Status.Round = item.Round
	f.Result.FileID, f.Result.JobID, f.Result.Attempts = item.FileID, item.JobID, item.Attempts
	f.Status.FileID, f.Status.JobID = item.FileID, item.JobID
	f.Leave = func() bool {
		// What has its job was paid for, and is brought home as far as that goes.
		return b.leaving || (b.troubled() || b.state.GivenUp) && f.Result.JobID == ""
	}
	return f
}

// lookAtOnce saves most files the step that waits, and six events with it. Continuing as new waits for it at most.
const lookAtOnce = 4 * time.Second

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// fly converts a file. What only people can mend holds it, and with it the batch; the file goes on where it stopped.
func (b *batch) fly(ctx workflow.Context, f *flight) error {
	for {
		err := f.Run(ctx)
		if err == nil && f.Done {
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

// stopsAll says that the failure is none of this file's: all that follow would fail alike.
func stopsAll(kind string) bool {
	return kind == activities.FailureAuth || kind == activities.FailurePlan
}

// land takes note of how a file ended.
func (b *batch) land(ctx workflow.Context, f *flight, err error) {
	if err != nil && f.Status.Step == activities.StepDownload {
		cleaning, cancel := workflow.NewDisconnectedContext(ctx)
		convert.DiscardParts(cleaning, activities.DiscardPartsInput{Folder: f.Input.To.Folder, Part: f.Part})
		cancel()
	}
	now := workflow.Now(ctx)
	b.flights = slices.DeleteFunc(b.flights, func(other *flight) bool { return other == f })
	b.heed(ctx, landing{at: now, refused: f.Refused, asked: f.Asked, flying: len(b.flights)})
	b.state.Series.add(now, 1)
	entry := activities.BatchEntry{
		Index: f.item.Index, FileID: f.Status.FileID, JobID: f.Status.JobID, Size: f.Source.Size, SHA256: f.Source.SHA256,
		Attempts: f.Result.Attempts, StartedAt: f.startedAt, EndedAt: now,
	}
	tally := &b.state.Tally
	tally.BytesIn += f.Source.Size
	switch {
	case err == nil:
		entry.Status, entry.Outputs, entry.Warnings = manifest.StatusCompleted, f.Result.Outputs, f.Result.Warnings
		tally.Completed++
		if len(f.Result.Warnings) > 0 {
			tally.Warnings++
		}
		for _, output := range f.Result.Outputs {
			tally.BytesOut += output.Size
		}
	case temporal.IsCanceledError(err), errors.Is(err, errStopped):
		entry.Status, entry.Error = manifest.StatusCancelled, &activities.BatchFault{Step: f.Status.Step, Code: "CANCELLED", Message: "the batch ended before this file did"}
		tally.Cancelled++
	default:
		detail := f.Detail(err)
		entry.Status = manifest.StatusFailed
		entry.Attempts = max(entry.Attempts, detail.Attempts)
		entry.Error = &activities.BatchFault{Step: detail.Step, Kind: detail.Kind, Code: detail.Code, Message: run.Cut(detail.Message, 1000)}
		tally.fail(FailedItem{Index: f.item.Index, Name: f.item.Source, Step: detail.Step, Code: detail.Code, Message: detail.Message, At: now})
		b.stopAtFailures()
		b.tellFailures(ctx)
	}
	b.state.Entries = append(b.state.Entries, entry)
}

// heed lets the pace learn from a landing. Until something was refused, both ways are the same.
func (b *batch) heed(ctx workflow.Context, l landing) {
	pace := &b.state.Pace
	if pace.Refused+l.refused > 0 && workflow.GetVersion(ctx, "pace-by-effect", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		pace.heedAsBefore(l)
		return
	}
	pace.heed(l)
}

// carried is what the next run has to know of a flight.
func (f *flight) carried() batchItem {
	return batchItem{
		Item: f.item, Again: f.again, FileID: f.Result.FileID, JobID: f.Result.JobID, Finished: f.Finished, Round: f.Status.Round,
		Attempts: f.Result.Attempts, Refused: f.Refused, Asked: f.Asked, Unsure: f.Unsure, Size: f.Source.Size, SHA256: f.Source.SHA256, StartedAt: f.startedAt,
	}
}
