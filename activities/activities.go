// Package activities holds the steps that touch the world: one activity a step of the lanes, each
// safe to retry. docs/architecture.md has the table of what makes it so.
package activities

import (
	"context"
	"iter"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

// Files is the part of client.Files that the steps use.
type Files interface {
	Upload(ctx context.Context, params client.UploadParams, opts ...client.CallOption) (*client.File, error)
}

// Convert is the part of client.Convert that the steps use.
type Convert interface {
	Create(ctx context.Context, params client.CreateParams, opts ...client.CallOption) (*client.ConvertJob, error)
	Retrieve(ctx context.Context, jobID string, opts ...client.CallOption) (*client.ConvertJob, error)
	List(ctx context.Context, params client.ListParams, opts ...client.CallOption) (*client.JobPage, error)
	Fetch(ctx context.Context, file client.ResultFile, opts client.FetchOptions) (*client.Downloaded, error)
}

// Activities carries what the steps need. Its exported methods are the activities.
type Activities struct {
	files    Files
	convert  Convert
	goals    Goals
	offered  *offered
	notifier *Notifier
	poll     time.Duration
	now      func() time.Time
	fresh    freshJobs
	sleep    func(ctx context.Context, d time.Duration) error
}

// API is the parts of an API client that the steps use.
type API struct {
	Files   Files
	Convert Convert
	Goals   Goals
	Support Support
}

// New binds the steps to an API client. poll is the first wait between two looks at a job, 0 for the contract's
// second; notifier may be nil where nobody is to be notified.
func New(api API, poll time.Duration, notifier *Notifier) *Activities {
	return &Activities{
		files: api.Files, convert: api.Convert, goals: api.Goals, offered: &offered{support: api.Support, now: time.Now},
		notifier: notifier, poll: poll, now: time.Now, sleep: sleep,
	}
}

// Goals is the part of client.Goals that the steps use.
type Goals interface {
	Catalog(ctx context.Context, opts ...client.CallOption) (*client.Catalog, error)
	Start(ctx context.Context, params client.StartParams, opts ...client.CallOption) (*client.GoalJob, error)
	Retrieve(ctx context.Context, jobSpecID string, opts ...client.CallOption) (*client.GoalJob, error)
	FindByFile(ctx context.Context, fileID string, opts ...client.CallOption) ([]client.GoalJob, error)
	FillSlots(ctx context.Context, jobSpecID string, params client.FillParams, opts ...client.CallOption) (*client.GoalJob, error)
	Confirm(ctx context.Context, jobSpecID string, opts ...client.CallOption) error
	Cancel(ctx context.Context, jobSpecID string, opts ...client.CallOption) error
	Retry(ctx context.Context, jobSpecID string, params client.RetryParams, opts ...client.CallOption) error
	Artifacts(ctx context.Context, jobSpecID string, opts ...client.CallOption) ([]client.Artifact, error)
	ArtifactLink(ctx context.Context, jobSpecID, artifactID string, opts ...client.CallOption) (*client.ResultFile, error)
	Events(ctx context.Context, jobSpecID string, o client.EventOptions) iter.Seq2[client.GoalEvent, error]
}

// StepNotify names PostNotification in failures and progress.
const StepNotify = "notify"

// PostNotification posts a notification. A repeat carries the same webhook-id, by which receivers know it.
func (a *Activities) PostNotification(ctx context.Context, in Notification) error {
	work, attempt := startAttempt(ctx, StepNotify)
	defer attempt.end()
	if a.notifier == nil { // the worker that asked for it had a webhook
		return failed(work, StepNotify, &localError{
			kind: FailureUnavailable, code: CodeWebhook, retry: true, text: "this worker has no webhook; set CONVILYN_WEBHOOK_URL for all of them",
		})
	}
	if err := a.notifier.post(work, in); err != nil {
		return failed(work, StepNotify, err)
	}
	return nil
}
