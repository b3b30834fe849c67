package inbox

import (
	"net/http"
	"net/url"

	"github.com/convilyn/convilyn-temporal/internal/login"
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
		if (in.cfg.Token == "" || in.cfg.Local) && !login.IsLocal(r) {
			writeFault(w, http.StatusForbidden, "NOT_LOCAL", "without a token of its own the inbox serves this machine alone, under a name such as localhost")
			return
		}
		next.ServeHTTP(w, r)
	})
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
			if code := in.gate.Check(r, login.Bearer(r)); code != http.StatusOK {
				w.Header().Set("WWW-Authenticate", "Bearer")
				writeFault(w, code, "UNAUTHORIZED", "give the inbox's token as Authorization: Bearer")
				return
			}
		}
		next(w, r)
	})
}

func (in *Inbox) remember(w http.ResponseWriter, r *http.Request, name string) {
	in.gate.Remember(w, r, personName(name))
}
