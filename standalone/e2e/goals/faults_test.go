package goals

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// Every route of goals fails now and then, in every way that faults know, and some slots are filled elsewhere.
const faultsOfGoals = `
seed: 11
rules:
  - {slot: word, probability: 0.3, answer: {fill: elsewhere}}
  - {slot: word, probability: 0.3, answer: {fill: elsewhere, after: 400ms}}
  - {route: POST /api/v1/jobs/goal, nth: 2, answer: {lose_reply: true}}
  - {route: POST /api/v1/jobs/goal, probability: 0.05, answer: {lose_reply: true}}
  - {route: PATCH /api/v1/jobs/goal/*/slots, nth: 3, answer: {lose_reply: true}}
  - {route: PATCH /api/v1/jobs/goal/*/slots, probability: 0.2, answer: {status: 409, code: VERSION_CONFLICT}}
  - {route: POST /api/v1/jobs/goal/*/confirm, nth: 2, answer: {lose_reply: true}}
  - {route: "* /api/v1/jobs/goal/**", probability: 0.05, answer: {lose_reply: true}}
  - {route: "* /api/v1/jobs/**", probability: 0.3, answer: {status: 503}}
`

func TestGoalsOverABadService(t *testing.T) {
	t.Parallel()
	service, patches := testkit.StartService(t, testkit.WithGoals(testkit.Stumble(0)), testkit.WithFaults(t, faultsOfGoals)), fixture.NewPatchLog()
	service.Around(patches.Around)
	b := fixture.New(t)
	c := &manyRuns{t: t, b: b, s: b.OpenAt(service, service.EventsURL())}
	patient, err := client.New(service.URL, service.Key(), client.WithMaxRetries(20))
	require.NoError(t, err)
	t.Cleanup(patient.CloseIdleConnections)
	input := b.StumbleInput()
	input.LookEvery = fixture.Moment
	c.start(20, input)
	var mu sync.Mutex
	own, elsewhere := 0, 0
	require.NoError(t, c.each(func(i int) error {
		if err := c.answerWhenAsked(i); err != nil {
			return err
		}
		var result goal.Result
		if err := c.runs[i].Get(t.Context(), &result); err != nil {
			return fmt.Errorf("run %d: %w", i, err)
		}
		word := "elsewhere"
		if c.isOwn(i, result) {
			word = fmt.Sprintf("word %d", i)
		}
		b.HoldsWord(c.folder(i), word)
		jobs, err := patient.Goals.FindByFile(t.Context(), result.FileIDs[0])
		if err != nil {
			return err
		}
		assert.Len(t, jobs, 1, "one job a run")
		taken, lost := 0, 0
		for _, patch := range patches.Of(result.JobSpecID) {
			assert.JSONEq(t, fmt.Sprintf(`"word %d"`, i), patch.Value)
			if patch.Lost {
				lost++
			} else {
				taken++
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if word == "elsewhere" {
			elsewhere++
			assert.Zero(t, taken, "nobody's answer is overwritten")
		} else {
			own++
			assert.Equal(t, 1, taken+lost, "the slot is filled once")
		}
		return nil
	}))
	assert.Positive(t, own)
	assert.Positive(t, elsewhere)
	t.Logf("%d answered here, %d elsewhere", own, elsewhere)
}

// isOwn reports whether the answer given here counted, not one that was given elsewhere.
func (c *manyRuns) isOwn(i int, result goal.Result) bool {
	c.t.Helper()
	for _, receipt := range result.Answers {
		if receipt.Verdict == questions.VerdictAccepted && receipt.Channel != questions.ChannelElsewhere {
			return assert.JSONEq(c.t, fmt.Sprintf(`"word %d"`, i), string(receipt.Value))
		}
	}
	return false
}

// answerWhenAsked answers a run as a person would who is late now and then: another's answer may have counted.
func (c *manyRuns) answerWhenAsked(i int) error {
	settled := make(chan error, 1)
	asked := assert.Eventually(c.t, func() bool {
		done, err := c.answer(i)
		if done || err != nil {
			settled <- err
		}
		return done || err != nil
	}, testkit.Patience, 50*time.Millisecond)
	if !asked {
		return fmt.Errorf("run %d neither asks nor ends", i)
	}
	return <-settled
}

// answer is done when the run has an answer, of this one or another.
func (c *manyRuns) answer(i int) (done bool, err error) {
	id := c.runs[i].GetID()
	open, err := c.s.RunsClient().Questions(c.t.Context(), id)
	if err != nil {
		return false, c.t.Context().Err() // a busy worker is asked again
	}
	if len(open) > 0 {
		if question := open[0]; question.SlotID != "word" {
			return false, fmt.Errorf("%s asks %s: %s", id, question.SlotID, question.Text)
		}
		_, err := c.patientRunsClient().Answer(c.t.Context(), id, questions.Answer{SlotID: "word", Value: fmt.Appendf(nil, `"word %d"`, i)})
		var refused *runs.RefusedError
		if errors.Is(err, runs.ErrEnded) || errors.As(err, &refused) {
			err = nil
		}
		return true, err
	}
	description, err := c.s.Client.DescribeWorkflowExecution(c.t.Context(), id, "")
	return description.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING, err
}
