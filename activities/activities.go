// Package activities holds the steps that touch the world: one activity a step of the lanes, each
// safe to retry. docs/architecture.md has the table of what makes it so.
package activities

import (
	"context"
	"iter"
	"os"
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
	account  Account
	confirm  string
	poll     time.Duration
	now      func() time.Time
	fresh    freshJobs
	sleep    func(ctx context.Context, d time.Duration) error
	roots    Roots
	state    string // where plans are; empty for beside the outputs
}

// API is the parts of an API client that the steps use.
type API struct {
	Files   Files
	Convert Convert
	Goals   Goals
	Support Support
	Account Account // may be nil
	// Confirm is how goals are confirmed whose policy does not say: "auto" or "ask". Runs take anything else for "ask".
	Confirm string
}

// New binds the steps to an API client. poll is the first wait between two looks at a job, 0 for the contract's
// second; notifier may be nil where nobody is to be notified.
func New(api API, poll time.Duration, notifier *Notifier, settings ...Setting) *Activities {
	a := &Activities{
		files: api.Files, convert: api.Convert, goals: api.Goals, offered: &offered{support: api.Support, now: time.Now},
		notifier: notifier, account: api.Account, confirm: api.Confirm, poll: poll, now: time.Now, sleep: sleep, roots: everywhere{},
	}
	for _, set := range settings {
		set(a)
	}
	return a
}

// Setting is a property of a worker's disk.
type Setting func(*Activities)

// WithState keeps the plans of batches in a folder that all workers reach, and not beside the outputs.
func WithState(folder string) Setting { return func(a *Activities) { a.state = folder } }

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

// Account is the part of client.Account that the steps use.
type Account interface {
	Balance(ctx context.Context, opts ...client.CallOption) (*client.Balance, error)
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

// Roots says which files a worker may use, wherever symbolic links lead, and opens them. What is put into a path while it is
// opened must lead nowhere else.
type Roots interface {
	Check(path string, write bool) error
	// OpenFile opens a file to read, and waits for no pipe.
	OpenFile(path string) (*os.File, error)
	// OpenFolder opens a folder to write to.
	OpenFolder(path string, create bool) (*os.Root, error)
}

// WithRoots holds the steps to what may be used; without it everything may be.
func WithRoots(roots Roots) Setting { return func(a *Activities) { a.roots = roots } }
