package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Files uploads, lists and deletes files.
type Files struct{ c *connection }

// File is an uploaded file.
type File struct {
	FileID      string    `json:"file_id"`
	Filename    string    `json:"filename"`
	Size        int64     `json:"size"` // bytes
	ContentType string    `json:"content_type"`
	CreatedAt   time.Time `json:"created_at"`
	JobID       *string   `json:"job_id"`
	IsInput     bool      `json:"is_input"`
}

var fileSizeNames = []string{"fileSize", "file_size", "size"}

// UnmarshalJSON reads a confirmed upload, a row of the file list, or the documented model.
func (m *File) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = File{
		FileID:      f.text("fileId", "file_id"),
		Filename:    f.text("fileName", "file_name", "filename"),
		Size:        f.whole(fileSizeNames...),
		ContentType: f.text("mimeType", "mime_type", "contentType", "content_type"),
		CreatedAt:   f.time("createdAt", "created_at"),
		JobID:       f.textPointer("jobId", "job_id"),
		IsInput:     f.flag(true, "isInput", "is_input"),
	}
	return f.err
}

// FileList is the account's durable files. Ordinary uploads are not among them.
type FileList struct {
	Files []File    `json:"files"`
	Usage FileUsage `json:"usage"`
}

// FileUsage is the account's storage, in bytes.
type FileUsage struct {
	UsedBytes int64 `json:"used_bytes"`
	FreeBytes int64 `json:"free_bytes"`
	OverQuota bool  `json:"over_quota"`
}

// UnmarshalJSON takes null for an empty list.
func (m *FileList) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = FileList{Files: []File{}}
	f.into(&m.Files, "files")
	f.into(&m.Usage, "usage")
	return f.err
}

// WirePresignRequest asks for a storage grant: POST /api/v1/upload/presign.
type WirePresignRequest struct {
	FileName    string `json:"fileName"`
	FileSize    int64  `json:"fileSize"` // bytes
	ContentType string `json:"contentType"`
}

// WirePresignReply is the storage grant. With Fields the upload is a multipart POST, without a PUT.
type WirePresignReply struct {
	UploadURL PresignedURL      `json:"uploadUrl"`
	Fields    map[string]string `json:"fields"`
	FileID    string            `json:"fileId"`
	S3Key     string            `json:"s3Key"`
	ExpiresIn int               `json:"expiresIn"` // seconds
}

// WireConfirmRequest declares an upload complete: POST /api/v1/upload/confirm.
type WireConfirmRequest struct {
	FileID      string `json:"fileId"`
	FileName    string `json:"fileName"`
	FileSize    int64  `json:"fileSize"`
	ContentType string `json:"contentType"`
	S3Key       string `json:"s3Key"`
}

// WireFile answers a confirmed upload.
type WireFile struct {
	FileID    string    `json:"fileId"`
	FileName  string    `json:"fileName"`
	FileSize  int64     `json:"fileSize"`
	MimeType  string    `json:"mimeType"`
	IsInput   bool      `json:"isInput"`
	JobID     *string   `json:"jobId"`
	CreatedAt time.Time `json:"createdAt"`
}

// WireStoredFile is one durable file of GET /api/v1/files, the snake_case exception of the API.
type WireStoredFile struct {
	FileID        string    `json:"file_id"`
	FileName      string    `json:"file_name"`
	FileSize      int64     `json:"file_size"`
	MimeType      string    `json:"mime_type"`
	FileExtension string    `json:"file_extension"`
	CreatedAt     time.Time `json:"created_at"`
}

// WireFileUsage is the storage account of GET /api/v1/files, in bytes.
type WireFileUsage struct {
	UsedBytes int64 `json:"used_bytes"`
	FreeBytes int64 `json:"free_bytes"`
	OverQuota bool  `json:"over_quota"`
}

// WireFileList answers GET /api/v1/files.
type WireFileList struct {
	Files []WireStoredFile `json:"files"`
	Usage WireFileUsage    `json:"usage"`
}

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
		return argumentf("name", "must not be empty")
	case p.Size <= 0:
		return argumentf("size", "%s is empty; the API takes no empty files", p.Name)
	case p.Size > MaxUploadBytes:
		return argumentf("size", "%s has %d bytes; the API takes %d at most", p.Name, p.Size, MaxUploadBytes)
	case p.Body == nil:
		return argumentf("body", "must not be nil for %s", p.Name)
	}
	return nil
}

// Upload presigns, streams the file to the storage, and confirms. Memory does not grow with the file. A confirmation of
// another size than was sent is ErrMismatch: send the file again, under another idempotency key.
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
		return nil, fmt.Errorf("confirm the upload: %w: %d bytes were sent and the service has %d", ErrMismatch, p.Size, stored.Size)
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
		return argumentf("file_id", "must not be empty")
	}
	return s.c.do(ctx, request{
		method: http.MethodDelete, route: PathFiles + "/{file_id}", path: PathFiles + "/" + url.PathEscape(fileID), options: newCallOptions(opts),
	}, nil)
}

// secrets are those of a storage grant.
func (g WirePresignReply) secrets() secrets {
	out := linkSecrets(g.UploadURL)
	for name, value := range g.Fields {
		if name != "key" && !strings.EqualFold(name, "Content-Type") {
			out = append(out, value)
		}
	}
	return out
}

