package inbox

import (
	"net/http"

	"github.com/convilyn/convilyn-temporal/internal/login"
)

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

func (in *Inbox) postLogout(w http.ResponseWriter, r *http.Request) {
	in.gate.Forget(w, r)
	in.redirectTo(w, r, "/login")
}
