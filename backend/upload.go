package backend

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/client"
)

const maxNameBytes = 255

// presign hands out a grant: POST /api/v1/upload/presign.
func (s *Service) presign(w http.ResponseWriter, r *http.Request) error {
	var in client.WirePresignRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := s.checkUpload(in); err != nil {
		return err
	}
	ctx := r.Context()
	id := newID(ctx, "file_")
	file := fileRow{
		id: id, account: accountOf(ctx), name: in.FileName, size: in.FileSize, mime: in.ContentType,
		s3key: "input/" + id + "/" + safeName(in.FileName), state: fileGranted, created: s.now(),
	}
	if err := s.store.insertFile(ctx, file); err != nil {
		return err
	}
	grant := grant{Key: file.s3key, FileID: id, MaxSize: in.FileSize, Expires: s.now().Add(s.cfg.GrantTTL)}
	fields, err := s.signer.fields(grant, in.ContentType)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, client.WirePresignReply{
		UploadURL: client.PresignedURL(s.baseURL(r) + pathStorageUpload), Fields: fields,
		FileID: id, S3Key: file.s3key, ExpiresIn: int(s.cfg.GrantTTL.Seconds()),
	})
	return nil
}

func (s *Service) checkUpload(in client.WirePresignRequest) error {
	switch {
	case in.FileName == "" || len(in.FileName) > maxNameBytes || !utf8.ValidString(in.FileName):
		return refuse(http.StatusUnprocessableEntity, "INVALID_PARAMETERS", "fileName must have 1 to %d bytes of UTF-8.", maxNameBytes)
	case in.FileSize <= 0:
		return refuse(http.StatusUnprocessableEntity, "INVALID_PARAMETERS", "fileSize must be greater than 0.")
	case in.FileSize > s.cfg.MaxUpload:
		return refuse(http.StatusRequestEntityTooLarge, "FILE_TOO_LARGE", "The file has %d bytes; %d are allowed.", in.FileSize, s.cfg.MaxUpload)
	case in.ContentType == "" || len(in.ContentType) > maxNameBytes || strings.ContainsFunc(in.ContentType, unicode.IsControl):
		return refuse(http.StatusUnprocessableEntity, "INVALID_PARAMETERS", "contentType is missing, too long, or holds control characters.")
	}
	return nil
}

const safeNameMost = 200 // bytes; what a conversion appends must fit into the 255 of file systems

// reservedNames are devices on Windows, with any extension.
var reservedNames = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)

// safeName keeps a name readable and makes it one that is harmless everywhere: no path, no control characters, none
// that turn the direction of writing, nothing that hides a file, names a device or reads as an option.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return '_'
		}
		return r
	}, name)
	if extension := filepath.Ext(name); len(name) > safeNameMost && len(extension) < safeNameMost {
		name = strings.ToValidUTF8(name[:safeNameMost-len(extension)], "") + extension
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || reservedNames.MatchString(name) {
		name = "_" + name
	}
	return name
}

func (s *Service) baseURL(r *http.Request) string {
	if s.cfg.BaseURL != "" {
		return s.cfg.BaseURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// confirm makes an upload usable: POST /api/v1/upload/confirm. Repeating it is harmless.
func (s *Service) confirm(w http.ResponseWriter, r *http.Request) error {
	var in client.WireConfirmRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	ctx := r.Context()
	unlock := s.lockFile(in.FileID)
	defer unlock()
	file, found, err := s.store.file(ctx, accountOf(ctx), in.FileID)
	switch {
	case err != nil:
		return err
	case !found:
		return refuse(http.StatusNotFound, "NOT_FOUND", "There is no file %s.", in.FileID)
	case file.state == fileGone:
		return expired(file)
	case in.S3Key != file.s3key:
		return refuse(http.StatusUnprocessableEntity, "BAD_KEY", "s3Key is not the one that the file was granted.")
	}
	info, err := os.Stat(s.inputPath(file.id))
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "BAD_KEY", "Nothing was uploaded under this key.")
	}
	if info.Size() != in.FileSize {
		return refuse(http.StatusUnprocessableEntity, "SIZE_MISMATCH", "%d bytes were uploaded, but fileSize says %d.", info.Size(), in.FileSize)
	}
	if file.state == fileGranted {
		if err := s.store.setFileState(ctx, file.id, fileConfirmed); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, client.WireFile{
		FileID: file.id, FileName: file.name, FileSize: info.Size(), MimeType: file.mime, IsInput: true, CreatedAt: file.created,
	})
	return nil
}

func expired(file fileRow) error {
	return refuse(http.StatusGone, client.CodeFileExpired, "File %s was deleted or has expired; upload it again.", file.id)
}

func (s *Service) inputPath(fileID string) string { return s.path(folderInputs, fileID) }

// listFiles lists durable files, of which ordinary uploads are none: GET /api/v1/files.
func (s *Service) listFiles(w http.ResponseWriter, r *http.Request) error {
	used, err := s.store.usage(r.Context(), accountOf(r.Context()))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, client.WireFileList{
		Files: []client.WireStoredFile{},
		Usage: client.WireFileUsage{UsedBytes: used, FreeBytes: max(0, s.cfg.MaxUpload-used), OverQuota: false},
	})
	return nil
}

// deleteFile deletes an upload: DELETE /api/v1/files/{file_id}.
func (s *Service) deleteFile(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	id := r.PathValue("file_id")
	unlock := s.lockFile(id)
	defer unlock()
	file, found, err := s.store.file(ctx, accountOf(ctx), id)
	if err != nil {
		return err
	}
	if !found || file.state == fileGone {
		return refuse(http.StatusNotFound, "NOT_FOUND", "There is no file %s.", id)
	}
	released, err := s.store.releaseFile(ctx, id)
	if err != nil {
		return err
	}
	if !released {
		return refuse(http.StatusConflict, "FILE_IN_USE", "A running job uses file %s.", id)
	}
	if err := removeFile(s.inputPath(id)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
