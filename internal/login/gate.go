// Package login decides who gets into a page of ours: by a token that becomes a signed cookie, and by the name that a browser
// knows the page by.
package login

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/httpserver"
)

const (
	// SessionFor is how long a login lasts.
	SessionFor = 7 * 24 * time.Hour
	// strong is the length of a token that nobody guesses. A limit on wrong ones would only let one user of a machine lock out
	// another.
	strong = 32
)

// Gate knows who is logged in. Gates with the same secret and token, under the same host name, know each other's logins.
type Gate struct {
	Secret []byte // signs
	Token  string // lets in; empty: there is no login
	Clock  func() time.Time
	Path   string // below which browsers send the cookie; "/" where empty

	attempts *attempts
}

// New makes a gate. clock may be nil.
func New(secret []byte, token string, clock func() time.Time) *Gate {
	if clock == nil {
		clock = time.Now
	}
	return &Gate{Secret: secret, Token: token, Clock: clock, attempts: newAttempts()}
}

// Session is what the cookie says, signed.
type Session struct {
	Name    string    `json:"n"`
	Expires time.Time `json:"e"`
}

// Sign makes text that Unsign takes back for the same purpose. Another token makes older text worthless.
func (g *Gate) Sign(purpose string, value any) string {
	body, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(g.sum(purpose, text))
}

// Unsign reports whether text was signed for this purpose, and reads it.
func (g *Gate) Unsign(purpose, signed string, into any) bool {
	text, mark, ok := strings.Cut(signed, ".")
	given, err := base64.RawURLEncoding.DecodeString(mark)
	if !ok || err != nil || !hmac.Equal(given, g.sum(purpose, text)) {
		return false
	}
	body, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(body, into) == nil
}

func (g *Gate) sum(purpose, text string) []byte {
	mac := hmac.New(sha256.New, g.Secret)
	_, _ = mac.Write([]byte(purpose + "\x00" + g.Token + "\x00" + text))
	return mac.Sum(nil)
}

// cookieName differs between gates: browsers send a cookie to all ports of a host.
func (g *Gate) cookieName() string {
	return "convilyn_" + hex.EncodeToString(g.sum("cookie", ""))[:8]
}

// Session is the login that a request carries.
func (g *Gate) Session(r *http.Request) (Session, bool) {
	var s Session
	cookie, err := r.Cookie(g.cookieName())
	if err != nil || !g.Unsign("login", cookie.Value, &s) || !g.Clock().Before(s.Expires) {
		return Session{}, false
	}
	httpserver.Trust(r.Context())
	return s, true
}

// Remember logs somebody in.
func (g *Gate) Remember(w http.ResponseWriter, r *http.Request, name string) {
	s := Session{Name: name, Expires: g.Clock().Add(SessionFor)}
	http.SetCookie(w, g.cookie(r, g.Sign("login", s), int(SessionFor.Seconds())))
}

// Forget logs out.
func (g *Gate) Forget(w http.ResponseWriter, r *http.Request) { http.SetCookie(w, g.cookie(r, "", -1)) }

func (g *Gate) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where the connection is; plain HTTP on a private network is the operator's choice
		Name: g.cookieName(), Value: value, Path: cmp.Or(g.Path, "/"), MaxAge: maxAge, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	}
}

// Check is 200 for the token, 401 for anything else, or 429 where an address has guessed too often.
func (g *Gate) Check(r *http.Request, given string) int {
	wanted, got := sha256.Sum256([]byte(g.Token)), sha256.Sum256([]byte(given))
	same := subtle.ConstantTimeCompare(wanted[:], got[:]) == 1
	if len(g.Token) < strong && !g.attempts.allow(r, g.Clock(), same) {
		return http.StatusTooManyRequests
	}
	if !same {
		return http.StatusUnauthorized
	}
	httpserver.Trust(r.Context())
	return http.StatusOK
}

// Bearer is the token that a program shows; empty where it shows none.
func Bearer(r *http.Request) string {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return ""
	}
	return token
}

// Link is the address by which somebody logs in.
func Link(root, token string) string { return root + "/login?" + url.Values{"token": {token}}.Encode() }

// IsLocal wants both ends to be this machine: a foreign page that points its own name at 127.0.0.1 fails by the name.
func IsLocal(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback() && IsLoopbackName(r.Host)
}

// IsLoopbackName reports whether a host, with or without a port, is always this machine.
func IsLoopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// LocalPath is a place of ours to go on to; "/" for anything else.
func LocalPath(text string) string {
	at, err := url.Parse(text)
	if err != nil || at.IsAbs() || at.Host != "" || !strings.HasPrefix(at.Path, "/") || strings.HasPrefix(at.Path, "//") || strings.Contains(text, "\\") {
		return "/"
	}
	return at.RequestURI()
}
