package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	routeStorageUpload   = "(storage upload)"
	routeStorageDownload = "(storage download)"
)

// ErrBodySize is a file that had another size when it was read than was declared. It has changed meanwhile.
var ErrBodySize = errors.New("the file has not the size that was declared")

var (
	errShortBody = fmt.Errorf("%w: it ended before", ErrBodySize)
	errLongBody  = fmt.Errorf("%w: it is longer", ErrBodySize)
	errBodyLeft  = errors.New("the upload is over")

	errEarlyReply = errors.New("the storage said yes before it had the whole file")
)

// store writes the file under its grant: a form with the fields verbatim and the file last, or a plain PUT
// where no fields came. The key of the API never goes there. Nothing is sent twice.
func (c *Client) store(ctx context.Context, grant WirePresignReply, p UploadParams) error {
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

// storageError makes an *APIError of a refusal. The storage's XML is named by its code and message alone.
func storageError(response *http.Response, method, route, codePrefix string, hide secrets) error {
	if response.StatusCode < http.StatusMultipleChoices {
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, errorLimit))
		return nil
	}
	if response.StatusCode < http.StatusBadRequest {
		return &TransportError{Method: method, Route: route, Sent: true, Err: errRedirect}
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, errorLimit))
	message := reasonPhrase(response.StatusCode)
	if code, text := xmlElement(body, "Code"), xmlElement(body, "Message"); code != "" {
		message = hide.clean(strings.TrimSpace(code + ": " + text))
	}
	return &APIError{
		Status: response.StatusCode, Code: fmt.Sprintf("%s%d", codePrefix, response.StatusCode), Message: message,
		Details: map[string]any{}, Method: method, Route: route, Attempts: 1, RetryAfter: retryAfter(response.Header),
	}
}

// xmlElement takes the text of the first such element; a parser would be more than a two-line error needs.
func xmlElement(body []byte, name string) string {
	_, rest, found := bytes.Cut(body, []byte("<"+name+">"))
	if !found {
		return ""
	}
	text, _, found := bytes.Cut(rest, []byte("</"+name+">"))
	if !found || len(text) > 300 {
		return ""
	}
	return string(text)
}

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
