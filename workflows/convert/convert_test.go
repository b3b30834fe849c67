package convert_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

var input = convert.Input{
	Source: "file:///in/report.md", Name: "report.md", SourceFormat: "md",
	To: activities.Destination{Folder: "file:///out", Stem: "report", Format: "html"},
}

// scripted is a run whose steps are played.
type scripted struct {
	*testsuite.TestWorkflowEnvironment
	steps *activities.Activities
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	s := &scripted{TestWorkflowEnvironment: workflowtest.NewEnvironment(), steps: &activities.Activities{}}
	workflows.Register(s)
	s.RegisterActivity(s.steps)
	t.Cleanup(func() { s.AssertExpectations(t) })
	return s
}

func (s *scripted) uploads(fileIDs ...string) {
	for _, id := range fileIDs {
		s.OnActivity(s.steps.UploadFile, mock.Anything, mock.Anything).Return(activities.UploadFileResult{FileID: id, Attempts: 1}, nil).Once()
	}
}

func (s *scripted) creates(jobIDs ...string) {
	for _, id := range jobIDs {
		s.OnActivity(s.steps.CreateConversion, mock.Anything, mock.Anything).Return(activities.CreateConversionResult{JobID: id, Attempts: 1}, nil).Once()
	}
}

var anOutput = activities.DownloadResultsResult{Outputs: []activities.Output{{Path: "/out/report.html", Size: 5, SHA256: "s", Mimetype: "text/html"}}, Warnings: []string{"best_effort: w"}, Attempts: 1}

func (s *scripted) run(t *testing.T) (convert.Result, error) {
	t.Helper()
	s.ExecuteWorkflow(convert.WorkflowType, input)
	require.True(t, s.IsWorkflowCompleted())
	var result convert.Result
	if err := s.GetWorkflowError(); err != nil {
		return result, err
	}
	require.NoError(t, s.GetWorkflowResult(&result))
	return result, nil
}

func (s *scripted) status(t *testing.T) convert.Status {
	t.Helper()
	value, err := s.QueryWorkflow(run.QueryStatus)
	require.NoError(t, err)
	var status convert.Status
	require.NoError(t, value.Get(&status))
	return status
}

func TestConvertFile(t *testing.T) {
	s := newScripted(t)
	s.OnActivity(s.steps.UploadFile, mock.Anything, activities.UploadFileInput{Source: input.Source, Name: "report.md", SourceFormat: "md", TargetFormat: "html"}).
		Return(activities.UploadFileResult{FileID: "file_1", Attempts: 1}, nil).Once()
	s.OnActivity(s.steps.CreateConversion, mock.Anything, activities.CreateConversionInput{FileID: "file_1", SourceFormat: "md", TargetFormat: "html"}).
		Return(activities.CreateConversionResult{JobID: "job_1", Attempts: 3}, nil).Once()
	s.OnActivity(s.steps.AwaitConversion, mock.Anything, activities.AwaitConversionInput{JobID: "job_1"}).Return(
		func(context.Context, activities.AwaitConversionInput) (activities.AwaitConversionResult, error) {
			return activities.AwaitConversionResult{Attempts: 1}, nil
		}).Once()
	s.OnActivity(s.steps.DownloadResults, mock.Anything, activities.DownloadResultsInput{JobID: "job_1", To: input.To}).Return(anOutput, nil).Once()
	s.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Once()
	result, err := s.run(t)
	require.NoError(t, err)
	assert.Equal(t, convert.Result{Outputs: anOutput.Outputs, Warnings: anOutput.Warnings, FileID: "file_1", JobID: "job_1", Attempts: 3}, result)
	assert.Equal(t, convert.Status{State: run.StateCompleted, Step: activities.StepDownload, Round: 1, FileID: "file_1", JobID: "job_1"}, s.status(t))
}

func TestAFinishedJobNeedsNoWaiting(t *testing.T) {
	s := newScripted(t)
	s.uploads("file_1")
	s.OnActivity(s.steps.CreateConversion, mock.Anything, mock.Anything).Return(activities.CreateConversionResult{JobID: "job_1", Finished: true, Adopted: true, Attempts: 2}, nil).Once()
	s.OnActivity(s.steps.DownloadResults, mock.Anything, mock.Anything).Return(anOutput, nil).Once()
	result, err := s.run(t)
	require.NoError(t, err)
	assert.Equal(t, 2, result.Attempts)
	s.AssertNotCalled(t, "AwaitConversion", mock.Anything, mock.Anything)
}

