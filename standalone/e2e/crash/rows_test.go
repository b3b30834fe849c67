package crash

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/activities"
)

// scenarioActivities names the scenarios of the crash matrix (crash_test.go, behind the tag crash) and the activities that each of
// them brings about. In every scenario each process is killed before and after everything that these activities do outside.
var scenarioActivities = map[string][]string{
	"convert":        {"UploadFile", "CreateConversion", "AwaitConversion", "DownloadResults"},
	"output in way":  {"UploadFile", "CreateConversion", "AwaitConversion", "DownloadResults", "DiscardParts"},
	"loss kept":      {"UploadFile", "CreateConversion", "AwaitConversion", "DownloadResults", "PlaceHeld"},
	"batch":          {"PlanBatch", "ReadPlan", "UploadFile", "CreateConversion", "AwaitConversion", "DownloadResults", "ListFailed", "WriteReportPart", "FinishReport"},
	"watch":          {"AwaitFiles", "ReadPlan", "UploadFile", "CreateConversion", "DownloadResults", "WriteReportPart", "FinishReport"},
	"plan gone":      {"ReadPlan", "SalvageReport"},
	"goal":           {"CheckGoal", "UploadFile", "StartGoal", "WatchGoal", "LookGoal", "FillSlots", "KnownCredits", "ConfirmGoal", "CollectArtifacts", "PostNotification"},
	"goal retried":   {"CheckGoal", "UploadFile", "StartGoal", "WatchGoal", "ConfirmGoal", "RetryGoal", "CollectArtifacts"},
	"goal cancelled": {"CheckGoal", "UploadFile", "StartGoal", "WatchGoal", "LookGoal", "CancelGoal"},
	"goal unknown":   {"CheckGoal", "UploadFile", "StartGoal", "FindGoal", "ConfirmGoal", "WatchGoal", "CollectArtifacts"},
	"goal adopted":   {"CheckGoal", "UploadFile", "StartGoal", "FindGoal", "RetrieveGoal", "ConfirmGoal", "WatchGoal", "CollectArtifacts"},
}

// A new activity without a row in the crash matrix fails the build.
func TestEveryActivityIsInTheCrashMatrix(t *testing.T) {
	t.Parallel()
	has := map[string]bool{}
	for _, row := range scenarioActivities {
		for _, name := range row {
			has[name] = true
		}
	}
	all := reflect.TypeFor[*activities.Activities]()
	for i := range all.NumMethod() {
		name := all.Method(i).Name
		assert.True(t, has[name], "%s has no row: add it to a scenario of scenarioActivities, and the scenario to crash_stories_test.go", name)
		delete(has, name)
	}
	assert.Empty(t, has, "rows of activities that are not there")
}
