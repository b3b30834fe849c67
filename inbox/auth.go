package inbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
)

const (
	cookieName = "convilyn_inbox"
	loginLife  = 12 * time.Hour
	nameLimit  = 80 // bytes of a person's name
)

// isLocal says that a request comes from this machine and was meant for it: a page elsewhere whose name leads
// here does not get in.
func isLocal(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// session is who sits at a browser. It lives in a signed cookie.
type session struct {
	Name    string    `json:"n"`
	Expires time.Time `json:"e"`
}

type personKey struct{}

// personOf is the name of whoever sits at the browser; empty where nobody said.
func personOf(ctx context.Context) string {
	name, _ := ctx.Value(personKey{}).(string)
	return name
}

// asPerson asks for a login where one is needed.
func (in *Inbox) asPerson(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, ok := in.session(r)
		if !ok && in.cfg.Token != "" {
			if r.Method != http.MethodGet || r.Header.Get("Upgrade") != "" {
				return fault(http.StatusUnauthorized, "Log in first.")
			}
			http.Redirect(w, r, "/login?to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return nil
		}
		return next(w, r.WithContext(context.WithValue(r.Context(), personKey{}, who.Name)))
	}
}

func (in *Inbox) session(r *http.Request) (session, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return session{}, false
	}
	payload, signature, found := strings.Cut(cookie.Value, ".")
	if !found || !hmac.Equal([]byte(signature), []byte(in.mac(payload))) {
		return session{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(payload)
	var s session
	if err != nil || json.Unmarshal(data, &s) != nil || in.cfg.Clock().After(s.Expires) {
		return session{}, false
	}
	return s, true
}

// mac signs cookies. The token is part of the key: changing it ends every login.
func (in *Inbox) mac(payload string) string {
	h := hmac.New(sha256.New, in.cfg.Secret)
	h.Write([]byte("convilyn inbox login v1\n" + in.cfg.Token + "\n" + payload))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (in *Inbox) setSession(w http.ResponseWriter, r *http.Request, s session, maxAge int) {
	data, _ := json.Marshal(s) // plain data always encodes
	payload := base64.RawURLEncoding.EncodeToString(data)
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: payload + "." + in.mac(payload), Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
}

func (in *Inbox) showLogin(w http.ResponseWriter, r *http.Request) error {
	who, _ := in.session(r)
	in.render(w, http.StatusOK, "login", map[string]any{"Title": "Log in", "To": localPath(r.URL.Query().Get("to")), "Name": who.Name, "Token": in.cfg.Token != ""})
	return nil
}

func (in *Inbox) login(w http.ResponseWriter, r *http.Request) error {
	if !in.logins.Allow() {
		w.Header().Set("Retry-After", "5")
		return fault(http.StatusTooManyRequests, "Too many tries; wait a moment.")
	}
	token, name, to := r.PostFormValue("token"), personName(r.PostFormValue("name")), localPath(r.PostFormValue("to"))
	if in.cfg.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(in.cfg.Token)) != 1 {
		in.render(w, http.StatusForbidden, "login", map[string]any{"Title": "Log in", "To": to, "Name": name, "Token": true, "Wrong": "This is not the token."})
		return nil
	}
	in.setSession(w, r, session{Name: name, Expires: in.cfg.Clock().Add(loginLife)}, int(loginLife.Seconds()))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (in *Inbox) logout(w http.ResponseWriter, r *http.Request) error {
	in.setSession(w, r, session{}, -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

// localPath keeps redirects on this site.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
		return "/"
	}
	return to
}

// personName is a name as it goes into the ledger.
func personName(name string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, name))
	for len(name) > nameLimit {
		runes := []rune(name)
		name = string(runes[:len(runes)-1])
	}
	return name
}

// bearer says that a system may use the API.
func (in *Inbox) bearer(r *http.Request) bool {
	if in.cfg.Token == "" {
		return true // guarded has seen that it is local
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(strings.TrimSpace(token)), []byte(in.cfg.Token)) == 1
}