// store writes the file under its grant: a form with the fields verbatim and the file last, or a plain PUT
// where no fields came. The key of the API never goes there. Nothing is sent twice.
func (c *connection) store(ctx context.Context, grant WirePresignReply, p UploadParams) error {
	if err := c.checkStorageURL(grant.UploadURL); err != nil {
		return &TransportError{Method: http.MethodPost, Route: routeStorageUpload, Err: err}
	}
	ctx, guard := newStallGuard(ctx)
	defer guard.stop()
	file := &countingReader{from: p.Body, size: p.Size, report: func(sent int64) {
		guard.moved()
		if p.OnProgress != nil {
			p.OnProgress(sent)
		}
	}}
	method, contentType, length := http.MethodPut, p.ContentType, p.Size
	var body io.Reader = file
	if len(grant.Fields) > 0 {
		form, err := newForm(grant.Fields, p)
		if err != nil {
			return err
		}
		method, contentType = http.MethodPost, form.contentType
		body, length = io.MultiReader(bytes.NewReader(form.head), file, bytes.NewReader(form.tail)), form.length(p.Size)
	}
	req, err := http.NewRequestWithContext(ctx, method, string(grant.UploadURL), body)
	if err != nil {
		return &TransportError{Method: method, Route: routeStorageUpload, Err: BareError(err)}
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", c.userAgent)
	started := time.Now()
	response, sent, err := send(c.storage, req)
	info := RequestInfo{Method: method, Route: routeStorageUpload, Attempt: 1, Duration: time.Since(started)}
	if err != nil {
		c.observe(info)
		if _, fault := file.leave(); fault != nil {
			err = fault
		}
		return &TransportError{Method: method, Route: routeStorageUpload, Sent: sent, Err: guard.cause(BareError(err))}
	}
	defer response.Body.Close() //nolint:errcheck // read as far as it matters
	info.Status = response.StatusCode
	c.observe(info)
	whole, fault := file.leave()
	if fault == nil && !whole {
		fault = errEarlyReply
	}
	if err := storageError(response, method, routeStorageUpload, codePrefixUpload, grant.secrets()); err != nil || fault == nil {
		return err
	}
	return &TransportError{Method: method, Route: routeStorageUpload, Sent: true, Err: fault}
}

// ErrBodySize is a file that had another size when it was read than was declared. It has changed meanwhile.
var ErrBodySize = errors.New("the size of the file is not the declared one")

var (
	errShortBody = fmt.Errorf("%w: it ended before", ErrBodySize)
	errLongBody  = fmt.Errorf("%w: it is longer", ErrBodySize)
	errBodyLeft  = errors.New("the upload is over")

	errEarlyReply = errors.New("the storage replied with success before it had the complete file")
)

// form is a multipart body around the file, whose length is known before it is sent.
type form struct {
	contentType string
	head, tail  []byte
}

func (f form) length(file int64) int64 { return int64(len(f.head)) + file + int64(len(f.tail)) }

func newForm(values map[string]string, p UploadParams) (form, error) {
	var buffer bytes.Buffer
	writer := multipart.NewWriter(&buffer)
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := writer.WriteField(name, values[name]); err != nil {
			return form{}, fmt.Errorf("build the upload form: %w", err)
		}
	}
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition("file", headerName(p.Name)))
	header.Set("Content-Type", headerName(p.ContentType))
	if _, err := writer.CreatePart(header); err != nil {
		return form{}, fmt.Errorf("build the upload form: %w", err)
	}
	head := bytes.Clone(buffer.Bytes())
	buffer.Reset()
	if err := writer.Close(); err != nil {
		return form{}, fmt.Errorf("build the upload form: %w", err)
	}
	return form{contentType: writer.FormDataContentType(), head: head, tail: buffer.Bytes()}, nil
}

// headerName is a file's name, or its type, as a header takes it. The service knows the file by the name that it was granted for.
func headerName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '_'
		}
		return r
	}, name)
}

// countingReader reports what has been read, and keeps the fault of the file apart from those of the network.
type countingReader struct {
	from   io.Reader
	size   int64
	report func(int64)

	mu   sync.Mutex
	read int64
	err  error
	left bool
}

// leave ends the reporting and tells the file's fault. A reply may come before all is sent, and net/http goes on
// reading for a moment then.
func (r *countingReader) leave() (whole bool, fault error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = true
	return r.read == r.size, r.err
}

func (r *countingReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	missing, left := r.size-r.read, r.left
	r.mu.Unlock()
	if left {
		return 0, errBodyLeft
	}
	var n int
	var err error
	if missing > 0 {
		n, err = r.from.Read(p[:min(int64(len(p)), missing)])
		if errors.Is(err, io.EOF) && int64(n) < missing {
			err = errShortBody
		}
	} else {
		err = r.end()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left {
		return 0, errBodyLeft
	}
	r.read += int64(n)
	if n > 0 {
		r.report(r.read)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// end makes sure that the file ends where it was declared to.
func (r *countingReader) end() error {
	var probe [1]byte
	if n, _ := io.ReadFull(r.from, probe[:]); n > 0 {
		return errLongBody
	}
	return io.EOF
}

// MaxUploadBytes is the largest file that is sent, 500 MiB, as in the vendor's SDK.
const MaxUploadBytes = 524_288_000