func TestAForgottenInputIsUploadedAgain(t *testing.T) {
	for name, forget := range map[string]func(s *scripted){
		"at create": func(s *scripted) {
			s.OnActivity(s.steps.CreateConversion, mock.Anything, mock.Anything).Return(activities.CreateConversionResult{}, workflowtest.Failure(activities.FailureInputExpired, "FILE_EXPIRED", activities.StepCreate, true)).Once()
		},
		"at download": func(s *scripted) {
			s.creates("job_1")
			s.OnActivity(s.steps.AwaitConversion, mock.Anything, activities.AwaitConversionInput{JobID: "job_1"}).Return(activities.AwaitConversionResult{Attempts: 1}, nil).Once()
			s.OnActivity(s.steps.DownloadResults, mock.Anything, mock.Anything).Return(activities.DownloadResultsResult{}, workflowtest.Failure(activities.FailureResultsGone, "RESULTS_EXPIRED", activities.StepDownload, true)).Once()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t)
			s.uploads("file_1", "file_2")
			forget(s)
			s.creates("job_2")
			s.OnActivity(s.steps.AwaitConversion, mock.Anything, activities.AwaitConversionInput{JobID: "job_2"}).Return(activities.AwaitConversionResult{Attempts: 1}, nil).Once()
			s.OnActivity(s.steps.DownloadResults, mock.Anything, mock.Anything).Return(anOutput, nil).Once()
			result, err := s.run(t)
			require.NoError(t, err)
			assert.Equal(t, "file_2", result.FileID)
			assert.Equal(t, "job_2", result.JobID)
			assert.Equal(t, 2, s.status(t).Round)
		})
	}
}

// Ids that the service has forgotten are named neither by the status nor by the failure.
func TestConvertFile_NamesNoForgottenIDs(t *testing.T) {
	s := newScripted(t)
	s.uploads("file_1")
	s.creates("job_1")
	gone := workflowtest.Failure(activities.FailureResultsGone, "RESULTS_EXPIRED", activities.StepAwait, true)
	s.OnActivity(s.steps.AwaitConversion, mock.Anything, mock.Anything).Return(activities.AwaitConversionResult{}, gone).Once()
	missing := workflowtest.Failure(activities.FailureInput, activities.CodeInputMissing, activities.StepUpload, true)
	s.OnActivity(s.steps.UploadFile, mock.Anything, mock.Anything).Return(activities.UploadFileResult{}, missing).Once()

	_, err := s.run(t)

	failure, ok := activities.FailureOf(err)
	require.True(t, ok)
	assert.Equal(t, activities.Failure{Step: activities.StepUpload, Kind: activities.FailureInput, Code: activities.CodeInputMissing, Message: "m", Attempts: 1}, failure)
	assert.Equal(t, convert.Status{State: run.StateFailed, Step: activities.StepUpload, Round: 2}, s.status(t))
}

func TestAServiceThatForgetsEverythingIsGivenUp(t *testing.T) {
	s := newScripted(t)
	s.uploads("file_1", "file_2", "file_3")
	s.OnActivity(s.steps.CreateConversion, mock.Anything, mock.Anything).Return(activities.CreateConversionResult{}, workflowtest.Failure(activities.FailureInputExpired, "FILE_EXPIRED", activities.StepCreate, true)).Times(3)
	_, err := s.run(t)
	detail, ok := activities.FailureOf(err)
	require.True(t, ok)
	assert.Equal(t, "FILE_EXPIRED", detail.Code)
}

func TestAFailureNamesFileStepCodeAndAttempts(t *testing.T) {
	s := newScripted(t)
	s.uploads("file_1")
	s.creates("job_1")
	s.OnActivity(s.steps.AwaitConversion, mock.Anything, mock.Anything).Return(activities.AwaitConversionResult{}, workflowtest.Failure(activities.FailureConversion, "UNSUPPORTED_INPUT", activities.StepAwait, true)).Once()
	_, err := s.run(t)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Equal(t, "report.md: convert: UNSUPPORTED_INPUT: m (attempt 1)", app.Message())
	assert.Equal(t, "UNSUPPORTED_INPUT", app.Type())
	detail, ok := activities.FailureOf(err)
	require.True(t, ok)
	assert.Equal(t, activities.Failure{Step: "convert", Kind: activities.FailureConversion, Code: "UNSUPPORTED_INPUT", Message: "m", Attempts: 1, FileID: "file_1", JobID: "job_1"}, detail)
	assert.Equal(t, run.StateFailed, s.status(t).State)
}

