package queue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/fidelity"
	"github.com/convilyn/convilyn-temporal/backend/engines/locks"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// checkFor bounds a comparison: it must not take longer than the conversion that it is about.
const checkFor = 2 * time.Minute

// Options are what a pair takes, whatever engine converts it.
func Options(source, target string) []option.Option {
	return option.Union(option.Of(option.NameCheck), locks.Options(source, target))
}

// check compares what a conversion made with its source, where the job asks for that. A loss is a warning, or fails the job.
// What cannot be compared is said, and never a failure.
func (j *Jobs) check(ctx context.Context, job store.Job, in engines.Request, made *engines.Result) (*client.CheckResult, error) {
	wanted := strings.ToLower(job.Params.Options[option.NameCheck])
	if j.cfg.Check == nil || wanted != option.CheckWarn && wanted != option.CheckFail {
		return nil, nil //nolint:nilnil // nothing is to be compared
	}
	j.report(job.ID, 99, "comparing")
	report, err := j.compare(ctx, in, *made)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		j.cfg.Logger.Warn("compare an output with its source", zap.String("job_id", job.ID), zap.Error(err))
		report = fidelity.Report{Skipped: "the comparison broke off; the service's log says why"}
	}

	if len(report.Losses) > 0 && wanted == option.CheckFail {
		return nil, engines.Errorf(engines.CodeCheckFailed, "%s", strings.Join(report.Losses, "; "))
	}
	for _, loss := range report.Losses {
		made.Warnings = append(made.Warnings, client.LossPrefix+loss)
	}
	if report.Skipped != "" && wanted == option.CheckFail {
		made.Warnings = append(made.Warnings, client.LossPrefix+"not checked: "+report.Skipped)
	}
	result := &client.CheckResult{Words: report.Words, Missing: report.Missing, Losses: len(report.Losses), Skipped: report.Skipped}
	for _, d := range report.Differences {
		result.Differences = append(result.Differences, client.Difference(d))
	}
	return result, nil
}

// compare keeps a fault of a reader to its job.
func (j *Jobs) compare(ctx context.Context, in engines.Request, made engines.Result) (report fidelity.Report, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("a reader panicked: %v", cause)
		}
	}()
	limited, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	report, err = j.cfg.Check(limited, in, made)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fidelity.Report{Skipped: fmt.Sprintf("it takes longer than %s", checkFor)}, nil
	}
	return report, err
}
