package convert_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

var waits = activities.Held{
	Files:  []activities.HeldFile{{Part: ".convilyn-r-0.part", Name: "report.html", Size: 5, SHA256: "s"}},
	Losses: []string{"1 of 3 words of the source is not in the output: three"},
}

// asking is the input of a run that asks.
func asking(policy questions.Policy) convert.Input {
	in := input
	in.OnLoss, in.Policy = questions.OnLossAsk, policy
	return in
}

// holds plays a job in whose output something is missing.
func (s *scripted) holds(in convert.Input) {
	s.uploads("file_1")
	s.OnActivity(s.steps.CreateConversion, mock.Anything, mock.Anything).Return(activities.CreateConversionResult{JobID: "job_1", Finished: true, Attempts: 1}, nil).Once()
	s.OnActivity(s.steps.DownloadResults, mock.Anything, activities.DownloadResultsInput{JobID: "job_1", To: in.To, Hold: true}).Return(activities.DownloadResultsResult{
		Held: &waits, Warnings: []string{"check: " + waits.Losses[0]}, Check: &activities.CheckResult{Words: 3, Missing: 1, Losses: 1}, Attempts: 1,
	}, nil).Once()
}

func TestConvertFile_AsksAboutALoss(t *testing.T) {
	deadline := run.Duration(72 * time.Hour)
	keptByDefault := questions.Policy{Deadline: deadline, OnDeadline: questions.DeadlineDefault, Default: []byte(`"keep"`)}

	for name, test := range map[string]struct {
		policy  questions.Policy
		answer  string // empty for nobody
		code    string // of the failure
		warning string // that is added
		message string // of the failure
		after   time.Duration
	}{
		"kept":               {answer: questions.LossKeep, warning: "check: kept by kim", after: 30 * 24 * time.Hour},
		"refused":            {answer: questions.LossRefuse, code: activities.CodeLossRefused, message: "refused by kim: 1 of 3 words", after: 30 * 24 * time.Hour},
		"before a deadline":  {policy: questions.Policy{Deadline: run.Duration(31 * 24 * time.Hour)}, answer: questions.LossKeep, warning: "check: kept by kim", after: 30 * 24 * time.Hour},
		"nobody in time":     {policy: questions.Policy{Deadline: deadline}, code: questions.CodeDeadline, message: "refused by the policy: nobody answered within 72h0m0s: 1 of 3 words", after: 72 * time.Hour},
		"kept by the policy": {policy: keptByDefault, warning: "check: kept by the policy: nobody answered within 72h0m0s", after: 72 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t)
			in := asking(test.policy)
			s.holds(in)
			if test.code == "" {
				s.OnActivity(s.steps.PlaceHeld, mock.Anything, activities.PlaceHeldInput{To: in.To, Held: waits}).Return(activities.PlaceHeldResult{Outputs: anOutput.Outputs, Attempts: 1}, nil).Once()
			} else {
				s.OnActivity(s.steps.DiscardParts, mock.Anything, activities.DiscardPartsInput{Folder: in.To.Folder, Held: &waits}).Return(nil).Once()
			}
			begun := s.Now()
			s.RegisterDelayedCallback(func() {
				assert.Equal(t, run.StateWaiting, s.status(t).State)
				open := s.questions(t)
				require.Len(t, open, 1)
				assert.Equal(t, "report.md to html: 1 of 3 words of the source is not in the output: three. Keep the output?", open[0].Text)
				assert.Equal(t, &questions.Loss{
					Source: in.Source, Name: "report.md", Folder: in.To.Folder, Held: waits, Check: activities.CheckResult{Words: 3, Missing: 1, Losses: 1},
				}, open[0].Loss)
			}, time.Hour)
			if test.answer != "" {
				s.RegisterDelayedCallback(func() {
					answer := workflowtest.Answer("1", questions.SlotLoss, test.answer)
					answer.AnsweredBy = "kim"
					s.SignalWorkflow(questions.SignalFillSlot, answer)
				}, test.after)
			}

			s.ExecuteWorkflow(convert.WorkflowType, in)

			require.True(t, s.IsWorkflowCompleted())
			assert.Equal(t, test.after, s.Now().Sub(begun).Round(time.Hour))
			if test.code != "" {
				detail, known := activities.FailureOf(s.GetWorkflowError())
				require.True(t, known)
				assert.Equal(t, test.code, detail.Code)
				assert.Equal(t, activities.StepReview, detail.Step)
				assert.Contains(t, detail.Message, test.message)
				return
			}
			var result convert.Result
			require.NoError(t, s.GetWorkflowResult(&result))
			assert.Equal(t, anOutput.Outputs, result.Outputs)
			assert.Equal(t, test.warning, result.Warnings[len(result.Warnings)-1])
			require.Len(t, result.Answers, 1)
			assert.NotNil(t, result.Answers[0].DeliveredAt)
		})
	}
}

