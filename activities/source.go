package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // inputs by file:// URLs
	"gocloud.dev/gcerrors"
)

// source is an input being read. It remembers the error that reading it gave, since the HTTP client that
// reads it on our behalf would report that as a failure of the network.
type source struct {
	url     string
	bucket  *blob.Bucket
	key     string
	reader  *blob.Reader
	size    int64
	modTime time.Time
	err     error
}

// openSource opens the object that a URL names; an empty or missing one is a final failure.
func openSource(ctx context.Context, rawURL string) (*source, error) {
	bucket, key, err := openBucket(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	s := &source{url: rawURL, bucket: bucket, key: key}
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
	key := path.Base(u.Path)
	u.Path, u.RawPath = path.Dir(u.Path), ""
	bucket, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, "", inputError(CodeInputMissing, "%s does not exist", rawURL)
		}
		return nil, "", fmt.Errorf("open the folder of %s: %w", rawURL, err)
	}
	return bucket, key, nil
}

// rewind starts reading from the beginning.
func (s *source) rewind(ctx context.Context) error {
	if s.reader != nil {
		_ = s.reader.Close()
		s.reader, s.err = nil, nil
	}
	reader, err := s.bucket.NewReader(ctx, s.key, nil)
	switch {
	case err == nil:
		s.reader = reader
		return nil
	case gcerrors.Code(err) == gcerrors.NotFound:
		return inputError(CodeInputMissing, "%s does not exist", s.url)
	case gcerrors.Code(err) == gcerrors.PermissionDenied, errors.Is(err, fs.ErrPermission):
		return inputError(CodeInputUnreadable, "%s may not be read by the worker", s.url)
	default:
		return fmt.Errorf("open %s: %w", s.url, err)
	}
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// changed says that the object is not the one that was opened.
func (s *source) changed(ctx context.Context) bool {
	now, err := s.bucket.Attributes(ctx, s.key)
	return err != nil || now.Size != s.size || !now.ModTime.Equal(s.modTime)
}

func (s *source) Close() {
	if s.reader != nil {
		_ = s.reader.Close()
	}
	_ = s.bucket.Close()
}
