package inbox

import (
	"net/http"
	"net/url"

	"github.com/convilyn/convilyn-temporal/internal/login"
)

const maxBody = 1 << 20 // of requests that carry no files, bytes

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

// loginPage is the page that asks for the token and a name.
type loginPage struct {
	frame
	Next, Fault string
	NeedToken   bool
}

// showLogin also takes the token from a link, which a terminal prints.
func (in *Inbox) showLogin(w http.ResponseWriter, r *http.Request) {
	if token := r.FormValue("token"); in.cfg.Token != "" && token != "" {
		s, _ := in.gate.Session(r)
		in.logIn(w, r, token, s.Name)
		return
	}
	in.render(w, http.StatusOK, "login", loginPage{frame: in.frame(r, "Log in"), Next: login.LocalPath(r.FormValue("next")), NeedToken: in.cfg.Token != ""})
}

func (in *Inbox) postLogin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		in.refuseForm(w, r, err)
		return
	}
	in.logIn(w, r, r.PostFormValue("token"), r.PostFormValue("name"))
}

func (in *Inbox) logIn(w http.ResponseWriter, r *http.Request, token, name string) {
	next := login.LocalPath(r.FormValue("next"))
	if in.cfg.Token != "" {
		if code := in.gate.Check(r, token); code != http.StatusOK {
			fault := "That is not the token."
			if code == http.StatusTooManyRequests {
				fault = "Too many wrong tokens from here. Wait a minute."
			}
			in.render(w, code, "login", loginPage{frame: in.frame(r, "Log in"), Next: next, NeedToken: true, Fault: fault})
			return
		}
	}
	in.remember(w, r, name)
	in.redirectTo(w, r, next)
}

func (in *Inbox) remember(w http.ResponseWriter, r *http.Request, name string) {
	in.gate.Remember(w, r, personName(name))
}

func (in *Inbox) admitted(r *http.Request) bool {
	if in.cfg.Token == "" {
		return true // guard has seen to it
	}
	_, ok := in.gate.Session(r)
	return ok
}

func (in *Inbox) postLogout(w http.ResponseWriter, r *http.Request) {
	in.gate.Forget(w, r)
	in.redirectTo(w, r, "/login")
}
