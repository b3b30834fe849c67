package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"

	"github.com/convilyn/convilyn-temporal/backend/store"
)

const (
	fieldLimit  = 64 << 10 // bytes of one form field
	fieldsLimit = 32       // fields before the file
)

// storageRefusal is an error in the storage's own language.
type storageRefusal struct {
	status        int
	code, message string
}

func (e *storageRefusal) Error() string { return e.code + ": " + e.message }

func deny(status int, code, message string) error {
	return &storageRefusal{status: status, code: code, message: message}
}

// cutOff is what a body that could not be read comes to; one that came too slowly may be sent again.
func cutOff(err error, code, message string) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return deny(http.StatusRequestTimeout, "RequestTimeout", "The upload came too slowly.")
	}
	return deny(http.StatusBadRequest, code, message)
}

func (s *server) failStorage(w http.ResponseWriter, r *http.Request, err error) {
	var known *storageRefusal
	if !errors.As(err, &known) {
		s.logFailure(r, err)
		known = &storageRefusal{status: http.StatusInternalServerError, code: "InternalError", message: "The storage failed."}
		if store.Full(err) {
			known = &storageRefusal{status: http.StatusInsufficientStorage, code: "InsufficientStorage", message: noSpace}
		}
	}
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: known.code, Message: known.message})
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(known.status)
	_, _ = w.Write(body)
}

// storeUpload takes the form of a grant. What follows the file in it is ignored, as the hosted storage does.
// A grant may be used again until the upload is confirmed; the last one counts.
func (s *server) storeUpload(w http.ResponseWriter, r *http.Request) {
	if err := s.storeForm(r); err != nil {
		s.failStorage(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) storeForm(r *http.Request) error {
	if r.ContentLength < 0 {
		return deny(http.StatusNotImplemented, "NotImplemented", "An upload needs a Content-Length.")
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return deny(http.StatusPreconditionFailed, "PreconditionFailed", "An upload is a multipart/form-data form.")
	}
	fields := map[string]string{}
	reader := multipart.NewReader(r.Body, params["boundary"])
	for range fieldsLimit {
		part, err := reader.NextRawPart()
		if err != nil {
			return cutOff(err, "MalformedPOSTRequest", "The form has no file.")
		}
		if part.FormName() == "file" {
			return s.storeFile(r, fields, part)
		}
		value, err := io.ReadAll(io.LimitReader(part, fieldLimit+1))
		if err != nil || len(value) > fieldLimit {
			return cutOff(err, "MalformedPOSTRequest", "A form field is too long or cut off.")
		}
		fields[part.FormName()] = string(value)
	}
	return deny(http.StatusBadRequest, "MalformedPOSTRequest", "The form has too many fields before the file.")
}

func (s *server) storeFile(r *http.Request, fields map[string]string, body io.Reader) error {
	g, err := s.signer.grantOf(fields, s.cfg.Now())
	if err != nil {
		return deny(http.StatusForbidden, err.Error(), "The grant is forged, altered or has expired.")
	}
	unlock := s.store.LockUpload(g.FileID)
	defer unlock()
	open, err := s.usable(r.Context(), g)
	if err != nil {
		return err
	}
	if !open {
		// A repeat whose first reply was lost.
		_, _ = io.Copy(io.Discard, io.LimitReader(body, g.MaxSize))
		return nil
	}
	err = s.writeInput(r.Context(), g, body)
	if store.Full(err) {
		// Who is cut off while it sends hears of a broken pipe, and not why.
		_, _ = io.Copy(io.Discard, io.LimitReader(body, g.MaxSize))
	}
	return err
}

// usable reports whether a grant still has an effect.
func (s *server) usable(ctx context.Context, g grant) (bool, error) {
	open, err := s.store.AwaitsContent(ctx, g.FileID)
	if errors.Is(err, store.ErrFileGone) {
		err = deny(http.StatusForbidden, "AccessDenied", "The grant is for a file that is gone.")
	}
	return open, err
}

func (s *server) writeInput(ctx context.Context, g grant, body io.Reader) (err error) {
	upload, err := s.store.NewUpload(g.FileID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, upload.Discard()) }() // nothing, where it was kept

	n, err := io.Copy(upload, io.LimitReader(body, g.MaxSize+1))
	var ours *fs.PathError
	if errors.As(err, &ours) {
		return fmt.Errorf("store an upload: %w", err)
	}
	if err != nil {
		return cutOff(err, "IncompleteBody", "The upload was cut off.")
	}
	if n > g.MaxSize {
		return deny(http.StatusBadRequest, "EntityTooLarge", "The file is larger than its grant.")
	}
	if n == 0 {
		return deny(http.StatusBadRequest, "EntityTooSmall", "The file is empty.")
	}

	// The body may have taken its time, and another may have been confirmed meanwhile.
	err = upload.Keep(ctx)
	if errors.Is(err, store.ErrFileGone) {
		err = deny(http.StatusForbidden, "AccessDenied", "The grant is for a file that is gone.")
	}
	return err
}

// serveResult serves a result file by its signed link, with ranges.
func (s *server) serveResult(w http.ResponseWriter, r *http.Request) {
	if err := s.signer.checkResultLink(r.URL, s.cfg.Now()); err != nil {
		s.failStorage(w, r, deny(http.StatusForbidden, err.Error(), "The link is forged, altered or has expired."))
		return
	}
	results, err := s.store.Results(r.Context(), r.PathValue("job_id"))
	if err != nil {
		s.failStorage(w, r, err)
		return
	}
	index, err := strconv.Atoi(r.PathValue("index"))
	if err != nil || index < 0 || index >= len(results) {
		s.failStorage(w, r, deny(http.StatusNotFound, "NoSuchKey", "The result is gone."))
		return
	}
	result := results[index]
	s.serveStored(w, r, s.store.ResultPath(r.PathValue("job_id"), result), result)
}

// serveStored sends a file of the service with what its record says of it.
func (s *server) serveStored(w http.ResponseWriter, r *http.Request, path string, result store.Result) {
	file, err := os.Open(path) //nolint:gosec // the record says where, inside the data folder
	if err != nil {
		s.failStorage(w, r, deny(http.StatusNotFound, "NoSuchKey", "The result is gone."))
		return
	}
	defer file.Close() //nolint:errcheck // read only
	w.Header().Set("Content-Type", result.Mimetype)
	w.Header().Set("ETag", `"`+result.SHA256+`"`)
	if sum, err := hex.DecodeString(result.SHA256); err == nil && len(sum) > 0 {
		w = &digestWriter{ResponseWriter: w, digest: "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"}
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", attachment(result.Filename))
	info, err := file.Stat()
	if err != nil {
		s.failStorage(w, r, fmt.Errorf("serve a result: %w", err))
		return
	}
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// digestWriter sends the SHA-256 of a file with the file (RFC 9530): of all of it, also where a range is sent, and not
// with an error.
type digestWriter struct {
	http.ResponseWriter
	digest string
}

func (w *digestWriter) WriteHeader(status int) {
	if status == http.StatusOK || status == http.StatusPartialContent {
		w.Header().Set("Repr-Digest", w.digest)
	}
	w.ResponseWriter.WriteHeader(status)
}

// attachment has a browser save what it gets under this name, which is escaped as far as a header takes it.
func attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}
