package activities

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/client"
)

// CheckGoalInput is a goal that is about to be started.
type CheckGoalInput struct {
	WorkflowID string   `json:"workflow_id,omitempty"`
	FileNames  []string `json:"file_names,omitempty"`
	Others     int      `json:"others,omitempty"` // files that are uploaded already
}

// CheckGoalResult is what is known of a goal before it starts.
type CheckGoalResult struct {
	Name string `json:"name,omitempty"` // for people
	// Notifies reports whether this worker posts notifications, so that runs need not ask for any where nobody listens.
	Notifies bool `json:"notifies,omitempty"`
	// Confirm is how this worker confirms goals whose policy does not say: "auto" or "ask". Empty from workers of before.
	Confirm string `json:"confirm,omitempty"`
}

// CheckGoal refuses what the catalog rules out, before anything is uploaded or paid for. It only reads.
func (a *Activities) CheckGoal(ctx context.Context, in CheckGoalInput) (CheckGoalResult, error) {
	work, attempt := startAttempt(ctx, StepCheck)
	defer attempt.end()
	out := CheckGoalResult{Notifies: a.notifier != nil, Confirm: cmp.Or(a.confirm, "ask")}
	if in.WorkflowID == "" {
		return out, nil // a text is understood by the service alone
	}
	catalog, err := a.goals.Catalog(work)
	if err != nil {
		return out, failed(work, StepCheck, err)
	}
	out.Name, err = checkCatalog(catalog, in)
	if err != nil {
		return out, failed(work, StepCheck, err)
	}
	return out, nil
}

// checkCatalog takes an empty catalog for no answer: starting the goal will show.
func checkCatalog(catalog *client.Catalog, in CheckGoalInput) (name string, err error) {
	var ids []string
	for _, entry := range catalog.Workflows {
		if entry.WorkflowID == in.WorkflowID {
			return entry.Name, checkFiles(entry, in)
		}
		ids = append(ids, entry.WorkflowID)
	}
	if len(ids) == 0 {
		return "", nil
	}
	slices.Sort(ids)
	return "", &localError{kind: FailureRefused, code: CodeGoalUnknown, text: fmt.Sprintf("the service offers no goal %s; it offers %s", in.WorkflowID, strings.Join(ids, ", "))}
}

func checkFiles(entry client.CatalogEntry, in CheckGoalInput) error {
	if least := entry.MinFileCount; least != nil && len(in.FileNames)+in.Others < *least {
		return inputError(CodeBadArgument, "%s needs %d files at least; %d are given", entry.WorkflowID, *least, len(in.FileNames)+in.Others)
	}
	if len(entry.SupportedInputFormats) == 0 {
		return nil
	}
	for _, name := range in.FileNames {
		format, _ := client.FormatOf(name)
		fits := func(taken string) bool { return client.NormalizeFormat(taken) == format }
		if !slices.ContainsFunc(entry.SupportedInputFormats, fits) {
			return inputError(CodeBadArgument, "%s does not take %s; it takes %s", entry.WorkflowID, name, strings.Join(entry.SupportedInputFormats, ", "))
		}
	}
	return nil
}

// StartGoalInput is a goal to start. Exactly one of WorkflowID, UserWorkflowID and GoalText is set.
type StartGoalInput struct {
	WorkflowID     string       `json:"workflow_id,omitempty"`
	UserWorkflowID string       `json:"user_workflow_id,omitempty"`
	GoalText       string       `json:"goal_text,omitempty"`
	FileIDs        []string     `json:"file_ids"`
	Answers        []SlotAnswer `json:"answers,omitempty"`
	// Key is the idempotency key: the same for every start of the same work.
	Key string `json:"key"`
}

// SlotAnswer is a value for a slot.
type SlotAnswer struct {
	SlotID string          `json:"slot_id"`
	Value  json.RawMessage `json:"value"`
}

