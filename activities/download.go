package activities

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/convilyn/convilyn-temporal/client"
)

// StepDownload names DownloadResults in failures and progress.
const StepDownload = "download"

// DownloadResultsInput is a completed job and the place for its results.
type DownloadResultsInput struct {
	JobID string      `json:"job_id"`
	To    Destination `json:"to"`
	// Part distinguishes partly downloaded files of this job from those of other jobs that the run fetches into the same folder.
	Part string `json:"part,omitempty"`
	// Hold keeps the outputs of a job in which a loss was measured out of their place, for people to decide.
	Hold bool `json:"hold,omitempty"`
}

// CheckResult is what came of comparing an output with its source.
type CheckResult = client.CheckResult

// DownloadResultsResult is all outputs of a job, in the service's order.
type DownloadResultsResult struct {
	Outputs  []Output `json:"outputs"`
	Warnings []string `json:"warnings,omitempty"`
	// Check is nil where nothing was asked to be compared.
	Check *CheckResult `json:"check,omitempty"`
	// Held is what is fetched and not in place, and then there are no Outputs; nil where nothing is held.
	Held     *Held `json:"held,omitempty"`
	Attempts int   `json:"attempts"`
	Throttle
}

// DownloadResults fetches every result file of a job into part files, and puts them in place when all are complete.
//
// Each attempt but the first asks for fresh links; what an earlier attempt has fetched of a part is not fetched again. An
// output that is already there with the same content is ours, from an attempt that died before it could say so. What is not
// as the service announced it, by size or SHA-256, is fetched again, a few times; after that the step has failed.
func (a *Activities) DownloadResults(ctx context.Context, in DownloadResultsInput) (DownloadResultsResult, error) {
	work, attempt := startAttempt(ctx, StepDownload)
	defer attempt.end()
	out, err := a.download(work, in, attempt)
	if err == nil {
		out.Throttle = attempt.throttle
		return out, nil
	}
	err = attempt.failed(work, StepDownload, err)
	if isFinal(err) {
		folder, folderErr := a.destination(in.To, in.Part)
		if folderErr == nil {
			a.discardParts(folder, partPrefix(ctx, in.Part))
		}
	}
	return DownloadResultsResult{}, err
}

func (a *Activities) download(ctx context.Context, in DownloadResultsInput, attempt *attempt) (DownloadResultsResult, error) {
	folder, err := a.destination(in.To, in.Part)
	if err != nil {
		return DownloadResultsResult{}, err
	}
	job, err := a.completedJob(ctx, in.JobID)
	if err != nil {
		return DownloadResultsResult{}, err
	}
	if len(job.ResultFiles) == 0 {
		return DownloadResultsResult{}, &localError{
			kind: FailureRefused, code: CodeNoResultFiles,
			text: "job " + in.JobID + " completed without result files",
		}
	}
	out := results{folder: folder, names: outputNames(in.To, job.ResultFiles), onExist: in.To.OnExist, former: named(folder, in.To.Replace)}
	if out.root, err = a.open(folder, true); err != nil {
		return DownloadResultsResult{}, err
	}
	defer out.root.Close() //nolint:errcheck // holds the folder only

	fetched, err := a.fetchAll(ctx, out.root, partPrefix(ctx, in.Part), job.JobID, job.ResultFiles, attempt)
	if err != nil {
		return DownloadResultsResult{}, err
	}
	result := DownloadResultsResult{Warnings: job.Warnings, Check: measured(job.Check), Attempts: attemptOf(ctx)}
	if in.Hold && job.Check != nil && job.Check.Losses > 0 {
		result.Held, err = out.hold(partPrefix(ctx, in.Part), job, fetched)
		return result, err
	}
	result.Outputs, err = out.place(fetched)
	if err != nil {
		return DownloadResultsResult{}, err
	}
	return result, nil
}

// measured is a comparison without words of the documents, which are nothing for a history.
func measured(check *CheckResult) *CheckResult {
	if check == nil {
		return nil
	}
	numbers := *check
	numbers.Differences = nil
	return &numbers
}

// completedJob is the job with its links: as the step before has just seen it, or else as the service says.
func (a *Activities) completedJob(ctx context.Context, jobID string) (*client.ConvertJob, error) {
	if job := a.fresh.take(jobID, a.now()); job != nil {
		return job, nil
	}
	job, err := a.convert.Retrieve(ctx, jobID)
	if client.IsNotFound(err) {
		return nil, resultsGone(jobID)
	}
	return job, err
}

func (a *Activities) fetchAll(
	ctx context.Context, folder *os.Root, prefix, jobID string, files []client.ResultFile, attempt *attempt,
) ([]*client.Downloaded, error) {
	var total, done int64
	for _, file := range files {
		total += file.Size
	}
	var fetched []*client.Downloaded
	for i, file := range files {
		got, err := a.convert.Fetch(ctx, file, client.FetchOptions{
			Folder: folder, PartPath: partName(prefix, i),
			OnProgress: func(received int64) {
				attempt.set(Progress{Step: StepDownload, Bytes: done + received, Percent: percent(done+received, total)})
			},
		})
		if errors.Is(err, fs.ErrNotExist) { // the folder is gone, and something else may be in its place
			err = cmp.Or(isInPlace(folder), err)
		}
		if err != nil {
			return nil, fetchError(jobID, err, attempt)
		}
		done += got.Size
		fetched = append(fetched, got)
	}
	return fetched, nil
}

func fetchError(jobID string, err error, attempt *attempt) error {
	var api *client.APIError
	switch {
	case errors.As(err, &api) && (api.Status == 404 || api.Status == 410):
		return resultsGone(jobID)
	case errors.Is(err, client.ErrMismatch):
		return attempt.mismatch(CodeOutputMismatch, err.Error())
	}
	return err
}

// DiscardPartsInput is a run that ended while its outputs were on their way.
type DiscardPartsInput struct {
	Folder string `json:"folder"`
	Part   string `json:"part,omitempty"` // as in DownloadResultsInput
	Held   *Held  `json:"held,omitempty"` // removed, too: the run that has fetched it may have had another id
}

// DiscardParts removes what a cancelled or failed run has fetched so far. It is safe to repeat.
func (a *Activities) DiscardParts(ctx context.Context, in DiscardPartsInput) error {
	_, attempt := startAttempt(ctx, StepDownload)
	defer attempt.end()
	folder, err := a.folder(in.Folder)
	if err != nil || !oneName(in.Part+"x") {
		return nil // nothing was fetched into it
	}
	a.discardParts(folder, partPrefix(ctx, in.Part))
	a.discardHeld(folder, in.Held)
	return nil
}
