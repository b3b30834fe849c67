package histories

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// deep are the paths, by their recordings, that the usual tests leave to the slice histories of .ci/deep: each has a stack of
// its own, and another path that is taken stands for its kind. Recordings of all of them replay in every run of the tests.
var deep = []string{
	"convert-file-retried", "convert-file-input-expired", "convert-file-cancelled-while-unavailable", "convert-file-loss-refused",

	"run-goal-answered-one-by-one", "run-goal-answer-refused", "run-goal-retried-in-vain", "run-goal-preview-rejected",
	"run-goal-stuck-ended-elsewhere", "run-goal-confirmed-unshown", "run-goal-confirmed-again", "run-goal-start-dropped",
	"run-goal-start-stopped", "run-goal-trouble-mended", "run-goal-notified", "run-goal-start-ambiguous-after-refusal",

	"convert-batch-continued-as-new", "convert-batch-partial", "convert-batch-retried", "convert-batch-split",
	"convert-batch-steered", "convert-batch-trouble-mended", "convert-batch-plan-missing", "convert-batch-plan-missing-split",
}

// skipUnlessTaken skips a path of deep, unless CONVILYN_TEST_HISTORIES says "all", or recordings are made.
func skipUnlessTaken(t *testing.T, recording string) {
	t.Helper()
	if slices.Contains(deep, recording) && !fixture.All("HISTORIES") && os.Getenv("CONVILYN_RECORD") == "" {
		t.Skip("left to .ci/deep histories; CONVILYN_TEST_HISTORIES=all takes it")
	}
}

func TestDeepPathsAreRecorded(t *testing.T) {
	t.Parallel()
	for _, recording := range deep {
		assert.FileExists(t, "../../../workflows/testdata/history/"+recording+".json")
	}
}