// StartGoalTimeouts are the ends of an attempt at StartGoal after which nobody knows whether a job exists. They
// belong into its retry policy as final, since a start may cost money.
var StartGoalTimeouts = []string{"TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat"}

// StartGoal starts the job, at most once: an attempt whose outcome is unknown is FailureAmbiguous, which is
// final. Only refusals that rule out that a job was made are tried again.
func (a *Activities) StartGoal(ctx context.Context, in StartGoalInput) (GoalSnapshot, error) {
	work, attempt := startAttempt(ctx, StepStart)
	defer attempt.end()
	job, err := a.goals.Start(work, client.StartParams{
		WorkflowID: in.WorkflowID, UserWorkflowID: in.UserWorkflowID, GoalText: in.GoalText, FileIDs: in.FileIDs, Answers: wireAnswers(in.Answers),
	}, client.WithIdempotencyKey(in.Key), client.WithoutRetries())
	switch {
	case err == nil:
		return snapshotOf(job), nil
	case mayHaveStarted(err):
		// Also when the worker stops: giving the step to another worker would send it again.
		return GoalSnapshot{}, ambiguous(ctx, err)
	default:
		return GoalSnapshot{}, failed(work, StepStart, err)
	}
}

func ambiguous(ctx context.Context, err error) error {
	v := classify(err)
	text := "it is not known whether the service started the goal: " + v.text
	return temporal.NewApplicationErrorWithOptions(text, FailureAmbiguous, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Details:      []any{Failure{Step: StepStart, Kind: FailureAmbiguous, Code: v.code, Message: text, Attempts: attemptOf(ctx)}},
	})
}

// IsAmbiguous reports whether it is unknown if a StartGoal that ended in err has made a job.
func IsAmbiguous(err error) bool {
	var failure *temporal.ApplicationError
	if errors.As(err, &failure) {
		return failure.Type() == FailureAmbiguous
	}
	return IsTimeout(err)
}

// IsTimeout reports whether a step ended because an attempt at it took too long or its worker died.
func IsTimeout(err error) bool {
	var timeout *temporal.TimeoutError
	return errors.As(err, &timeout)
}

func wireAnswers(answers []SlotAnswer) []client.SlotAnswer {
	out := make([]client.SlotAnswer, len(answers))
	for i, answer := range answers {
		out[i] = client.SlotAnswer{SlotID: answer.SlotID, Value: answer.Value}
	}
	return out
}

// FindGoalInput is a job that may exist.
type FindGoalInput struct {
	FileIDs []string `json:"file_ids"` // of this run alone
}

// FindGoalResult is the job that holds the files.
type FindGoalResult struct {
	Found    bool         `json:"found"`
	Snapshot GoalSnapshot `json:"snapshot,omitzero"`
}

// FindGoal looks for the job that a start of unknown outcome may have made. Only services that list goal jobs
// can be looked through; from others it comes back with nothing.
func (a *Activities) FindGoal(ctx context.Context, in FindGoalInput) (FindGoalResult, error) {
	work, attempt := startAttempt(ctx, StepStart)
	defer attempt.end()
	if len(in.FileIDs) == 0 {
		return FindGoalResult{}, nil
	}
	jobs, err := a.goals.FindByFile(work, in.FileIDs[0])
	if unlisted(err) {
		return FindGoalResult{}, nil
	}
	if err != nil {
		return FindGoalResult{}, failed(work, StepStart, err)
	}
	for i := range jobs {
		if slices.Equal(jobs[i].FileIDs, in.FileIDs) {
			return FindGoalResult{Found: true, Snapshot: snapshotOf(&jobs[i])}, nil
		}
	}
	return FindGoalResult{}, nil
}

// unlisted reports whether the service has no list of goal jobs.
func unlisted(err error) bool {
	var api *client.APIError
	return errors.As(err, &api) && (api.Status == http.StatusNotFound || api.Status == http.StatusMethodNotAllowed)
}
