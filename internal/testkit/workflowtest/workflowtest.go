// Package workflowtest has what tests of several workflows share.
package workflowtest

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/logging"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// Refusal is a step's final failure at its first attempt.
func Refusal(kind, code string) error { return RefusalAt(1, kind, code) }

// RefusalAt is a step's final failure at an attempt.
func RefusalAt(attempt int, kind, code string) error {
	return temporal.NewApplicationErrorWithOptions(code+": no", kind, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{activities.Failure{Step: activities.StepCreate, Kind: kind, Code: code, Message: "no", Attempts: attempt}},
	})
}

// NewEnvironment runs workflows in virtual time.
func NewEnvironment() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(logging.ForTemporal(zap.NewNop()))
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(options())
	env.SetTestTimeout(patience)
	return env
}

// patience is how long nothing may happen; a busy machine is no failure.
const patience = 5 * time.Minute

func options() worker.Options {
	return worker.Options{DeadlockDetectionTimeout: patience}
}

// WhenBegun calls do as the workflow begins, before its own code. Delayed callbacks belong there: until a workflow has
// begun, virtual time runs with the clock on the wall, and on a busy machine they would come before it listens.
func WhenBegun(env *testsuite.TestWorkflowEnvironment, do func()) {
	o := options()
	o.Interceptors = []interceptor.WorkerInterceptor{&beginning{do: sync.OnceFunc(do)}}
	env.SetWorkerOptions(o)
}

type beginning struct {
	interceptor.WorkerInterceptorBase
	do func()
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (b *beginning) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	i := &beginningInbound{do: b.do}
	i.Next = next
	return i
}

type beginningInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	do func()
}

// ExecuteWorkflow implements interceptor.WorkflowInboundInterceptor.
func (i *beginningInbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	i.do()
	return i.Next.ExecuteWorkflow(ctx, in)
}

// Failure is a step's failure, final or to be tried again.
func Failure(kind, code, step string, final bool) error {
	return temporal.NewApplicationErrorWithOptions(code+": m", kind, temporal.ApplicationErrorOptions{
		NonRetryable: final, Details: []any{activities.Failure{Step: step, Kind: kind, Code: code, Message: "m", Attempts: 1}},
	})
}

// Wire is a payload as others may send it: JSON by its mark, or bytes.
func Wire(data string, plain bool) converter.RawValue {
	encoding := converter.MetadataEncodingJSON
	if plain {
		encoding = converter.MetadataEncodingBinary
	}
	return converter.NewRawValue(&common.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding)}, Data: []byte(data)})
}

// Message is something that somebody sends to a run.
type Message struct {
	To, Data string
	Plain    bool
}

// Messages are the lines of what the fuzzer made: the first byte says which one of names it goes to, and in which encoding.
func Messages(script string, names []string) []Message {
	const most = 8
	var all []Message
	for line := range strings.SplitSeq(script, "\n") {
		if line == "" || len(all) == most {
			continue
		}
		all = append(all, Message{names[int(line[0]&0x7f)%len(names)], line[1:], line[0] > 0x7f})
	}
	return all
}

// RequireSane checks that a run ended by no fault of its own code: what stops it is an error with a type, or a cancellation.
func RequireSane(t *testing.T, err error) {
	t.Helper()
	var crash *temporal.PanicError
	require.NotErrorAs(t, err, &crash)
	var named *temporal.ApplicationError
	if err != nil && !temporal.IsCanceledError(err) {
		require.ErrorAs(t, err, &named)
		require.NotEmpty(t, named.Type())
	}
}

// AsUpdate is the name under which Messages stand for the update fill-slot, which is called as the signal is.
const AsUpdate = "update " + questions.UpdateFillSlot

// Answer is an answer in text.
func Answer(id, slotID, value string) questions.Answer {
	data, _ := json.Marshal(value)
	return questions.Answer{AnswerID: id, SlotID: slotID, Value: data}
}

// AsContinueAsNew reports whether a run continued as new, and how.
func AsContinueAsNew(err error, into **workflow.ContinueAsNewError) bool { return errors.As(err, into) }

// Decode decodes the input of a run that continued as new.
func Decode(payloads *common.Payloads, into any) error {
	return converter.GetDefaultDataConverter().FromPayloads(payloads, into)
}
