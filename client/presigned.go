package client

import (
	"fmt"
	"net/url"
)

// PresignedURL is a URL whose query is a secret. It prints without its query and user part whatever
// the verb; string(u) is the way to the whole, for a request and nothing else. JSON carries the whole:
// a model is data.
type PresignedURL string

// String is the URL without its secret parts.
func (u PresignedURL) String() string { return RedactURL(string(u)) }

// Format keeps the secret out of every fmt verb, %#v and %x included.
func (u PresignedURL) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		_, _ = fmt.Fprintf(f, "%q", u.String())
		return
	}
	_, _ = fmt.Fprint(f, u.String())
}

// RedactURL drops user, query and fragment of a URL, and says so. What cannot be parsed is dropped whole.
func RedactURL(raw string) string {
	if raw == "" {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "(unparsable URL)"
	}
	secret := u.RawQuery != "" || u.User != nil || u.Fragment != ""
	u.User, u.RawQuery, u.Fragment, u.RawFragment = nil, "", "", ""
	if secret {
		return u.String() + "?(redacted)"
	}
	return u.String()
}
