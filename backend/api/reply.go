package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/queue"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

const (
	failed  = "The service failed; its log says why."
	noSpace = "The disk of the service is full; it continues when there is space."
)

// bodyLimit bounds a request of the API; files go to the storage.
const bodyLimit = 1 << 20

// refusal is an error with the reply that it becomes.
type refusal struct {
	status  int
	code    string
	message string
	details map[string]any
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

func refuse(status int, code, format string, args ...any) error {
	return &refusal{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return refuse(http.StatusUnprocessableEntity, queue.CodeInvalidParameters, format, args...)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		writeError(w, http.StatusInternalServerError, "INTERNAL", "The reply could not be encoded.", nil)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// writeError sends the flat envelope, the only one that this service uses.
func writeError(w http.ResponseWriter, status int, code, message string, details map[string]any) {
	writeJSON(w, status, client.WireError{Code: code, Message: bounded(message), Details: details})
}

// quotedMost bounds, in bytes, what is said of a request in its own words.
const quotedMost = 1000

func bounded(text string) string {
	if len(text) <= quotedMost {
		return text
	}
	return strings.ToValidUTF8(text[:quotedMost], "") + "..."
}

// statuses of what the queue refuses, by the code.
var statuses = map[string]int{
	queue.CodeConflict:          http.StatusConflict,
	queue.CodeFileExpired:       http.StatusGone,
	queue.CodeForbiddenFile:     http.StatusForbidden,
	queue.CodeInvalidAnswer:     http.StatusUnprocessableEntity,
	queue.CodeInvalidParameters: http.StatusUnprocessableEntity,
	queue.CodeNoJob:             http.StatusNotFound,
	queue.CodeUnsupported:       http.StatusUnprocessableEntity,
	queue.CodeVersionConflict:   http.StatusConflict,
}

// ownReply is an error that knows its reply.
type ownReply interface {
	error
	http.Handler
}

// fail answers with a refusal, or hides anything else behind INTERNAL.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var own ownReply
	if errors.As(err, &own) {
		own.ServeHTTP(w, r)
		return
	}
	known := refusalOf(err)
	if known == nil {
		s.logFailure(r, err)
		known = &refusal{status: http.StatusInternalServerError, code: "INTERNAL", message: failed}
		if store.Full(err) {
			known = &refusal{status: http.StatusInsufficientStorage, code: "DISK_FULL", message: noSpace}
		}
	}
	writeError(w, known.status, known.code, known.message, known.details)
}

// refusalOf is nil for an error that is not for the caller's eyes.
func refusalOf(err error) *refusal {
	var known *refusal
	if errors.As(err, &known) {
		return known
	}
	var queued *queue.Refusal
	if !errors.As(err, &queued) {
		return nil
	}
	status, ok := statuses[queued.Code]
	if !ok {
		status = http.StatusUnprocessableEntity
	}
	return &refusal{status: status, code: queued.Code, message: queued.Message, details: queued.Details}
}

func (s *server) logFailure(r *http.Request, err error) {
	s.cfg.Logger.Error("a request failed", zap.String("method", r.Method), zap.String("path", bounded(r.URL.Path)), zap.Error(err))
}

// statusWriter remembers the status for the log.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// readJSON decodes a body whatever its Content-Type says.
func readJSON(r *http.Request, into any) error {
	data, err := readBody(r)
	if err != nil {
		return err
	}
	return decodeBody(data, into)
}

// readOptional is readJSON for a body that may be missing.
func readOptional(r *http.Request, into any) error {
	data, err := readBody(r)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return err
	}
	return decodeBody(data, into)
}

func readBody(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, "REQUEST_TIMEOUT", "The request came too slowly.")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "BAD_REQUEST", "The request could not be read to its end.")
	}
	if len(data) > bodyLimit {
		return nil, refuse(http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "A request may have %d bytes.", bodyLimit)
	}
	return data, nil
}

func decodeBody(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return refuse(http.StatusBadRequest, "BAD_REQUEST", "The request is not the JSON object that this route takes.")
	}
	return nil
}
