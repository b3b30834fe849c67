package login

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// Protect puts the gate before a page that has no login of its own. It serves this machine alone, under a name of it; programs
// show the token as Authorization: Bearer. about tells people on the form which page it is, and where the token is.
func (g *Gate) Protect(next http.Handler, about About) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		if token := r.FormValue("token"); token != "" {
			g.logIn(w, r, token, about)
			return
		}
		about.ask(w, http.StatusOK, LocalPath(r.FormValue("next")), "")
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		g.logIn(w, r, r.PostFormValue("token"), about)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { g.pass(w, r, next) })

	sameOrigin := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Referrer-Policy", "same-origin")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		if !IsLocal(r) {
			http.Error(w, "this page serves this machine alone, under a name such as localhost", http.StatusForbidden)
			return
		}
		sameOrigin.ServeHTTP(w, r)
	})
}

// About is what the form says of a page.
type About struct{ Title, Hint string }

func (g *Gate) pass(w http.ResponseWriter, r *http.Request, next http.Handler) {
	_, known := g.Session(r)
	if token := Bearer(r); !known && token != "" {
		known = g.Check(r, token) == http.StatusOK
	}

	switch {
	case known:
		next.ServeHTTP(w, r)
	case r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
		http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "log in, or give the token as Authorization: Bearer", http.StatusUnauthorized)
	}
}

func (g *Gate) logIn(w http.ResponseWriter, r *http.Request, token string, about About) {
	next := LocalPath(r.FormValue("next"))
	switch code := g.Check(r, token); code {
	case http.StatusOK:
		s, _ := g.Session(r)
		g.Remember(w, r, s.Name)
		http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // LocalPath has made it a path of ours
	case http.StatusTooManyRequests:
		about.ask(w, code, next, "Too many wrong tokens from here. Wait a minute.")
	default:
		about.ask(w, code, next, "That is not the token.")
	}
}

var form = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in: {{.Title}}</title>
<style>
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 12vh auto; padding: 0 1rem }
h1 { font-size: 1.3rem }
label { display: block; font-weight: 600 }
input, button { font: inherit; box-sizing: border-box; width: 100%; padding: .6rem; margin: .5rem 0 }
code { overflow-wrap: anywhere }
[role=alert] { color: light-dark(#a11, #f88) }
</style>
<main>
<h1>{{.Title}}</h1>
{{with .Fault}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="/login">
<input type="hidden" name="next" value="{{.Next}}">
<label>Token<input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button>Log in</button>
</form>
<p>{{.Hint}}</p>
</main>
`))

func (a About) ask(w http.ResponseWriter, code int, next, fault string) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_ = form.Execute(w, struct {
		About
		Next, Fault string
	}{a, next, fault})
}