func TestWhatPassesIsRetriedForAsLongAsTheServiceSays(t *testing.T) {
	s := newScripted(t)
	s.uploads("file_1")
	started := s.Now()
	calls := 0
	s.OnActivity(s.steps.CreateConversion, mock.Anything, mock.Anything).Return(func(context.Context, activities.CreateConversionInput) (activities.CreateConversionResult, error) {
		if calls++; calls < 4 {
			return activities.CreateConversionResult{}, temporal.NewApplicationErrorWithOptions("RATE_LIMITED: m", activities.FailureRateLimited, temporal.ApplicationErrorOptions{NextRetryDelay: 20 * time.Minute})
		}
		return activities.CreateConversionResult{JobID: "job_1", Finished: true, Attempts: calls}, nil
	})
	s.OnActivity(s.steps.DownloadResults, mock.Anything, mock.Anything).Return(anOutput, nil).Once()
	_, err := s.run(t)
	require.NoError(t, err)
	assert.Equal(t, 4, calls)
	assert.GreaterOrEqual(t, s.Now().Sub(started), time.Hour, "in virtual time")
}

func TestCancellingEndsTheStepAndCleansUp(t *testing.T) {
	s := newScripted(t)
	s.uploads("file_1")
	s.creates("job_1")
	s.OnActivity(s.steps.AwaitConversion, mock.Anything, mock.Anything).Return(activities.AwaitConversionResult{Attempts: 1}, nil).Once()
	s.OnActivity(s.steps.DownloadResults, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ activities.DownloadResultsInput) (activities.DownloadResultsResult, error) {
		s.CancelWorkflow()
		<-ctx.Done()
		return activities.DownloadResultsResult{}, ctx.Err()
	}).Once()
	s.OnActivity(s.steps.DiscardParts, mock.Anything, activities.DiscardPartsInput{Folder: input.To.Folder}).Return(nil).Once()
	s.ExecuteWorkflow(convert.WorkflowType, input)
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, s.GetWorkflowError(), &cancelled)
	assert.Equal(t, run.StateCancelled, s.status(t).State)
}

func TestAnErrorOfAnUnknownKindStillNamesItsStep(t *testing.T) {
	s := newScripted(t)
	s.OnActivity(s.steps.UploadFile, mock.Anything, mock.Anything).Return(activities.UploadFileResult{}, temporal.NewNonRetryableApplicationError("odd", "Odd", errors.New("cause"))).Once()
	_, err := s.run(t)
	detail, ok := activities.FailureOf(err)
	require.True(t, ok)
	assert.Equal(t, activities.StepUpload, detail.Step)
	assert.Equal(t, activities.CodeUnknown, detail.Code)
}

// The real steps against the real service, which fails at every turn.
func TestConvertFileThroughFaults(t *testing.T) {
	service := testkit.StartService(t, testkit.WithFaults(t, `
seed: 3
rules:
  - {route: "POST /api/v1/**", probability: 0.2, answer: {lose_reply: true}}
  - {route: "POST /storage/**", probability: 0.3, answer: {lose_reply: true}}
  - {route: "GET /storage/**", probability: 0.3, answer: {cut_body: true}}
  - {route: "* /**", probability: 0.3, answer: {status: 503}}
`))
	dir := t.TempDir()
	source := filepath.Join(dir, "report.md")
	require.NoError(t, os.WriteFile(source, []byte("# Ærø"), 0o600))
	const runs = 10
	for i := range runs {
		env := workflowtest.NewEnvironment()
		workflows.Register(env)
		env.RegisterActivity(activities.New(activities.API{Files: service.Client.Files, Convert: service.Client.Convert, Support: service.Client}, 200*time.Millisecond, nil))
		in := input
		in.Source, in.To.Folder = testkit.FileURL(source), testkit.FileURL(filepath.Join(dir, "out"))
		in.To.OnExist = activities.OnExistOverwrite
		env.ExecuteWorkflow(convert.WorkflowType, in)
		require.NoError(t, env.GetWorkflowError(), "run %d", i)
	}
	data, err := os.ReadFile(filepath.Join(dir, "out", "report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(data), ">Ærø</h1>")
	entries, err := os.ReadDir(filepath.Join(dir, "out"))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no parts are left")
}
