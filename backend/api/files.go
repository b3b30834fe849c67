package api

import (
	"net/http"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/backend/queue"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

const maxNameBytes = 255

// presign hands out a grant: POST /api/v1/upload/presign.
func (s *server) presign(w http.ResponseWriter, r *http.Request) error {
	var in client.WirePresignRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := s.checkUpload(in); err != nil {
		return err
	}
	ctx := r.Context()
	id := newID(ctx, "file_")
	file := store.File{
		ID: id, Account: accountOf(ctx), Name: in.FileName, Size: in.FileSize, Mime: in.ContentType,
		S3Key: "input/" + id + "/" + store.SafeName(in.FileName), State: store.FileGranted, Created: s.cfg.Now(),
	}
	if err := s.store.InsertFile(ctx, file); err != nil {
		return err
	}
	grant := grant{Key: file.S3Key, FileID: id, MaxSize: in.FileSize, Expires: s.cfg.Now().Add(s.cfg.GrantTTL)}
	fields, err := s.signer.fields(grant, in.ContentType)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, client.WirePresignReply{
		UploadURL: client.PresignedURL(s.baseURL(r) + pathStorageUpload), Fields: fields,
		FileID: id, S3Key: file.S3Key, ExpiresIn: int(s.cfg.GrantTTL.Seconds()),
	})
	return nil
}

func (s *server) checkUpload(in client.WirePresignRequest) error {
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

// confirm makes an upload usable: POST /api/v1/upload/confirm. Repeating it is harmless.
func (s *server) confirm(w http.ResponseWriter, r *http.Request) error {
	var in client.WireConfirmRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	ctx := r.Context()
	unlock := s.store.LockFile(in.FileID)
	defer unlock()
	file, found, err := s.store.File(ctx, accountOf(ctx), in.FileID)
	switch {
	case err != nil:
		return err
	case !found:
		return refuse(http.StatusNotFound, "NOT_FOUND", "There is no file %s.", in.FileID)
	case file.State == store.FileGone:
		return queue.Expired(file)
	case in.S3Key != file.S3Key:
		return refuse(http.StatusUnprocessableEntity, "BAD_KEY", "s3Key is not the one that the file was granted.")
	}
	info, err := os.Stat(s.store.InputPath(file.ID))
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "BAD_KEY", "Nothing was uploaded under this key.")
	}
	if info.Size() != in.FileSize {
		return refuse(http.StatusUnprocessableEntity, "SIZE_MISMATCH", "%d bytes were uploaded, but fileSize says %d.", info.Size(), in.FileSize)
	}
	if err := s.store.ConfirmFile(ctx, file.ID); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, client.WireFile{
		FileID: file.ID, FileName: file.Name, FileSize: info.Size(), MimeType: file.Mime, IsInput: true, CreatedAt: file.Created,
	})
	return nil
}

// listFiles lists durable files, of which ordinary uploads are none: GET /api/v1/files.
func (s *server) listFiles(w http.ResponseWriter, r *http.Request) error {
	used, err := s.store.Usage(r.Context(), accountOf(r.Context()))
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
func (s *server) deleteFile(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	id := r.PathValue("file_id")
	unlock := s.store.LockFile(id)
	defer unlock()
	file, found, err := s.store.File(ctx, accountOf(ctx), id)
	if err != nil {
		return err
	}
	if !found || file.State == store.FileGone {
		return refuse(http.StatusNotFound, "NOT_FOUND", "There is no file %s.", id)
	}
	removed, err := s.store.RemoveFile(ctx, id)
	if err != nil {
		return err
	}
	if !removed {
		return refuse(http.StatusConflict, "FILE_IN_USE", "A running job uses file %s.", id)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
