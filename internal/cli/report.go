package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

// Values of outcome.Status beside the states of a run.
const statusSkipped = "skipped"

// outcome is what --json prints for a file.
type outcome struct {
	Source     string              `json:"source"`
	Status     string              `json:"status"` // completed, failed, cancelled, skipped, running
	Outputs    []activities.Output `json:"outputs"`
	JobID      string              `json:"job_id"`
	FileID     string              `json:"file_id"`
	Warnings   []string            `json:"warnings"`
	Error      *outcomeError       `json:"error"`
	WorkflowID string              `json:"workflow_id"`
	RunID      string              `json:"run_id"`
	Attempts   int                 `json:"attempts"`

	kind string // of the failure
}

type outcomeError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func newOutcome(it item, runID string) outcome {
	return outcome{
		Source: it.source, WorkflowID: it.workflowID, RunID: runID,
		Outputs: []activities.Output{}, Warnings: []string{},
	}
}

func (o outcome) completed(result convert.Result) outcome {
	o.Status = workflows.StateCompleted
	o.Outputs = append(o.Outputs, result.Outputs...)
	o.Warnings = append(o.Warnings, result.Warnings...)
	o.JobID, o.FileID, o.Attempts = result.JobID, result.FileID, result.Attempts
	return o
}

// ended describes a run that closed without a result.
func (o outcome) ended(err error) outcome {
	status, said, detail := ending(err)
	o.Status, o.Error, o.kind = status, &said, detail.Kind
	o.Attempts, o.FileID, o.JobID = detail.Attempts, detail.FileID, detail.JobID
	return o
}

func (o outcome) state() string    { return o.Status }
func (o outcome) failedAs() string { return o.kind }

func (o outcome) inPlace() bool {
	return o.Status == workflows.StateCompleted && outputsInPlace(o.Outputs)
}

// exitCode sums up: a failed job outweighs a failed API.
func exitCode(results []result) int {
	code := ExitOK
	for _, r := range results {
		switch state := r.state(); {
		case state != workflows.StateFailed && state != workflows.StateCancelled && state != goal.ResultDropped:
		case isAPIKind(r.failedAs()):
			code = max(code, ExitAPI)
		default:
			code = ExitJobFailed
		}
	}
	return code
}

func isAPIKind(kind string) bool {
	switch kind {
	case activities.FailureAuth, activities.FailurePlan, activities.FailureRateLimited, activities.FailureUnavailable, activities.FailureMismatch:
		return true
	}
	return false
}

// print writes one result, as JSON or for people.
func (e *Env) print(r result, asJSON bool) error {
	if asJSON {
		return e.printJSON(r)
	}
	return r.show(e)
}

func (o outcome) show(e *Env) error {
	switch o.Status {
	case workflows.StateCompleted:
		for _, output := range o.Outputs {
			if _, err := fmt.Fprintf(e.Stdout, "%s → %s  (%s)\n", o.Source, shortPath(output.Path), bytesText(output.Size)); err != nil {
				return err
			}
		}
		for _, warning := range o.Warnings {
			e.say("  note on %s: %s", o.Source, warning)
		}
	case statusSkipped:
		e.say("%s: skipped, %s", o.Source, o.Error.Message)
	default:
		e.say("%s: %s: %s: %s", o.Source, o.Status, o.Error.Code, o.Error.Message)
	}
	return nil
}

// sumUp is the last line for people.
func (e *Env) sumUp(all []result, took time.Duration) {
	counts := map[string]int{}
	for _, r := range all {
		counts[r.state()]++
	}
	text := fmt.Sprintf("%d of %s done", counts[workflows.StateCompleted], plural(len(all), "conversion", "conversions"))
	for _, status := range []string{workflows.StateFailed, workflows.StateCancelled, statusSkipped} {
		if counts[status] > 0 {
			text += fmt.Sprintf(", %d %s", counts[status], status)
		}
	}
	e.say("%s, %s", text, took.Round(100*time.Millisecond))
}

func (e *Env) printJSON(v any) error {
	encoder := json.NewEncoder(e.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// shortPath is relative to the current folder where that is shorter.
func shortPath(path string) string {
	cwd, err := os.Getwd()
	if err != nil {
		return path
	}
	relative, err := filepath.Rel(cwd, path)
	if err != nil || len(relative) > len(path) {
		return path
	}
	return relative
}
