package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// DefaultMaxDownloadBytes is the cap on one result file, 2 GiB, as in the vendor's SDK.
const DefaultMaxDownloadBytes = 2 << 30

// Faults of a download that no retry mends.
var (
	ErrTooLarge      = errors.New("the result is larger than the limit")
	ErrSymlinkTarget = errors.New("the output path is a symbolic link")
)

// Downloaded is a result file on disk.
type Downloaded struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`   // bytes
	SHA256   string `json:"sha256"` // hex
	Mimetype string `json:"mimetype"`
}

// FetchOptions say where the bytes go.
type FetchOptions struct {
	// PartPath is where the file grows. Called again with the same path, Fetch goes on where it stopped, as
	// long as the service still has the same content (by ETag).
	PartPath string
	MaxBytes int64 // DefaultMaxDownloadBytes if 0
	// OnProgress gets the bytes that the part has; may be nil.
	OnProgress func(received int64)
}

// DownloadOptions say where the file goes.
type DownloadOptions struct {
	Path       string
	Overwrite  bool // of an existing file; a symbolic link is always refused
	MaxBytes   int64
	OnProgress func(received int64)
}

// Download fetches a result file and puts it in place, whole or not at all.
func (s *Convert) Download(ctx context.Context, file ResultFile, o DownloadOptions) (*Downloaded, error) {
	if err := checkPlace(o.Path, o.Overwrite); err != nil {
		return nil, err
	}
	part := filepath.Join(filepath.Dir(o.Path), ".convilyn-"+uuid.NewString()+".part")
	defer RemovePart(part) //nolint:errcheck // gone already when all went well
	got, err := s.Fetch(ctx, file, FetchOptions{PartPath: part, MaxBytes: o.MaxBytes, OnProgress: o.OnProgress})
	if err != nil {
		return nil, err
	}
	if err := Place(part, o.Path, o.Overwrite); err != nil {
		return nil, err
	}
	got.Path = o.Path
	return got, nil
}

// Fetch brings a result file into a part file, verified and on stable storage; Place puts it where it belongs.
func (s *Convert) Fetch(ctx context.Context, file ResultFile, o FetchOptions) (*Downloaded, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxDownloadBytes
	}
	if file.Size > o.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, file.Size, o.MaxBytes)
	}
	if err := s.c.checkStorageURL(file.URL); err != nil {
		return nil, &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Err: err}
	}
	part, err := openPart(o.PartPath, file.Size)
	if err != nil {
		return nil, err
	}
	defer part.close()
	contentType, err := s.c.fill(ctx, part, file, o)
	if err != nil {
		return nil, err
	}
	if err := part.sync(); err != nil {
		return nil, err
	}
	mimetype := file.Mimetype
	if mimetype == "" {
		mimetype, _, _ = strings.Cut(contentType, ";")
	}
	return &Downloaded{Path: o.PartPath, Size: part.size, SHA256: hex.EncodeToString(part.hash.Sum(nil)), Mimetype: mimetype}, nil
}

// fill gets what the part lacks, or all of it where the content has changed.
func (c *Client) fill(ctx context.Context, part *part, file ResultFile, o FetchOptions) (contentType string, err error) {
	ctx, guard := newStallGuard(ctx)
	defer guard.stop()
	response, err := c.get(ctx, file.URL, part)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end or given up
	switch {
	case response.StatusCode == http.StatusPartialContent && part.size > 0:
		if start := fmt.Sprintf("bytes %d-", part.size); !strings.HasPrefix(response.Header.Get("Content-Range"), start) {
			return "", part.spoiled("the service sent another range than was asked for")
		}
	case response.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return "", part.spoiled("the part does not fit the file")
	case response.StatusCode >= http.StatusMultipleChoices:
		return "", storageError(response, http.MethodGet, routeStorageDownload, codePrefixDownload)
	default:
		if err := part.restart(response.Header.Get("ETag")); err != nil {
			return "", err
		}
	}
	return response.Header.Get("Content-Type"), c.copyBody(part, response, file, o, guard)
}

func (c *Client) get(ctx context.Context, link PresignedURL, part *part) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(link), http.NoBody)
	if err != nil {
		return nil, &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Err: bare(err)}
	}
	req.Header.Set("User-Agent", c.userAgent)
	if part.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", part.size))
		req.Header.Set("If-Range", part.etag)
	}
	started := time.Now()
	response, sent, err := send(c.storage, req)
	info := RequestInfo{Method: http.MethodGet, Route: routeStorageDownload, Attempt: 1, Duration: time.Since(started)}
	if err != nil {
		c.observe(info)
		return nil, &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Sent: sent, Err: bare(err)}
	}
	info.Status = response.StatusCode
	c.observe(info)
	return response, nil
}

func (c *Client) copyBody(part *part, response *http.Response, file ResultFile, o FetchOptions, guard *stallGuard) error {
	if response.StatusCode == http.StatusOK && response.ContentLength == 0 && file.Size > 0 {
		return errCut
	}
	expected := int64(-1)
	if response.ContentLength >= 0 {
		expected = part.size + response.ContentLength
	}
	err := part.copy(io.LimitReader(response.Body, o.MaxBytes-part.size+1), func(size int64) {
		guard.moved()
		if o.OnProgress != nil {
			o.OnProgress(size)
		}
	})
	switch {
	case errors.Is(err, errPartWrite):
		return err
	case err != nil:
		return &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Sent: true, Err: guard.cause(err)}
	case part.size > o.MaxBytes:
		_ = part.spoiled("")
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, o.MaxBytes)
	case expected >= 0 && part.size != expected:
		return errCut
	case file.Size > 0 && part.size != file.Size:
		return part.spoiled(fmt.Sprintf("the service announced %d bytes and sent %d", file.Size, part.size))
	}
	return nil
}

var errCut = &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Sent: true, Err: errors.New("the download ended too early")}

// part is a file that grows over several attempts, with the hash of what it has.
type part struct {
	file *os.File
	path string
	size int64
	etag string
	hash hash.Hash
}

var errPartWrite = errors.New("write the download to disk")

func etagPath(path string) string { return path + ".etag" }

// openPart takes up what an earlier attempt left, if it is known which content it belongs to. A part that is
// as long as the file keeps all but its last byte, so that there is something to ask for by ETag.
func openPart(path string, fileSize int64) (*part, error) {
	file, err := createPart(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPartWrite, err)
	}
	p := &part{file: file, path: path, hash: sha256.New()}
	etag, err := os.ReadFile(etagPath(path))
	if err != nil || len(etag) == 0 {
		return p, nil //nolint:nilerr // without it the part is fetched anew
	}
	info, err := file.Stat()
	if err != nil {
		p.close()
		return nil, fmt.Errorf("%w: %w", errPartWrite, err)
	}
	keep := info.Size()
	if fileSize > 0 {
		keep = min(keep, fileSize-1)
	}
	if _, err := io.CopyN(p.hash, file, keep); err != nil {
		p.close()
		return nil, fmt.Errorf("read the part of an earlier attempt: %w", err)
	}
	p.size, p.etag = keep, string(etag)
	return p, nil
}

// createPart opens a part. One that is some other file by another name, too, is left to that name: a part is cut to
// nothing before it is written.
func createPart(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o666) //nolint:gosec // becomes the user's output, under the umask
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no regular file; remove it", path), file.Close())
	}
	if stat, known := info.Sys().(*syscall.Stat_t); !known || stat.Nlink <= 1 {
		return file, nil
	}
	if err := errors.Join(file.Close(), ignoreMissing(os.Remove(path))); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|noFollow, 0o666) //nolint:gosec // as above
}

func (p *part) close() { _ = p.file.Close() }

// restart begins anew with content of this ETag; a weak one cannot vouch for bytes and so is not kept.
func (p *part) restart(etag string) error {
	p.size, p.etag = 0, ""
	p.hash.Reset()
	if err := p.file.Truncate(0); err != nil {
		return fmt.Errorf("%w: %w", errPartWrite, err)
	}
	if etag == "" || strings.HasPrefix(etag, "W/") {
		return ignoreMissing(os.Remove(etagPath(p.path)))
	}
	if err := writeNew(etagPath(p.path), []byte(etag)); err != nil {
		return fmt.Errorf("%w: %w", errPartWrite, err)
	}
	p.etag = etag
	return nil
}

// writeNew writes a file of its own in the place of what is there, and never through a link that somebody has put there.
func writeNew(path string, data []byte) error {
	if err := ignoreMissing(os.Remove(path)); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|noFollow, 0o600) //nolint:gosec // beside the part
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// spoiled drops the part, so that the next attempt starts from nothing.
func (p *part) spoiled(why string) error {
	_ = p.restart("")
	return &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Sent: true, Err: errors.New(why)}
}

func (p *part) copy(from io.Reader, moved func(size int64)) error {
	if _, err := p.file.Seek(p.size, io.SeekStart); err != nil {
		return fmt.Errorf("%w: %w", errPartWrite, err)
	}
	buffer := make([]byte, 64<<10)
	for {
		n, readErr := from.Read(buffer)
		if n > 0 {
			if _, err := p.file.Write(buffer[:n]); err != nil {
				return fmt.Errorf("%w: %w", errPartWrite, err)
			}
			p.hash.Write(buffer[:n])
			p.size += int64(n)
			moved(p.size)
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

// sync cuts what a longer part may have held, and reaches the disk.
func (p *part) sync() error {
	if err := errors.Join(p.file.Truncate(p.size), p.file.Sync()); err != nil {
		return fmt.Errorf("%w: %w", errPartWrite, err)
	}
	return nil
}

// Open streams a result file, for those who pass it on. It is not resumed, and not verified; the caller closes it.
func (s *Convert) Open(ctx context.Context, file ResultFile) (io.ReadCloser, error) {
	if err := s.c.checkStorageURL(file.URL); err != nil {
		return nil, &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Err: err}
	}
	response, err := s.c.get(ctx, file.URL, &part{})
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		defer response.Body.Close() //nolint:errcheck // read as far as it matters
		return nil, storageError(response, http.MethodGet, routeStorageDownload, codePrefixDownload)
	}
	return response.Body, nil
}
