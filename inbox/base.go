package inbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// locate reads where people reach the inbox.
func (in *Inbox) locate() error {
	if in.cfg.URL == "" {
		return nil
	}
	at, err := url.Parse(in.cfg.URL)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return fmt.Errorf("the inbox's address %q is not http(s)://host/path", in.cfg.URL)
	}
	in.base, in.origin = strings.TrimRight(at.EscapedPath(), "/"), at.Scheme+"://"+at.Host
	return nil
}

// at is a path of ours as browsers ask for it.
func (in *Inbox) at(path string) string { return in.base + path }

// rebase takes the path of the address off: proxies hand it on, or do not.
func (in *Inbox) rebase(next http.Handler) http.Handler {
	if in.base == "" {
		return next
	}
	strip := http.StripPrefix(in.base, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.EscapedPath(); {
		case path == in.base:
			http.Redirect(w, r, in.at("/"), http.StatusMovedPermanently)
		case strings.HasPrefix(path, in.base+"/"):
			strip.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// redirectTo leads to a path of ours.
func (in *Inbox) redirectTo(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, in.at(path), http.StatusSeeOther)
}

// ours reports whether a request comes from a page of ours, by its origin: the host that it is for, or the address.
func (in *Inbox) ours(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	from, err := url.Parse(origin)
	return origin == "" || in.origin != "" && origin == in.origin || err == nil && strings.EqualFold(from.Host, r.Host)
}