// behind is a workflow's clock that is a second behind once, where something is due.
type behind struct {
	interceptor.WorkerInterceptorBase
	due  time.Time
	once bool
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (b *behind) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &behindInbound{clock: b}
	in.Next = next
	return in
}

type behindInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	clock *behind
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (b *behindInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &behindOutbound{clock: b.clock}
	out.Next = next
	return b.Next.Init(out)
}

type behindOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	clock *behind
}

// Now implements interceptor.WorkflowOutboundInterceptor.
func (b *behindOutbound) Now(ctx workflow.Context) time.Time {
	now := b.Next.Now(ctx)
	if b.clock.once || now.Before(b.clock.due) {
		return now
	}
	b.clock.once = true
	return now.Add(-time.Second)
}

// A timer that fires a moment before the deadline decides nothing.
func TestConvertFile_TimerBeforeTheDeadlineOfALoss(t *testing.T) {
	s := newScripted(t)
	in := asking(questions.Policy{Deadline: run.Duration(72 * time.Hour)})
	s.holds(in)
	s.OnActivity(s.steps.DiscardParts, mock.Anything, mock.Anything).Return(nil).Once()
	clock := &behind{due: s.Now().Add(72 * time.Hour)}
	s.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{clock}, DeadlockDetectionTimeout: time.Minute})

	s.ExecuteWorkflow(convert.WorkflowType, in)

	assert.True(t, clock.once)
	detail, known := activities.FailureOf(s.GetWorkflowError())
	require.True(t, known)
	assert.Equal(t, questions.CodeDeadline, detail.Code)
	assert.Contains(t, detail.Message, "refused by the policy: nobody answered within 72h0m0s")
}

func (s *scripted) questions(t *testing.T) []questions.Question {
	t.Helper()
	value, err := s.QueryWorkflow(questions.QueryQuestions)
	require.NoError(t, err)
	var open []questions.Question
	require.NoError(t, value.Get(&open))
	return open
}

func TestConvertFile_CancelledAtALoss(t *testing.T) {
	s := newScripted(t)
	in := asking(questions.Policy{})
	s.holds(in)
	s.OnActivity(s.steps.DiscardParts, mock.Anything, activities.DiscardPartsInput{Folder: in.To.Folder, Held: &waits}).Return(nil).Once()
	s.RegisterDelayedCallback(s.CancelWorkflow, time.Hour)

	s.ExecuteWorkflow(convert.WorkflowType, in)

	var cancelled *temporal.CanceledError
	require.ErrorAs(t, s.GetWorkflowError(), &cancelled)
	assert.Equal(t, run.StateCancelled, s.status(t).State)
	assert.Empty(t, s.questions(t))
}

// Where nothing is missing a run that would ask does what any other does.
func TestConvertFile_WithoutALossAsksNothing(t *testing.T) {
	s := newScripted(t)
	s.uploads("file_1")
	s.OnActivity(s.steps.CreateConversion, mock.Anything, mock.Anything).Return(activities.CreateConversionResult{JobID: "job_1", Finished: true, Attempts: 1}, nil).Once()
	s.OnActivity(s.steps.DownloadResults, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.DownloadResultsInput) (activities.DownloadResultsResult, error) {
		assert.True(t, in.Hold)
		return anOutput, nil
	}).Once()
	s.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Once()

	s.ExecuteWorkflow(convert.WorkflowType, asking(questions.Policy{}))

	require.NoError(t, s.GetWorkflowError())
	s.AssertNotCalled(t, "PlaceHeld", mock.Anything, mock.Anything)
}
