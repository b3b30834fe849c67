package backend_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// Each of these costs its job and nothing else: one that runs beside it ends well, and so does the next.
func TestHostileGoals(t *testing.T) {
	testkit.SkipIfShort(t, "it starts processes that take all they get")
	testkit.SkipUnderRace(t, "what it tests goes on in other processes")
	for id, want := range map[string]struct{ code, message, action string }{
		"eats":     {"PROCESSING_LIMIT", "the job needed more than " + testkit.SmallLimitText + " of memory and was stopped", "none"},
		"grows":    {"PROCESSING_LIMIT", "the job wrote more than 64 MB and was stopped", "none"},
		"litters":  {"PROCESSING_LIMIT", "the job wrote more than 256 MB and was stopped", "none"},
		"recurses": {"GOAL_STEP_FAILED", "the job broke down on its files", "retry"},
		"leaves":   {"GOAL_STEP_FAILED", "the job broke down on its files", "retry"},
		"spins":    {"GOAL_STEP_FAILED", "the job worked for longer than 2s and was stopped; a retry goes on from the steps that are done", "retry"},
		"panics":   {"INTERNAL", "The job failed; the service's log says why.", "retry"},
	} {
		t.Run(id, func(t *testing.T) {
			limits := sandbox.Limits{Memory: testkit.SmallLimit, Disk: 64 << 20, Processes: 20}
			s := testkit.StartService(t, testkit.WithGoals(hostileGoals()...), inChildren(t, "hostile", limits), func(c *backend.Config) {
				c.Workers = 2
				if id == "spins" {
					c.PassTimeout = 2 * time.Second
				}
			})
			hostile := startToy(t, s, id).JobSpecID
			beside := startToy(t, s, "letter").JobSpecID
			if id != "spins" {
				until(t, s, beside, client.GoalSlotsPending)
			}
			job := until(t, s, hostile, client.GoalFailed)
			assert.Equal(t, want.code, *job.ErrorCode)
			assert.Equal(t, want.message, *job.ErrorMessage)
			assert.Equal(t, want.action, *job.SuggestedAction)
			left, err := filepath.Glob(filepath.Join(s.DataDir(), "goals", hostile, "steps", ".*"))
			require.NoError(t, err)
			assert.Empty(t, left, "what was half made is gone")
			until(t, s, startToy(t, s, "letter").JobSpecID, client.GoalSlotsPending)
		})
	}
}

func TestCancelEndsAPassInAChild(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(hostileGoals()...), inChildren(t, "hostile", sandbox.Limits{}))
	id := startToy(t, s, "waits").JobSpecID
	var call []byte
	require.Eventually(t, func() bool {
		var err error
		call, err = os.ReadFile(filepath.Join(s.DataDir(), "goals", id, "steps", "wait", "call"))
		return err == nil
	}, testkit.Patience, 5*time.Millisecond)
	require.Equal(t, 202, act(t, s, id, "cancel", "").Status)
	assert.Eventually(t, func() bool { return testkit.ProcessOf(t, string(call)) == 0 }, testkit.Patience, 5*time.Millisecond, "its process has ended")
	until(t, s, id, client.GoalCancelled)
}

// A goal of the service whose pass and conversions are all in children, from its questions to its artifacts.
func TestARealGoalInAChild(t *testing.T) {
	testkit.SkipIfShort(t, "it starts processes")
	s := testkit.StartService(t, testkit.WithEngines(builtIn(t)...), inChildren(t, "real", sandbox.Limits{}))
	files := []string{upload(t, s, "good.md", "# Good").FileID, upload(t, s, "bad.docx", "no docx").FileID, upload(t, s, "table.csv", "a,b\n1,2\n").FileID}
	id := start(t, s, binder(files...)).JobSpecID
	until(t, s, id, client.GoalReady)
	require.Equal(t, 202, act(t, s, id, "confirm", "{}").Status)
	job := until(t, s, id, client.GoalPartial)
	assert.Contains(t, *job.AgentMessage, "Bound 2 documents")
	list := call[client.WireArtifactList](t, s, "GET", client.PathGoal(id, "artifacts"), "")
	assert.Contains(t, testkit.PDFText(t, testkit.PDF(t), []byte(fetch(t, s, id, list.Body.Artifacts[0].ArtifactID))), "Good")
}
