package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
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
	// Pages and Options are what the conversion will be asked for: what the service does not take is refused likewise.
	Pages   string        `json:"pages,omitempty"`
	Options option.Values `json:"options,omitempty"`
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
// orphan for an hour, which no job refers to. An upload that the service confirms with another size is sent again, a few times.
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
	source, err := a.openSource(in.Source)
	if err != nil {
		return UploadFileResult{}, err
	}
	defer source.Close()
	if err := a.offered.check(ctx, client.CreateParams{
		SourceFormat: in.SourceFormat, TargetFormat: in.TargetFormat, PageRange: in.Pages, Options: in.Options,
	}); err != nil {
		return UploadFileResult{}, err
	}
	if err := a.offered.reads(ctx, in.Name, in.SourceFormat, in.TargetFormat); err != nil {
		return UploadFileResult{}, err
	}
	if _, err := a.withPasswords(in.Options); err != nil { // before anything is sent
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
		if err = source.rewind(); err == nil {
			out, err = a.send(ctx, in, source, key+"-again", attempt)
		}
	}
	return out, err
}

func (a *Activities) send(ctx context.Context, in UploadFileInput, source *sourceFile, key string, attempt *attempt) (UploadFileResult, error) {
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
		if err := source.unchanged(); err != nil {
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

// sourceFile is an input being read. It remembers the error that reading it gave, since the HTTP client that
// reads it on our behalf would report that as a failure of the network.
type sourceFile struct {
	url    string
	path   string
	size   int64
	opened fs.FileInfo

	mu   sync.Mutex // net/http may read for a moment after the upload is over
	file *os.File
	err  error
}

// openSource opens the file that a URL names; an empty or missing one is a final failure.
func (a *Activities) openSource(rawURL string) (*sourceFile, error) {
	path, err := a.source(rawURL)
	if err != nil {
		return nil, err
	}
	file, err := a.roots.OpenFile(path)
	if err != nil {
		var local *localError
		if err := rootsError(err, false); errors.As(err, &local) {
			return nil, local
		}
		return nil, readError(rawURL, err)
	}
	s := &sourceFile{url: rawURL, path: path, file: file}
	if s.opened, err = file.Stat(); err != nil {
		s.Close()
		return nil, readError(rawURL, err)
	}
	if !s.opened.Mode().IsRegular() {
		s.Close()
		return nil, inputChanged(rawURL)
	}
	if s.size = s.opened.Size(); s.size == 0 {
		s.Close()
		return nil, inputError(CodeInputEmpty, "%s is empty; there is nothing to convert", rawURL)
	}
	return s, nil
}

// rewind starts reading from the beginning, of the file that has been opened.
func (s *sourceFile) rewind() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return fs.ErrClosed
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return readError(s.url, err)
	}
	s.err = nil
	return nil
}

func (s *sourceFile) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return 0, fs.ErrClosed
	}
	n, err := s.file.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// fault is the error that reading gave.
func (s *sourceFile) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// unchanged is an error where the file is not the one that was opened.
func (s *sourceFile) unchanged() error {
	now, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return inputError(CodeInputMissing, "%s vanished while it was read; put it back and start again", s.url)
	case err != nil:
		return readError(s.url, err)
	case now.Size() != s.size || !now.ModTime().Equal(s.opened.ModTime()), !os.SameFile(s.opened, now):
		return inputChanged(s.url)
	}
	return nil
}

func inputChanged(rawURL string) error {
	return inputError(CodeInputChanged, "%s has changed since the run was started; start it again when nobody writes to it any more", rawURL)
}

func (s *sourceFile) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
