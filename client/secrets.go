package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
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

// apiKey never prints.
type apiKey string

// Format hides the key from every fmt verb.
func (apiKey) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "(key)") }

// MarshalText hides it from JSON and logs.
func (apiKey) MarshalText() ([]byte, error) { return []byte("(key)"), nil }

const hidden = "(redacted)"

// Texts of a service, of what stands before it and of its storage may repeat what they were sent, or links that were
// handed out. These are the forms in which such secrets are known by their looks; own ones are known by their value.
var (
	// secretPairs are names and values of queries and forms, plain or escaped.
	secretPairs = regexp.MustCompile(`(?i)((?:x-(?:amz|goog)-[a-z-]+|signature|token|secret|password|policy|credential|sig|api[_-]?key|awsaccesskeyid)(?:=|%3d))[^\s"'&;,<>]+`)
	// secretFields are names and values of headers and JSON. A short value is a word of a sentence.
	secretFields = regexp.MustCompile(`(?i)((?:x-(?:amz|goog)-[a-z-]+|signature|authorization|policy)\\?"?\s*:\s*[\["\\]*)(?:(?:bearer|basic)\s+)?[^\s"'&;,<>\]\\]{16,}`)
	// secretWords tell what they are by themselves.
	secretWords = regexp.MustCompile(`\b(?:ck|cvl|cvi|whsec)_[A-Za-z0-9_+/=-]{8,}`)
)

// secrets are values that whoever is asked learns, and that nothing of ours may repeat.
type secrets []string

// secretMin keeps words out that happen to be values, in bytes.
const secretMin = 8

// linkSecrets are those of a storage link.
func linkSecrets(link PresignedURL) secrets {
	u, err := url.Parse(string(link))
	if err != nil {
		return nil
	}
	out := secrets{u.RawQuery}
	for _, values := range u.Query() {
		out = append(out, values...)
	}
	return out
}

// clean takes secrets out of a text.
func (s secrets) clean(text string) string {
	for _, value := range s {
		if len(value) >= secretMin {
			text = strings.ReplaceAll(text, value, hidden)
		}
	}
	if strings.ContainsAny(text, "=%") { // most texts are free of such signs, and a look for them costs nothing
		text = secretPairs.ReplaceAllString(text, "${1}"+hidden)
	}
	if strings.Contains(text, ":") {
		text = secretFields.ReplaceAllString(text, "${1}"+hidden)
	}
	if strings.Contains(text, "_") {
		text = secretWords.ReplaceAllString(text, hidden)
	}
	return text
}

// cleanReply takes secrets out of a reply that holds nothing but prose, JSON or not. One without any stays as it came.
func (s secrets) cleanReply(body []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || decoder.More() {
		return []byte(s.clean(string(body)))
	}
	changed := false
	value = s.cleanValue(value, &changed)
	if !changed {
		return body
	}
	out, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return out
}

func (s secrets) cleanValue(value any, changed *bool) any {
	switch v := value.(type) {
	case string:
		text := s.clean(v)
		*changed = *changed || text != v
		return text
	case []any:
		for i := range v {
			v[i] = s.cleanValue(v[i], changed)
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			cleanName := s.clean(name)
			*changed = *changed || cleanName != name
			out[cleanName] = s.cleanValue(member, changed)
		}
		return out
	}
	return value
}

// strip takes the values alone out of a reply that holds links on purpose.
func (s secrets) strip(body []byte) []byte {
	for _, value := range s {
		if len(value) >= secretMin {
			body = bytes.ReplaceAll(body, []byte(value), []byte(hidden))
		}
	}
	return body
}

// quoted is what an error repeats of a URL or of a reply.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// BareError takes the URL, and what is quoted of it or of a reply, out of an error of net/http or of decoding.
func BareError(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	if text := err.Error(); quoted.MatchString(text) {
		return errors.New(quoted.ReplaceAllString(text, hidden))
	}
	return err
}
