package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
)

// DefaultMaxDownloadBytes is the cap on one result file, 2 GiB, as in the vendor's SDK.
const DefaultMaxDownloadBytes = 2 << 30

// ErrTooLarge is a result that is larger than the caller takes. No retry helps.
var ErrTooLarge = errors.New("the result is larger than the limit")

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
	// long as the service still has the same content (by ETag) and the part is still what was fetched (by SHA-256).
	PartPath string
	// Folder has the part, and PartPath is a name in it then: nothing is written elsewhere, whatever becomes of the folder's path
	// meanwhile. nil where PartPath is a path.
	Folder   *os.Root
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

func (c *connection) download(ctx context.Context, file ResultFile, o DownloadOptions) (*Downloaded, error) {
	root, err := os.OpenRoot(filepath.Dir(o.Path))
	if err != nil {
		return nil, fmt.Errorf("open the output folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // holds the folder only
	in, name := held{root}, filepath.Base(o.Path)
	if err := checkPlace(in, name, o.Overwrite); err != nil {
		return nil, err
	}

	part := ".convilyn-" + uuid.NewString() + ".part"
	defer removePart(in, part) //nolint:errcheck // gone already when all went well
	got, err := c.fetch(ctx, file, FetchOptions{Folder: root, PartPath: part, MaxBytes: o.MaxBytes, OnProgress: o.OnProgress})
	if err != nil {
		return nil, err
	}
	if err := place(in, part, name, o.Overwrite); err != nil {
		return nil, err
	}
	got.Path = o.Path
	return got, nil
}

func (c *connection) fetch(ctx context.Context, file ResultFile, o FetchOptions) (*Downloaded, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxDownloadBytes
	}
	if file.Size > o.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, file.Size, o.MaxBytes)
	}
	if err := c.checkStorageURL(file.URL); err != nil {
		return nil, &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Err: err}
	}
	part, err := openPart(folderOf(o.Folder), o.PartPath, file.Size)
	if err != nil {
		return nil, err
	}
	defer part.close()
	contentType, err := c.fill(ctx, part, file, o)
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

func (c *connection) open(ctx context.Context, file ResultFile) (io.ReadCloser, error) {
	if err := c.checkStorageURL(file.URL); err != nil {
		return nil, &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Err: err}
	}
	response, err := c.get(ctx, file.URL, &partFile{})
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		defer response.Body.Close() //nolint:errcheck // read as far as it matters
		return nil, storageError(response, http.MethodGet, routeStorageDownload, codePrefixDownload, linkSecrets(file.URL))
	}
	return newCheckedBody(response.Body, promised(response)), nil
}

// fill gets what the part lacks, or all of it where the content has changed.
func (c *connection) fill(ctx context.Context, part *partFile, file ResultFile, o FetchOptions) (contentType string, err error) {
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
			return "", part.reject(errors.New("the service sent another range than was asked for"))
		}
		if etag := response.Header.Get("ETag"); etag != "" && etag != part.etag {
			return "", part.reject(errors.New("the content has changed since the download began"))
		}
	case response.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return "", part.reject(errors.New("the part does not fit the file"))
	case response.StatusCode >= http.StatusMultipleChoices:
		return "", storageError(response, http.MethodGet, routeStorageDownload, codePrefixDownload, linkSecrets(file.URL))
	default:
		if err := part.restart(response.Header.Get("ETag"), promised(response)); err != nil {
			return "", err
		}
	}
	return response.Header.Get("Content-Type"), c.copyBody(part, response, file, o, guard)
}

func (c *connection) get(ctx context.Context, link PresignedURL, part *partFile) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(link), http.NoBody)
	if err != nil {
		return nil, &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Err: BareError(err)}
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
		return nil, &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Sent: sent, Err: BareError(err)}
	}
	info.Status = response.StatusCode
	c.observe(info)
	return response, nil
}

func (c *connection) copyBody(part *partFile, response *http.Response, file ResultFile, o FetchOptions, guard *stallGuard) error {
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
		_ = part.restart("", nil)
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, o.MaxBytes)
	case expected >= 0 && part.size != expected:
		return errCut
	case file.Size > 0 && part.size != file.Size:
		return part.reject(fmt.Errorf("%w: the service announced %d bytes and sent %d", ErrMismatch, file.Size, part.size))
	}
	if fault := keeps(append(promised(response), part.promised...), part.hash.Sum(nil)); fault != nil {
		return part.reject(fault)
	}
	return nil
}

var errCut = &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Sent: true, Err: errors.New("the download ended too early")}
