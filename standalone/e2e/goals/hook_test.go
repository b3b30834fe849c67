package goals

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// hook is a receiver of webhooks that checks every signature.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	status int           // what it answers, 200 where 0
	fails  int           // so often it answers 500 first
	hang   chan struct{} // answers nothing until it is closed, where there is one
	tries  map[string]int
	took   []activities.Notification // with their repeats
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{tries: map[string]int{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, hookQuery, r.URL.Query().Get("token"))
		id := r.Header.Get("webhook-id")
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(fixture.HookSecret, "whsec_"))
		assert.NoError(t, err)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		assert.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), r.Header.Get("webhook-signature"))
		var n activities.Notification
		assert.NoError(t, json.Unmarshal(body, &n))
		assert.Equal(t, id, n.ID)
		w.WriteHeader(h.take(n, r))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) take(n activities.Notification, r *http.Request) int {
	h.mu.Lock()
	hang := h.hang
	h.tries[n.ID]++
	h.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return http.StatusServiceUnavailable
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails > 0 {
		h.fails--
		return http.StatusInternalServerError
	}
	if h.status != 0 {
		return h.status
	}
	h.took = append(h.took, n)
	return http.StatusOK
}

func (h *hook) answers(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

// await waits for the first notification of a type about a slot.
func (h *hook) await(t *testing.T, kind, slotID string) activities.Notification {
	t.Helper()
	var found activities.Notification
	require.Eventually(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, n := range h.took {
			if n.Type == kind && (n.Question == nil || n.Question.SlotID == slotID) {
				found = n
				return true
			}
		}
		return false
	}, testkit.Patience, 20*time.Millisecond, "no %s of %s", kind, slotID)
	return found
}
