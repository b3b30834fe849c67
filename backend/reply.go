package backend

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
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

// bodyLimit bounds a request of the API; files go to the storage.
const bodyLimit = 1 << 20

// refusal is an error with the reply that it becomes.
type refusal struct {
	status     int
	code       string
	message    string
	details    map[string]any
	retryAfter time.Duration
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

// reason is what a refused answer is told, without the slot.
func (e *refusal) reason() string {
	if text, ok := e.details["reason"].(string); ok {
		return text
	}
	return e.message
}

func refuse(status int, code, format string, args ...any) error {
	return &refusal{status: status, code: code, message: fmt.Sprintf(format, args...)}
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

// fail answers with a refusal, or hides anything else behind INTERNAL.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	var known *refusal
	if !errors.As(err, &known) {
		s.logFailure(r, err)
		known = &refusal{status: http.StatusInternalServerError, code: "INTERNAL", message: "The service failed; its log says why."}
		if diskFull(err) {
			known = &refusal{status: http.StatusInsufficientStorage, code: "DISK_FULL", message: noSpace}
		}
	}
	if known.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((known.retryAfter+time.Second-1)/time.Second)))
	}
	writeError(w, known.status, known.code, known.message, known.details)
}

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
