package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/convilyn/convilyn-temporal/client"
)

// StepUpload names UploadFile in failures and progress.
const StepUpload = "upload"

// UploadFileInput is one file to bring to the API.
type UploadFileInput struct {
	Source string `json:"source"` // URL, file:// for now
	Name   string `json:"name"`   // the file name that the API sees
	// SHA256 is what the run was started for, in hex; a file that has changed since is refused. Empty skips that.
	SHA256 string `json:"sha256,omitempty"`
	// SourceFormat and TargetFormat are what the file shall be converted from and to: a pair that the service
	// does not make is refused before anything is sent. Empty skips that.
	SourceFormat string `json:"source_format,omitempty"`
	TargetFormat string `json:"target_format,omitempty"`
}

// UploadFileResult is a file that the API holds.
type UploadFileResult struct {
	FileID   string `json:"file_id"`
	Size     int64  `json:"size"` // bytes
	SHA256   string `json:"sha256"`
	Attempts int    `json:"attempts"`
	Throttle
}

// UploadFile streams a file to the storage grant and confirms it.
//
// A retry repeats the calls under the same idempotency keys; a service that ignores them holds an
// orphan for an hour, which no job refers to. An upload that the service confirms with another size is sent anew, a few times.
func (a *Activities) UploadFile(ctx context.Context, in UploadFileInput) (UploadFileResult, error) {
	work, attempt := startAttempt(ctx, StepUpload)
	defer attempt.end()
	out, err := a.upload(work, in, attempt)
	if err != nil {
		return UploadFileResult{}, attempt.failed(work, StepUpload, err)
	}
	out.Throttle = attempt.throttle
	return out, nil
}

func (a *Activities) upload(ctx context.Context, in UploadFileInput, attempt *attempt) (UploadFileResult, error) {
	source, err := openSource(ctx, in.Source)
	if err != nil {
		return UploadFileResult{}, err
	}
	defer source.Close()
	if err := a.offered.check(ctx, in.SourceFormat, in.TargetFormat); err != nil {
		return UploadFileResult{}, err
	}
	key := idempotencyKey(ctx, StepUpload)
	if attempt.spoiled > 0 {
		// Under the same key the service would go by what it has.
		key += fmt.Sprintf("-%d", attempt.spoiled)
	}
	out, err := a.send(ctx, in, source, key, attempt)
	if client.IsExpiredGrant(err) {
		// Under the same key the service would hand out the same, spent grant.
		if err = source.rewind(ctx); err == nil {
			out, err = a.send(ctx, in, source, key+"-again", attempt)
		}
	}
	return out, err
}

func (a *Activities) send(ctx context.Context, in UploadFileInput, source *source, key string, attempt *attempt) (UploadFileResult, error) {
	hash := sha256.New()
	file, err := a.files.Upload(ctx, client.UploadParams{
		Name: in.Name, Size: source.size, ContentType: contentType(in.Name),
		Body: io.TeeReader(source, hash),
		OnProgress: func(sent int64) {
			attempt.set(Progress{Step: StepUpload, Bytes: sent, Percent: percent(sent, source.size)})
		},
	}, client.WithIdempotencyKey(key))
	switch {
	case err != nil && source.fault() != nil:
		return UploadFileResult{}, readError(in.Source, source.fault())
	case errors.Is(err, client.ErrBodySize):
		return UploadFileResult{}, inputChanged(in.Source)
	case errors.Is(err, client.ErrMismatch), client.IsSizeMismatch(err):
		return UploadFileResult{}, attempt.mismatch(CodeUploadMismatch, err.Error())
	case err != nil:
		return UploadFileResult{}, err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	switch in.SHA256 {
	case sum: // what was sent is what the run was started for, whatever has become of the file since
	case "":
		if err := source.unchanged(ctx); err != nil {
			return UploadFileResult{}, err
		}
	default:
		return UploadFileResult{}, inputChanged(in.Source)
	}
	return UploadFileResult{FileID: file.FileID, Size: source.size, SHA256: sum, Attempts: attemptOf(ctx)}, nil
}

func contentType(name string) string {
	if format, ok := client.FormatOf(name); ok {
		return client.ContentType(format)
	}
	return "application/octet-stream"
}

func percent(done, total int64) int {
	if total <= 0 {
		return 0
	}
	return int(min(done*100/total, 100))
}
