package run

import (
	"strings"

	"go.temporal.io/sdk/workflow"
)

// Names of the counters, without the suffix that Prometheus wants.
const (
	metricFiles = "convilyn_files"
	metricRuns  = "convilyn_runs_ended"
)

const longestCode = 40

// MetricCode is a code as it may label a metric. Codes come from services; one that is no code would make a metric of its own.
func MetricCode(code string) string {
	odd := strings.ContainsFunc(code, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' })
	if odd || len(code) > longestCode {
		return "OTHER"
	}
	return code
}

// CountFile counts a file that has ended; code is empty of one that was converted. Replays count nothing.
func CountFile(ctx workflow.Context, lane, outcome, code string) {
	workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"lane": lane, "outcome": outcome, "code": MetricCode(code)}).Counter(metricFiles).Inc(1)
}

// CountRun counts a run that has ended. Replays count nothing.
func CountRun(ctx workflow.Context, lane, outcome string) {
	workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"lane": lane, "outcome": outcome}).Counter(metricRuns).Inc(1)
}
