package login

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGates_KnowEachOthersLoginsByTheTokenAlone(t *testing.T) {
	t.Parallel()
	secret := []byte("a secret of thirty-two characters")
	first, same, other := New(secret, "one", nil), New(secret, "one", nil), New(secret, "two", nil)
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for _, gate := range []*Gate{first, other} {
		w := httptest.NewRecorder()
		gate.Remember(w, r, "Ada")
		r.AddCookie(w.Result().Cookies()[0])
	}

	assert.Len(t, r.Cookies(), 2)
	for _, gate := range []*Gate{first, same, other} {
		session, known := gate.Session(r)
		require.True(t, known, "one cookie does not displace the other")
		assert.Equal(t, "Ada", session.Name)
	}
	_, known := New(secret, "three", nil).Session(r)
	assert.False(t, known)
}

// Another user of the machine comes from the same address as its owner.
func TestCheck_LocksNobodyOutWhereGuessingIsHopeless(t *testing.T) {
	t.Parallel()
	const strong = "0123456789abcdef0123456789abcdef"
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	gate, weak := New(nil, strong, nil), New(nil, "short", func() time.Time { return time.Unix(0, 0) })
	for range 20 {
		assert.Equal(t, http.StatusUnauthorized, gate.Check(r, "guess"))
		weak.Check(r, "guess")
	}
	assert.Equal(t, http.StatusOK, gate.Check(r, strong))
	assert.Equal(t, http.StatusTooManyRequests, weak.Check(r, "short"))
}

func TestIsLoopbackName(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8233": true, "LOCALHOST.:1": true, "a.localhost": true, "127.0.0.1:8233": true, "127.9.9.9": true, "[::1]:8233": true,
		"": false, "evil.example:8233": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "0.0.0.0:8233": false, "192.168.0.1": false,
	} {
		t.Run(host, func(t *testing.T) {
			assert.Equal(t, want, IsLoopbackName(host), host)
		})
	}
}
