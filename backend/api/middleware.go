package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/store"
)

type accountKey struct{}

// accountOf is the caller of an authorised request.
func accountOf(ctx context.Context) string {
	name, _ := ctx.Value(accountKey{}).(string)
	return name
}

func (s *server) authorised(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		name := account(strings.TrimSpace(key))
		if !ok || !s.keys.accounts[name] {
			writeError(w, http.StatusUnauthorized, "AUTH_REQUIRED", "This key is not accepted; send Authorization: Bearer ck_...", nil)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), accountKey{}, name)))
	}
}

// Writes under an Idempotency-Key have their effect once. A repeat runs the handler again on ids that are
// derived from the key, so that it finds what the first call made, also after a crash in between; a stored
// reply would hold a grant, which is a secret and which has expired by then. Only a DELETE is answered from memory, and what was done to a goal job
// with how the job stands.

const (
	keyMin = 1
	keyMax = 255
)

type (
	idempotencyContext struct{}
	repeatContext      struct{}
)

// repeated reports whether a request has been done before, under its key.
func repeated(ctx context.Context) bool {
	again, _ := ctx.Value(repeatContext{}).(bool)
	return again
}

// newID makes an id; under an idempotency key always the same.
func newID(ctx context.Context, prefix string) string {
	seed, _ := ctx.Value(idempotencyContext{}).(string)
	if seed == "" {
		return prefix + store.RandomHex(12)
	}
	sum := sha256.Sum256([]byte(prefix + seed))
	return prefix + hex.EncodeToString(sum[:12])
}

// once serialises calls under the same key and refuses another body under it.
func (s *server) once(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Idempotency-Key")
		if key == "" || r.Method == http.MethodGet {
			next(w, r)
			return
		}
		if len(key) < keyMin || len(key) > keyMax {
			writeError(w, http.StatusBadRequest, "BAD_REQUEST", "An Idempotency-Key has 1 to 255 characters.", nil)
			return
		}
		body, err := readBody(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		scope := accountOf(r.Context()) + " " + r.Method + " " + r.URL.Path + " " + key
		unlock := s.store.LockKey(scope)
		defer unlock()
		s.onceLocked(w, r, scope, body, next)
	}
}

func (s *server) onceLocked(w http.ResponseWriter, r *http.Request, scope string, body []byte, next http.HandlerFunc) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	known, status, err := s.store.Used(r.Context(), scope)
	same := false
	if err == nil {
		same, err = s.store.SameRequest(known, hash)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	switch {
	case known != "" && !same:
		writeError(w, http.StatusConflict, "IDEMPOTENCY_CONFLICT", "This Idempotency-Key came with another request before.", nil)
		return
	case known != "" && r.Method == http.MethodDelete:
		w.WriteHeader(status)
		return
	}
	recorder := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	ctx := context.WithValue(context.WithValue(r.Context(), idempotencyContext{}, scope), repeatContext{}, known != "")
	next(recorder, r.WithContext(ctx))
	if recorder.status < http.StatusMultipleChoices {
		if err := s.store.RememberKey(context.WithoutCancel(r.Context()), scope, hash, recorder.status); err != nil {
			s.logFailure(r, err)
		}
	}
}

// guarded turns a panic into a reply that tells nothing of the inside.
func (s *server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // the very value that net/http looks for
				panic(cause)
			}
			s.cfg.Logger.Error("a request panicked", zap.String("path", bounded(r.URL.Path)), zap.Any("cause", cause), zap.ByteString("stack", debug.Stack()))
			writeError(w, http.StatusInternalServerError, "INTERNAL", failed, nil)
		}()
		next.ServeHTTP(w, r)
	})
}

// logged writes one line a request: the route's template, never the query, which may be a secret.
func (s *server) logged(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			_, pattern := mux.Handler(r)
			s.cfg.Logger.Debug("request", zap.String("method", r.Method), zap.String("route", pattern),
				zap.Int("status", recorder.status), zap.Int64("duration_ms", time.Since(started).Milliseconds()))
		}()
		next.ServeHTTP(recorder, r)
	})
}
