package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// MaxUploadBytes is the largest file that is sent, 500 MiB, as in the vendor's SDK.
const MaxUploadBytes = 524_288_000

// Files uploads, lists and deletes files.
type Files struct{ c *Client }

// UploadParams is one file to upload.
type UploadParams struct {
	Name        string
	Size        int64 // bytes; Body must have exactly so many
	ContentType string
	Body        io.Reader // read once, as it is sent
	// OnProgress gets the bytes sent so far; may be nil.
	OnProgress func(sent int64)
}

func (p UploadParams) check() error {
	switch {
	case p.Name == "":
		return argumentf("name", "the file needs one")
	case p.Size <= 0:
		return argumentf("size", "%s is empty; the API takes no empty files", p.Name)
	case p.Size > MaxUploadBytes:
		return argumentf("size", "%s has %d bytes; the API takes %d at most", p.Name, p.Size, MaxUploadBytes)
	case p.Body == nil:
		return argumentf("body", "%s has none", p.Name)
	}
	return nil
}

// Upload presigns, streams the file to the storage, and confirms. Memory does not grow with the file. A confirmation of
// another size than was sent is ErrNotAsAnnounced: send the file again, under another idempotency key.
func (s *Files) Upload(ctx context.Context, p UploadParams, opts ...CallOption) (*File, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if p.ContentType == "" {
		p.ContentType = "application/octet-stream"
	}
	options := newCallOptions(opts)
	var grant WirePresignReply
	err := s.c.do(ctx, request{
		method: http.MethodPost, route: PathUploadPresign, path: PathUploadPresign, options: options.part("presign"), harmless: true, // a grant that nobody uses
		body: WirePresignRequest{FileName: p.Name, FileSize: p.Size, ContentType: p.ContentType},
	}, &grant)
	if err != nil {
		return nil, fmt.Errorf("presign the upload: %w", err)
	}
	if err := s.c.store(ctx, grant, p); err != nil {
		return nil, fmt.Errorf("send the file: %w", err)
	}
	stored := new(storedFile)
	err = s.c.do(ctx, request{
		method: http.MethodPost, route: PathUploadConfirm, path: PathUploadConfirm, options: options.part("confirm"), harmless: true, // the second time changes nothing
		body: WireConfirmRequest{FileID: grant.FileID, FileName: p.Name, FileSize: p.Size, ContentType: p.ContentType, S3Key: grant.S3Key},
	}, stored)
	if err != nil {
		return nil, fmt.Errorf("confirm the upload: %w", err)
	}
	if stored.sized && stored.Size != p.Size {
		return nil, fmt.Errorf("confirm the upload: %w: %d bytes were sent and the service has %d", ErrNotAsAnnounced, p.Size, stored.Size)
	}
	return &stored.File, nil
}

// storedFile is a confirmed upload that tells 0 bytes from none told.
type storedFile struct {
	File
	sized bool
}

func (m *storedFile) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	_, m.sized = f.wholeIfAny(fileSizeNames...)
	return json.Unmarshal(data, &m.File)
}

// part derives the key of one request from that of the whole call.
func (o callOptions) part(name string) callOptions {
	if o.idempotencyKey != "" {
		o.idempotencyKey += "-" + name
	}
	return o
}

// UploadFile uploads a file from disk under its own name.
func (s *Files) UploadFile(ctx context.Context, path string, opts ...CallOption) (*File, error) {
	file, err := os.Open(path) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, fmt.Errorf("open the file to upload: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at the file to upload: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, argumentf("path", "%s is not a regular file", path)
	}
	format, _ := FormatOf(path)
	return s.Upload(ctx, UploadParams{Name: filepath.Base(path), Size: info.Size(), ContentType: ContentType(format), Body: file}, opts...)
}

// List lists the account's durable files: GET /api/v1/files.
func (s *Files) List(ctx context.Context) (*FileList, error) {
	list := new(FileList)
	return list, s.c.do(ctx, request{method: http.MethodGet, route: PathFiles, path: PathFiles}, list)
}

// Delete deletes a file: DELETE /api/v1/files/{file_id}. IsFileInUse tells that a running job holds it.
func (s *Files) Delete(ctx context.Context, fileID string, opts ...CallOption) error {
	if fileID == "" {
		return argumentf("file_id", "it is missing")
	}
	return s.c.do(ctx, request{
		method: http.MethodDelete, route: PathFiles + "/{file_id}", path: PathFiles + "/" + url.PathEscape(fileID), options: newCallOptions(opts),
	}, nil)
}
