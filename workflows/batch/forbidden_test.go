package batch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func TestBatch_isHeldByRefusedKeysAlone(t *testing.T) {
	const files = 5
	for code, held := range map[string]bool{"FORBIDDEN": false, "FORBIDDEN_FILE": false, "UNAUTHORIZED": true, "AUTH_REQUIRED": true} {
		t.Run(code, func(t *testing.T) {
			service := testkit.StartService(t, testkit.WithFaults(t, "rules: [{route: POST /api/v1/jobs, nth: 2, answer: {status: 403, code: "+code+"}}]"))
			in, out := t.TempDir(), t.TempDir()
			for i := range files {
				require.NoError(t, os.WriteFile(filepath.Join(in, fmt.Sprintf("%02d.md", i)), []byte("# A"), 0o600))
			}
			env := workflowtest.NewEnvironment()
			workflows.Register(env)
			env.RegisterActivity(activities.New(activities.API{Files: service.Client.Files, Convert: service.Client.Convert, Support: service.Client}, 200*time.Millisecond, nil))
			asked := 0
			env.RegisterDelayedCallback(func() {
				value, err := env.QueryWorkflow(questions.QueryQuestions)
				var open []questions.Question
				if assert.NoError(t, err) && assert.NoError(t, value.Get(&open)) {
					asked = len(open)
				}
				env.SignalWorkflow(questions.SignalFillSlot, workflowtest.Answer("1", questions.SlotTrouble, questions.TroubleRetry))
			}, 24*time.Hour)

			env.ExecuteWorkflow(batch.WorkflowType, batch.Input{Name: "b", Spec: activities.BatchSpec{Source: in, Output: out, To: "html"}, Concurrency: 1})
			require.NoError(t, env.GetWorkflowError())
			var result batch.Result
			require.NoError(t, env.GetWorkflowResult(&result))
			if held {
				assert.Equal(t, []int{1, files, 0}, []int{asked, result.Summary.Completed, result.Summary.Failed})
				return
			}
			assert.Equal(t, []int{0, files - 1, 1}, []int{asked, result.Summary.Completed, result.Summary.Failed})
		})
	}
}
