package inbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard is around everything: headers, and who may knock at all.
func (in *Inbox) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // a link's token stays here, and forms still name their origin
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if in.cfg.Token == "" && !isLocal(r) {
			writeFault(w, http.StatusForbidden, "NOT_LOCAL", "without a token the inbox serves this machine alone, under a name such as localhost")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocal wants both ends to be this machine: a foreign page that points its own name at 127.0.0.1 fails by the name.
func isLocal(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback() && isLoopbackName(r.Host)
}

func isLoopbackName(host string) bool {
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

// private asks for a login first.
func (in *Inbox) private(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case in.admitted(r):
			next(w, r)
		case r.Method == http.MethodGet && r.Header.Get("Upgrade") == "":
			in.redirectTo(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()))
		default:
			in.renderMessage(w, r, http.StatusUnauthorized, "Not logged in", "Log in and send it again.")
		}
	})
}

// bearer admits programs by the token itself. A browser's cookie is not taken: the API is for programs.
func (in *Inbox) bearer(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if in.cfg.Token != "" {
			given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if code := in.checkToken(r, given); code != http.StatusOK {
				w.Header().Set("WWW-Authenticate", "Bearer")
				writeFault(w, code, "UNAUTHORIZED", "give the inbox's token as Authorization: Bearer")
				return
			}
		}
		next(w, r)
	})
}

// checkToken is 200, 401, or 429 where an address has guessed too often.
func (in *Inbox) checkToken(r *http.Request, given string) int {
	wanted, got := sha256.Sum256([]byte(in.cfg.Token)), sha256.Sum256([]byte(given))
	same := subtle.ConstantTimeCompare(wanted[:], got[:]) == 1
	if !in.attempts.allow(r, in.cfg.Clock(), same) {
		return http.StatusTooManyRequests
	}
	if !same {
		return http.StatusUnauthorized
	}
	return http.StatusOK
}

// loginPage is the page that asks for the token and a name.
type loginPage struct {
	frame
	Next, Fault string
	NeedToken   bool
}

func (in *Inbox) showLogin(w http.ResponseWriter, r *http.Request) {
	in.render(w, http.StatusOK, "login", loginPage{frame: in.frame(r, "Log in"), Next: localPath(r.FormValue("next")), NeedToken: in.cfg.Token != ""})
}

func (in *Inbox) postLogin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		in.refuseForm(w, r, err)
		return
	}
	next := localPath(r.PostFormValue("next"))
	if in.cfg.Token != "" {
		if code := in.checkToken(r, r.PostFormValue("token")); code != http.StatusOK {
			fault := "That is not the token."
			if code == http.StatusTooManyRequests {
				fault = "Too many wrong tokens from here. Wait a minute."
			}
			in.render(w, code, "login", loginPage{frame: in.frame(r, "Log in"), Next: next, NeedToken: true, Fault: fault})
			return
		}
	}
	in.remember(w, r, r.PostFormValue("name"))
	in.redirectTo(w, r, next)
}

func (in *Inbox) postLogout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, in.cookie(r, "", -1))
	in.redirectTo(w, r, "/login")
}

// localPath is a place of ours to go on to; "/" for anything else.
func localPath(text string) string {
	at, err := url.Parse(text)
	if err != nil || at.IsAbs() || at.Host != "" || !strings.HasPrefix(at.Path, "/") || strings.HasPrefix(at.Path, "//") || strings.Contains(text, "\\") {
		return "/"
	}
	return at.RequestURI()
}
