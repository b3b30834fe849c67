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
	"time"
	"unicode"
)

const (
	routeStorageUpload   = "(storage upload)"
	routeStorageDownload = "(storage download)"
	storageErrorLimit    = 64 << 10
)

var (
	errShortBody = errors.New("the file ended before the size that was declared")
	errLongBody  = errors.New("the file is longer than the size that was declared")
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
		return &TransportError{Method: method, Route: routeStorageUpload, Err: bare(err)}
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", c.userAgent)
	started := time.Now()
	response, sent, err := send(c.storage, req)
	info := RequestInfo{Method: method, Route: routeStorageUpload, Attempt: 1, Duration: time.Since(started)}
	if err != nil {
		c.observe(info)
		if file.err != nil {
			err = file.err
		}
		return &TransportError{Method: method, Route: routeStorageUpload, Sent: sent, Err: guard.cause(bare(err))}
	}
	defer response.Body.Close() //nolint:errcheck // read as far as it matters
	info.Status = response.StatusCode
	c.observe(info)
	return storageError(response, method, routeStorageUpload, codePrefixUpload)
}

// storageError makes an *APIError of a refusal. The storage's XML is named by its code and message alone.
func storageError(response *http.Response, method, route, codePrefix string) error {
	if response.StatusCode < http.StatusMultipleChoices {
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, storageErrorLimit))
		return nil
	}
	if response.StatusCode < http.StatusBadRequest {
		return &TransportError{Method: method, Route: route, Sent: true, Err: errRedirect}
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, storageErrorLimit))
	message := reasonPhrase(response.StatusCode)
	if code, text := xmlElement(body, "Code"), xmlElement(body, "Message"); code != "" {
		message = strings.TrimSpace(code + ": " + text)
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
	read   int64
	size   int64
	report func(int64)
	err    error
}

func (r *countingReader) Read(p []byte) (int, error) {
	if r.read == r.size {
		return 0, r.end()
	}
	n, err := r.from.Read(p[:min(int64(len(p)), r.size-r.read)])
	r.read += int64(n)
	if n > 0 {
		r.report(r.read)
	}
	if errors.Is(err, io.EOF) && r.read < r.size {
		err = errShortBody
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
		r.err = errLongBody
		return errLongBody
	}
	return io.EOF
}
