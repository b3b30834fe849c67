package inbox

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const (
	inMemory   = 1 << 20  // of an upload, bytes; the rest is on disk
	maxPreview = 64 << 20 // bytes
)

// parseForm reads a form with its files within bounds; it has answered where it returns false.
func (in *Inbox) parseForm(w http.ResponseWriter, r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var err error
	if kind == "multipart/form-data" {
		limit := in.cfg.MaxUpload
		if in.cfg.Files == "" {
			limit = maxBody
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		err = r.ParseMultipartForm(inMemory)
	} else {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		err = r.ParseForm()
	}
	if err != nil {
		in.refuseForm(w, r, err)
	}
	return err == nil
}

// refuseForm says why a form could not be read.
func (in *Inbox) refuseForm(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		in.renderMessage(w, r, http.StatusRequestEntityTooLarge, "Too large", fmt.Sprintf("More than %s cannot be sent at once. Nothing was sent.", term.Bytes(tooLarge.Limit)))
	case errors.Is(err, os.ErrDeadlineExceeded):
		in.renderMessage(w, r, http.StatusRequestTimeout, "Too slow", "The form did not arrive in time. Nothing was sent.")
	default:
		in.renderMessage(w, r, http.StatusBadRequest, "Not understood", "The form could not be read. Nothing was sent.")
	}
}

func dropForm(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}

// saveUpload keeps an uploaded file in a folder of its own and returns its file:// URL as JSON; nil where none came.
func (in *Inbox) saveUpload(r *http.Request, name string) (json.RawMessage, error) {
	if r.MultipartForm == nil || len(r.MultipartForm.File[name]) == 0 {
		return nil, nil //nolint:nilnil // no file is not an error
	}
	header := r.MultipartForm.File[name][0]
	from, err := header.Open()
	if err != nil {
		return nil, errors.New("the upload could not be read")
	}
	defer func() { _ = from.Close() }()
	root, err := filepath.Abs(in.cfg.Files)
	if err != nil {
		return nil, errors.New("the upload could not be kept")
	}
	folder := filepath.Join(root, rand.Text())
	path := filepath.Join(folder, safeName(header.Filename))
	if err := in.keep(folder, path, from); err != nil {
		_ = os.RemoveAll(folder)
		in.cfg.Logger.Sugar().Errorw("an upload could not be kept", "error", err)
		return nil, errors.New("the upload could not be kept; the inbox's log says why")
	}
	return quote((&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()), nil
}

func (in *Inbox) keep(folder, path string, from io.Reader) error {
	folderMode, fileMode := fs.FileMode(0o700), fs.FileMode(0o600)
	if in.cfg.Shared {
		folderMode, fileMode = 0o750, 0o640
	}
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // a name of ours in a folder of ours
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	err = errors.Join(err, file.Sync(), file.Close())
	for _, dir := range []string{folder, filepath.Dir(folder)} {
		err = errors.Join(err, syncFolder(dir))
	}
	return err
}

func syncFolder(path string) error {
	dir, err := os.Open(path) //nolint:gosec // a folder of ours
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// safeName is a base name without separators, control characters or leading dots, at most 150 bytes.
func safeName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`<>:"|?*`, r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	name = strings.TrimLeft(strings.TrimSpace(name), ".")
	if len(name) > 150 {
		ext := filepath.Ext(name)
		if len(ext) > 20 {
			ext = ""
		}
		name = strings.TrimSuffix(cut(name, 150-len(ext)), "…") + ext
	}
	if name == "" {
		return "upload"
	}
	return name
}

func (in *Inbox) showPreview(w http.ResponseWriter, r *http.Request) {
	in.servePreview(w, r, r.PathValue("id"), "")
}

// servePreview shows an artifact that a run's open questions name, of one slot where given, and no other.
func (in *Inbox) servePreview(w http.ResponseWriter, r *http.Request, workflowID, slotID string) {
	ctx, cancel := in.patient(r)
	defer cancel()
	artifact := r.PathValue("artifact")
	open, err := in.runs.Questions(ctx, workflowID)
	named := slices.ContainsFunc(open, func(q questions.Question) bool {
		return (slotID == "" || q.SlotID == slotID) && slices.ContainsFunc(q.Previews, func(p activities.Preview) bool { return p.ArtifactID == artifact })
	})
	if err != nil || !named || in.cfg.Previews == nil {
		http.Error(w, "there is no such preview", http.StatusNotFound)
		return
	}
	status, err := in.runs.Status(ctx, workflowID)
	if err != nil || status.JobSpecID == "" {
		http.Error(w, "the run cannot be asked for its previews now", http.StatusServiceUnavailable)
		return
	}
	body, mediaType, err := in.cfg.Previews(r.Context(), status.JobSpecID, artifact)
	if err != nil {
		http.Error(w, "the preview cannot be had now", http.StatusBadGateway)
		return
	}
	defer func() { _ = body.Close() }()
	sendPreview(w, body, mediaType)
}

func sendPreview(w http.ResponseWriter, body io.Reader, mediaType string) {
	kind, _, _ := mime.ParseMediaType(mediaType)
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=300")
	if slices.Contains(pictures, kind) {
		h.Set("Content-Type", kind)
	} else {
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", "attachment")
	}
	// One byte more than allowed is a body that is cut: the connection ends rather than passing for whole.
	if n, err := io.Copy(w, io.LimitReader(body, maxPreview+1)); err != nil || n > maxPreview {
		panic(http.ErrAbortHandler)
	}
}

// pictures are the media types that are shown in the page; all else is downloaded.
var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

const maxBody = 1 << 20 // of requests that carry no files, bytes
