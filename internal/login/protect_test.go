package login

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const token = "0123456789abcdef0123456789abcdef"

func protected() http.Handler {
	gate := New([]byte("a secret of thirty-two characters"), token, nil)
	return gate.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), About{Title: "A page"})
}

func ask(h http.Handler, method, host, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	r.Host, r.RemoteAddr = host, "127.0.0.1:5"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestProtect_RefusesStrangers(t *testing.T) {
	t.Parallel()
	h := protected()
	const here = "127.0.0.1:8233"
	for name, row := range map[string]struct {
		method, host, path string
		change             func(*http.Request)
		want               int
	}{
		"nobody":                  {http.MethodGet, here, "/api/v1/settings", nil, 401},
		"nobody, writing":         {http.MethodPost, here, "/api/v1/namespaces/default/workflows/r1", nil, 401},
		"a browser without login": {http.MethodGet, here, "/namespaces", header("Accept", "text/html"), 303},
		"another name":            {http.MethodGet, "evil.example:8233", "/api/v1/settings", header("Authorization", "Bearer "+token), 403},
		"another name at login":   {http.MethodGet, "evil.example:8233", "/login?token=" + token, nil, 403},
		"another machine":         {http.MethodGet, here, "/", func(r *http.Request) { r.RemoteAddr = "192.0.2.1:5" }, 403},
		"a wrong token":           {http.MethodGet, here, "/", header("Authorization", "Bearer x"), 401},
		"a wrong link":            {http.MethodGet, here, "/login?token=x", nil, 401},
		"a forged cookie":         {http.MethodGet, here, "/", header("Cookie", New([]byte("x"), token, nil).cookieName()+"=a.b"), 401},
		"a page of another origin": {http.MethodPost, here, "/x", func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Origin", "http://127.0.0.1:9")
		}, 403},
		"the owner's program": {http.MethodPost, "localhost:8233", "/x", header("Authorization", "Bearer "+token), 418},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ask(h, row.method, row.host, row.path, row.change)
			assert.Equal(t, row.want, w.Code)
			assert.NotContains(t, w.Body.String(), token)
		})
	}
}

func TestProtect_LinkAndFormLogIn(t *testing.T) {
	t.Parallel()
	h := protected()
	for name, change := range map[string]func(*http.Request){
		"link": func(r *http.Request) { r.URL.RawQuery = url.Values{"token": {token}, "next": {"/runs?a=b"}}.Encode() },
		"form": func(r *http.Request) {
			body := url.Values{"token": {token}, "next": {"/runs?a=b"}}.Encode()
			*r = *httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(body))
			r.Host, r.RemoteAddr = "127.0.0.1:8233", "127.0.0.1:5"
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ask(h, http.MethodGet, "127.0.0.1:8233", "/login", change)
			require.Equal(t, http.StatusSeeOther, w.Code)
			assert.Equal(t, "/runs?a=b", w.Header().Get("Location"))
			cookie := w.Result().Cookies()[0]
			assert.True(t, cookie.HttpOnly)
			assert.Equal(t, http.SameSiteStrictMode, cookie.SameSite)

			w = ask(h, http.MethodPost, "127.0.0.1:8233", "/x", func(r *http.Request) { r.AddCookie(cookie); r.Header.Set("Origin", "http://127.0.0.1:8233") })
			assert.Equal(t, http.StatusTeapot, w.Code)
			w = ask(h, http.MethodPost, "127.0.0.1:8233", "/x", func(r *http.Request) { r.AddCookie(cookie); r.Header.Set("Origin", "http://127.0.0.1:9") })
			assert.Equal(t, http.StatusForbidden, w.Code, "a page of another port is of the same site, and sends the cookie")
		})
	}
}
