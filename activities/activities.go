// Package activities holds the steps that touch the world: one activity a step of the lanes, each
// safe to retry. docs/architecture.md has the table of what makes it so.
package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

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

// Support is the part of client.Client that tells which pairs the service converts.
type Support interface {
	Support(ctx context.Context, family client.Family) (*client.SupportList, error)
}

// HeartbeatTimeout must stand on every step: a worker that dies is noticed after this long. Workers must
// report at least every HeartbeatInterval for that (worker.Options.MaxHeartbeatThrottleInterval).
const (
	HeartbeatTimeout  = 10 * time.Second
	HeartbeatInterval = 2 * time.Second
)

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

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// idempotencyKey names one step of one run; it is the same for every attempt at the step.
func idempotencyKey(ctx context.Context, part string) string {
	info := activity.GetInfo(ctx)
	return info.WorkflowExecution.RunID + "-" + info.ActivityID + "-" + part
}

// attemptOf is the number of this attempt, from 1.
func attemptOf(ctx context.Context) int { return int(activity.GetInfo(ctx).Attempt) }
