package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"sync"
	"syscall"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"

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

// sourceFile is an input being read. It remembers the error that reading it gave, since the HTTP client that
// reads it on our behalf would report that as a failure of the network.
type sourceFile struct {
	url     string
	bucket  *blob.Bucket
	key     string
	size    int64
	modTime time.Time
	file    fs.FileInfo // of the file that was opened; nil where it is no local one

	mu     sync.Mutex // net/http may read for a moment after the upload is over
	reader *blob.Reader
	err    error
}

// openSource opens the object that a URL names; an empty or missing one is a final failure.
func openSource(ctx context.Context, rawURL string) (*sourceFile, error) {
	bucket, key, err := openBucket(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	s := &sourceFile{url: rawURL, bucket: bucket, key: key}
	if err := s.rewind(ctx); err != nil {
		_ = bucket.Close()
		return nil, err
	}
	s.size, s.modTime = s.reader.Size(), s.reader.ModTime()
	if s.size == 0 {
		s.Close()
		return nil, inputError(CodeInputEmpty, "%s is empty; there is nothing to convert", rawURL)
	}
	return s, nil
}

func openBucket(ctx context.Context, rawURL string) (*blob.Bucket, string, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme == "" || path.Base(u.Path) == "/" {
		return nil, "", inputError(CodeBadArgument, "%q is not the URL of a file", rawURL)
	}
	if u.Scheme == "file" {
		if err := checkLocal(rawURL, u.Path); err != nil {
			return nil, "", err
		}
	}
	key := path.Base(u.Path)
	u.Path, u.RawPath = path.Dir(u.Path), ""
	bucket, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, "", inputMissing(rawURL)
		}
		return nil, "", fmt.Errorf("open the folder of %s: %w", rawURL, err)
	}
	return bucket, key, nil
}

// checkLocal refuses what is no regular file before anything opens it: a pipe would wait for its writer for ever.
func checkLocal(rawURL, localPath string) error {
	info, err := os.Stat(localPath)
	if err != nil {
		return readError(rawURL, err)
	}
	for mode, kind := range map[fs.FileMode]string{
		fs.ModeDir: "a folder", fs.ModeNamedPipe: "a pipe", fs.ModeSocket: "a socket", fs.ModeDevice: "a device",
	} {
		if info.Mode()&mode != 0 {
			return inputError(CodeInputUnreadable, "%s is %s; only regular files are converted", rawURL, kind)
		}
	}
	return nil
}

func inputMissing(rawURL string) error {
	return inputError(CodeInputMissing, "%s does not exist; put it there and start again", rawURL)
}

// readError separates what somebody has to fix from what may pass, as with a network file system.
func readError(rawURL string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), gcerrors.Code(err) == gcerrors.NotFound:
		return inputMissing(rawURL)
	case errors.Is(err, fs.ErrPermission), gcerrors.Code(err) == gcerrors.PermissionDenied:
		return inputError(CodeInputUnreadable, "%s may not be read by the worker; make it readable and start again", rawURL)
	case errors.Is(err, syscall.ELOOP):
		return inputError(CodeInputUnreadable, "%s is a link that leads back to itself; name the file", rawURL)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return inputError(CodeInputUnreadable, "%s has too long a name; rename it", rawURL)
	case errors.Is(err, syscall.EIO):
		return inputError(CodeInputUnreadable, "%s cannot be read: %v; see to its disk and start again", rawURL, syscall.EIO)
	default:
		return &localError{
			kind: FailureUnavailable, code: CodeInputUnreadable, retry: true,
			text: fmt.Sprintf("%s cannot be read: %v; the step goes on when it can", rawURL, rootCause(err)),
		}
	}
}

// rewind starts reading from the beginning.
func (s *sourceFile) rewind(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader != nil {
		_ = s.reader.Close()
		s.reader, s.err = nil, nil
	}
	reader, err := s.bucket.NewReader(ctx, s.key, &blob.ReaderOptions{BeforeRead: s.look})
	if err != nil {
		return readError(s.url, err)
	}
	s.reader = reader
	return nil
}

// look notes which file was opened.
func (s *sourceFile) look(as func(any) bool) error {
	var file *os.File
	if !as(&file) {
		return nil
	}
	info, err := file.Stat()
	s.file = info
	return err
}

func (s *sourceFile) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader == nil {
		return 0, fs.ErrClosed
	}
	n, err := s.reader.Read(p)
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

// unchanged is an error where the object is not the one that was opened.
func (s *sourceFile) unchanged(ctx context.Context) error {
	now, err := s.bucket.Attributes(ctx, s.key)
	var file fs.FileInfo
	switch {
	case gcerrors.Code(err) == gcerrors.NotFound:
		return inputError(CodeInputMissing, "%s vanished while it was read; put it back and start again", s.url)
	case err != nil:
		return readError(s.url, err)
	case now.Size != s.size || !now.ModTime.Equal(s.modTime), s.file != nil && now.As(&file) && !os.SameFile(s.file, file):
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
	if s.reader != nil {
		_ = s.reader.Close()
		s.reader = nil
	}
	_ = s.bucket.Close()
}
