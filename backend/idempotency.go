package backend

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"sync"
)

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

// repeated says that a request has been done before, under its key.
func repeated(ctx context.Context) bool {
	again, _ := ctx.Value(repeatContext{}).(bool)
	return again
}

// newID makes an id; under an idempotency key always the same.
func newID(ctx context.Context, prefix string) string {
	seed, _ := ctx.Value(idempotencyContext{}).(string)
	if seed == "" {
		return prefix + randomHex(12)
	}
	sum := sha256.Sum256([]byte(prefix + seed))
	return prefix + hex.EncodeToString(sum[:12])
}

// once serialises calls under the same key and refuses another body under it.
func (s *Service) once(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Idempotency-Key")
		if key == "" || r.Method == http.MethodGet || s.cfg.Faults.forgets() {
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
		unlock := s.locks.lock(scope)
		defer unlock()
		s.onceLocked(w, r, scope, body, next)
	}
}

func (s *Service) onceLocked(w http.ResponseWriter, r *http.Request, scope string, body []byte, next http.HandlerFunc) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	known, status, err := s.store.idempotent(r.Context(), scope)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	switch {
	case known != "" && known != hash:
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
		if err := s.store.rememberKey(context.WithoutCancel(r.Context()), scope, hash, recorder.status, s.now()); err != nil {
			s.logFailure(r, err)
		}
	}
}

// keyedLocks is a lock a name, for as long as somebody holds or awaits it.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]*keyedLock
}

type keyedLock struct {
	sync.Mutex
	users int
}

func (k *keyedLocks) lock(name string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyedLock{}
	}
	l := k.locks[name]
	if l == nil {
		l = &keyedLock{}
		k.locks[name] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, name)
		}
	}
}
