package inbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const (
	cookieName = "convilyn_inbox"
	sessionFor = 7 * 24 * time.Hour
	maxBody    = 1 << 20 // of requests that carry no files, bytes
)

// session is what the cookie says, signed.
type session struct {
	Name    string    `json:"n"`
	Expires time.Time `json:"e"`
}

// sign makes text that unsign takes back for the same purpose. Another token makes older cookies worthless.
func (in *Inbox) sign(purpose string, value any) string {
	body, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(in.sum(purpose, text))
}

func (in *Inbox) unsign(purpose, signed string, into any) bool {
	text, mark, ok := strings.Cut(signed, ".")
	given, err := base64.RawURLEncoding.DecodeString(mark)
	if !ok || err != nil || !hmac.Equal(given, in.sum(purpose, text)) {
		return false
	}
	body, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(body, into) == nil
}

func (in *Inbox) sum(purpose, text string) []byte {
	mac := hmac.New(sha256.New, in.cfg.Secret)
	_, _ = mac.Write([]byte(purpose + "\x00" + in.cfg.Token + "\x00" + text))
	return mac.Sum(nil)
}

func (in *Inbox) session(r *http.Request) (session, bool) {
	var s session
	cookie, err := r.Cookie(cookieName)
	if err != nil || !in.unsign("login", cookie.Value, &s) || !in.cfg.Clock().Before(s.Expires) {
		return session{}, false
	}
	return s, true
}

func (in *Inbox) admitted(r *http.Request) bool {
	if in.cfg.Token == "" {
		return true // guard has seen to it
	}
	_, ok := in.session(r)
	return ok
}

func (in *Inbox) remember(w http.ResponseWriter, r *http.Request, name string) {
	s := session{Name: personName(name), Expires: in.cfg.Clock().Add(sessionFor)}
	http.SetCookie(w, in.cookie(r, in.sign("login", s), int(sessionFor.Seconds())))
}

func (in *Inbox) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where the connection is; plain HTTP on a private network is the operator's choice
		Name: cookieName, Value: value, Path: in.at("/"), MaxAge: maxAge, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	}
}
