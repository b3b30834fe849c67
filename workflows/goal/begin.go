package goal

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// inputLife is how long an upload is counted on; the service keeps it for about an hour.
const inputLife = 50 * time.Minute

// begin checks, uploads and starts. It returns without a job when the start has to be decided about once more.
func (r *goalRun) begin(ctx workflow.Context) error {
	if r.state.Ambiguous != "" {
		if err := r.decideStart(ctx); err != nil || r.state.Ambiguous != "" || r.state.Job.JobSpecID != "" || r.result.Status != "" {
			return err
		}
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	if err := r.upload(ctx); err != nil {
		return err
	}
	return r.start(ctx)
}

func (r *goalRun) check(ctx workflow.Context) error {
	if r.state.Checked {
		return nil
	}
	names := make([]string, len(r.input.Files))
	for i, file := range r.input.Files {
		names[i] = file.Name
	}
	var out activities.CheckGoalResult
	err := r.try(ctx, activities.StepCheck, func(ctx workflow.Context) error {
		ctx = r.options(ctx, 2*time.Minute, "Look the goal up in the catalog") // one request
		return workflow.ExecuteActivity(ctx, steps.CheckGoal, activities.CheckGoalInput{
			WorkflowID: r.input.WorkflowID, FileNames: names, Others: len(r.input.FileIDs),
		}).Get(ctx, &out)
	})
	if err != nil {
		return err
	}
	r.state.Checked, r.state.Notifies, r.state.Confirm = true, out.Notifies, out.Confirm
	if r.state.Name == "" {
		r.state.Name = out.Name
	}
	return nil
}

// upload brings the inputs to the service, again where they would have expired by now. Files among the given
// answers go with them.
func (r *goalRun) upload(ctx workflow.Context) error {
	if r.state.Uploads > 0 && workflow.Now(ctx).Sub(r.state.UploadedAt) < inputLife {
		return nil
	}
	r.state.FileIDs, r.state.Given = nil, nil
	for _, answer := range r.input.Answers {
		value, err := r.uploadValue(ctx, answer.Value)
		if err != nil {
			return err
		}
		r.state.Given = append(r.state.Given, activities.SlotAnswer{SlotID: answer.SlotID, Value: value})
	}
	for _, file := range r.input.Files {
		id, err := r.uploadOne(ctx, file)
		if err != nil {
			return err
		}
		r.state.FileIDs = append(r.state.FileIDs, id)
	}
	r.state.Uploads++
	r.state.UploadedAt = workflow.Now(ctx)
	return nil
}

func (r *goalRun) uploadOne(ctx workflow.Context, file File) (string, error) {
	var out activities.UploadFileResult
	err := r.try(ctx, activities.StepUpload, func(ctx workflow.Context) error {
		// Half a gigabyte over a thin line takes its time; heartbeats find the dead earlier.
		ctx = r.options(ctx, time.Hour, "Upload "+file.Name)
		return workflow.ExecuteActivity(ctx, steps.UploadFile, activities.UploadFileInput{
			Source: file.Source, Name: file.Name, SHA256: file.SHA256,
		}).Get(ctx, &out)
	})
	r.count(out.Attempts)
	return out.FileID, err
}

// start starts the job once. It is not broken off by a cancellation: a job that exists must be known to be cancelled.
func (r *goalRun) start(ctx workflow.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	uncancelled, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	var job activities.GoalSnapshot
	err := r.try(uncancelled, activities.StepStart, func(ctx workflow.Context) error {
		ctx = r.options(ctx, 2*time.Minute, "Start the goal") // one request
		ctx = withFinal(ctx, activities.StartGoalTimeouts)
		return workflow.ExecuteActivity(ctx, steps.StartGoal, activities.StartGoalInput{
			WorkflowID: r.input.WorkflowID, UserWorkflowID: r.input.UserWorkflowID, GoalText: r.input.GoalText,
			FileIDs: append(append([]string{}, r.state.FileIDs...), r.input.FileIDs...), Answers: r.state.Given,
			Key: fmt.Sprintf("%s-%s-%d", workflow.GetInfo(ctx).FirstRunID, activities.StepStart, r.state.Uploads),
		}).Get(ctx, &job)
	})
	failure, _ := activities.FailureOf(err)
	switch {
	case activities.IsAmbiguous(err):
		return r.resolveStart(uncancelled, failure)
	case activities.IsTimeout(err) && // of an attempt after one that was refused, whose refusal it carries
		workflow.GetVersion(uncancelled, "ambiguous-after-refusal", workflow.DefaultVersion, 1) != workflow.DefaultVersion:
		return r.resolveStart(uncancelled, activities.Failure{})
	case failure.Kind == activities.FailureInputExpired && len(r.input.Files) > 0 && r.state.Uploads < run.MaxRounds:
		r.state.UploadedAt = time.Time{}
		return nil
	case err != nil:
		return err
	}
	r.state.Ledger.RecordGiven(r.input.Answers, workflow.Now(ctx))
	r.see(ctx, job)
	return ctx.Err()
}

func withFinal(ctx workflow.Context, types []string) workflow.Context {
	options := workflow.GetActivityOptions(ctx)
	policy := *options.RetryPolicy
	policy.NonRetryableErrorTypes = types
	return workflow.WithRetryPolicy(ctx, policy)
}

// resolveStart looks for the job that a start of unknown outcome may have made. Where nothing can be found,
// people decide: starting again could cost again.
func (r *goalRun) resolveStart(ctx workflow.Context, failure activities.Failure) error {
	var found activities.FindGoalResult
	err := r.try(ctx, activities.StepStart, func(ctx workflow.Context) error {
		ctx = r.options(ctx, 2*time.Minute, "Look for the job that may have been started") // one request
		return workflow.ExecuteActivity(ctx, steps.FindGoal, activities.FindGoalInput{FileIDs: r.state.FileIDs}).Get(ctx, &found)
	})
	if err != nil {
		return err
	}
	if found.Found {
		workflow.GetLogger(ctx).Info("adopted the job of a start whose reply was lost", "job_spec_id", found.Snapshot.JobSpecID)
		r.state.Ledger.RecordGiven(r.input.Answers, workflow.Now(ctx))
		r.see(ctx, found.Snapshot)
		return nil
	}
	r.state.Ambiguous = failure.Message
	if r.state.Ambiguous == "" {
		r.state.Ambiguous = "The worker that started it died."
	}
	return nil
}

// decideStart asks what to do about a start of unknown outcome.
func (r *goalRun) decideStart(ctx workflow.Context) error {
	r.step = activities.StepStart
	r.ask(ctx, startQuestion(r.state.Ambiguous))
	decision := func() string { return r.state.Ledger.Decision(SlotStart) }
	if err := r.rest(ctx, func() bool { return decision() == "" }); err != nil {
		return err
	}
	choice := decision()
	switch choice {
	case StartDrop:
		r.result.Status = ResultDropped
	case StartAgain:
		r.state.Ambiguous = ""
	default:
		if adopted, err := r.adopt(ctx, strings.TrimSpace(choice)); err != nil || !adopted {
			return err
		}
	}
	r.state.Ledger.Deliver(SlotStart, workflow.Now(ctx))
	r.publish(ctx)
	return nil
}

// adopt takes a job over by its id; one that does not exist is a refused answer.
func (r *goalRun) adopt(ctx workflow.Context, jobSpecID string) (bool, error) {
	var job activities.GoalSnapshot
	err := r.try(ctx, activities.StepStart, func(ctx workflow.Context) error {
		ctx = r.options(ctx, 2*time.Minute, "Look at job "+jobSpecID) // one request
		return workflow.ExecuteActivity(ctx, steps.RetrieveGoal, activities.GoalInput{JobSpecID: jobSpecID}).Get(ctx, &job)
	})
	if err != nil && temporal.IsCanceledError(err) {
		return false, err
	}
	if err != nil {
		r.notifyRefused(ctx, r.refuse(ctx, SlotStart, "there is no job "+jobSpecID+" to adopt"))
		return false, nil //nolint:nilerr // the answer was refused, and says why
	}
	r.state.Ambiguous = ""
	r.see(ctx, job)
	return true, nil
}

// uploadFiles turns the file:// URLs among the answers into file ids. A file that cannot be sent is a refused
// answer, and the question stays open; the rest waits for it.
func (r *goalRun) uploadFiles(ctx workflow.Context, answers []activities.SlotAnswer) ([]activities.SlotAnswer, error) {
	out := make([]activities.SlotAnswer, len(answers))
	for i, answer := range answers {
		out[i] = answer
		if question := r.state.Ledger.Find(answer.SlotID); question == nil || question.Type != slot.File {
			continue
		}
		value, err := r.uploadValue(ctx, answer.Value)
		failure, known := activities.FailureOf(err)
		if known && failure.Kind == activities.FailureInput {
			reopened := r.refuse(ctx, answer.SlotID, failure.Message)
			r.publish(ctx)
			r.notifyRefused(ctx, reopened)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		out[i].Value = value
	}
	return out, nil
}

const filePrefix = "file://"

// uploadValue uploads each file:// URL of a value, alone or in a list; anything else stays as it is.
func (r *goalRun) uploadValue(ctx workflow.Context, value json.RawMessage) (json.RawMessage, error) {
	var one string
	if json.Unmarshal(value, &one) == nil && strings.HasPrefix(one, filePrefix) {
		id, err := r.uploadOne(ctx, File{Source: one, Name: baseName(one)})
		return run.Encode(id), err
	}
	var many []string
	if json.Unmarshal(value, &many) != nil {
		return value, nil //nolint:nilerr // it is no list, and stays as it is
	}
	for i, text := range many {
		if !strings.HasPrefix(text, filePrefix) {
			continue
		}
		id, err := r.uploadOne(ctx, File{Source: text, Name: baseName(text)})
		if err != nil {
			return nil, err
		}
		many[i] = id
	}
	return run.Encode(many), nil
}

// baseName is the file name in a URL, as people see it.
func baseName(rawURL string) string {
	if u, err := url.Parse(rawURL); err == nil {
		return path.Base(u.Path)
	}
	return path.Base(rawURL)
}
