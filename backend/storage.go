package backend

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
	"path/filepath"
	"strconv"
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

func (s *Service) failStorage(w http.ResponseWriter, r *http.Request, err error) {
	var known *storageRefusal
	if !errors.As(err, &known) {
		s.logFailure(r, err)
		known = &storageRefusal{status: http.StatusInternalServerError, code: "InternalError", message: "The storage failed."}
		if diskFull(err) {
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
func (s *Service) storeUpload(w http.ResponseWriter, r *http.Request) {
	if err := s.storeForm(r); err != nil {
		s.failStorage(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Service) storeForm(r *http.Request) error {
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

func (s *Service) storeFile(r *http.Request, fields map[string]string, body io.Reader) error {
	g, err := s.signer.grantOf(fields, s.now())
	if err != nil {
		return deny(http.StatusForbidden, err.Error(), "The grant is forged, altered or has expired.")
	}
	unlock := s.locks.lock("upload " + g.FileID)
	defer unlock()
	open, err := s.open(r.Context(), g)
	if err != nil {
		return err
	}
	if !open {
		// A repeat whose first reply was lost.
		_, _ = io.Copy(io.Discard, io.LimitReader(body, g.MaxSize))
		return nil
	}
	err = s.writeInput(r.Context(), g, body)
	if diskFull(err) {
		// Who is cut off while it sends hears of a broken pipe, and not why.
		_, _ = io.Copy(io.Discard, io.LimitReader(body, g.MaxSize))
	}
	return err
}

// open says that a grant may be used: what has been confirmed must not change any more.
func (s *Service) open(ctx context.Context, g grant) (bool, error) {
	var state string
	err := s.store.db.QueryRowContext(ctx, `SELECT state FROM files WHERE id = ?`, g.FileID).Scan(&state)
	if err != nil || state == fileGone {
		return false, deny(http.StatusForbidden, "AccessDenied", "The grant is for a file that is gone.")
	}
	return state != fileConfirmed, nil
}

// lockFile keeps an upload that has arrived, a confirmation and a deletion of a file apart.
func (s *Service) lockFile(id string) (unlock func()) { return s.locks.lock("file " + id) }

func (s *Service) writeInput(ctx context.Context, g grant, body io.Reader) (err error) {
	temporary, err := os.CreateTemp(s.path(folderWork), "upload-*")
	if err != nil {
		return fmt.Errorf("store an upload: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, temporary.Close(), removeFile(temporary.Name()))
		}
	}()
	n, err := io.Copy(temporary, io.LimitReader(body, g.MaxSize+1))
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
	if err := errors.Join(temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("store an upload: %w", err)
	}
	unlock := s.lockFile(g.FileID)
	defer unlock()
	// The body may have taken its time, and another have been confirmed meanwhile.
	if open, err := s.open(ctx, g); err != nil || !open {
		return errors.Join(err, removeFile(temporary.Name()))
	}
	if err := os.Rename(temporary.Name(), s.inputPath(g.FileID)); err != nil {
		return fmt.Errorf("store an upload: %w", err)
	}
	return syncFolder(s.path(folderInputs))
}

// serveResult serves a result file by its signed link, with ranges.
func (s *Service) serveResult(w http.ResponseWriter, r *http.Request) {
	if err := s.signer.checkResultLink(r.URL, s.now()); err != nil {
		s.failStorage(w, r, deny(http.StatusForbidden, err.Error(), "The link is forged, altered or has expired."))
		return
	}
	results, err := s.store.results(r.Context(), r.PathValue("job_id"))
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
	s.serveStored(w, r, s.path(folderResults, r.PathValue("job_id"), filepath.Base(result.stored)), result)
}

// serveStored sends a file of the service with what its record says of it.
func (s *Service) serveStored(w http.ResponseWriter, r *http.Request, path string, result resultRow) {
	file, err := os.Open(path) //nolint:gosec // the record says where, inside the data folder
	if err != nil {
		s.failStorage(w, r, deny(http.StatusNotFound, "NoSuchKey", "The result is gone."))
		return
	}
	defer file.Close() //nolint:errcheck // read only
	w.Header().Set("Content-Type", result.mimetype)
	w.Header().Set("ETag", `"`+result.sha256+`"`)
	if sum, err := hex.DecodeString(result.sha256); err == nil && len(sum) > 0 {
		w = &digestWriter{ResponseWriter: w, digest: "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"}
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", attachment(result.filename))
	info, err := file.Stat()
	if err != nil {
		s.failStorage(w, r, fmt.Errorf("serve a result: %w", err))
		return
	}
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// digestWriter tells the SHA-256 of a file with the file (RFC 9530): of all of it, also where a range is sent, and of no
// error in its place.
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

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stored file: %w", err)
	}
	return nil
}

func syncFolder(path string) error {
	dir, err := os.Open(path) //nolint:gosec // inside the data folder
	if err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	return nil
}
