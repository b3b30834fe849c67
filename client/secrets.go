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
// handed out. Own secrets are known by their value; these are the shapes of others, which ordinary prose does not have. Texts
// are also about documents: numbers of policies, hashes and file names are no secrets.
var (
	// secretPairs are names and values of queries and forms, plain or escaped.
	secretPairs = regexp.MustCompile(`(?i)(x-(?:amz|goog)-[a-z-]+|awsaccesskeyid|secret_?access_?key|password|secret|api[_-]?key|signature|token|policy|credential|sig)(=|%3d)([^\s"'&;,<>]+)`)
	// secretFields are names and values of headers and JSON.
	secretFields = regexp.MustCompile(`(?i)(x-(?:amz|goog)-[a-z-]+|secret_?access_?key|signature|authorization|policy)(\\?"?\s*:\s*[\["\\]*(?:(?:bearer|basic)\s+)?)([^\s"'&;,<>\]\\]{16,})`)
	// secretBearers are what follows the word.
	secretBearers = regexp.MustCompile(`(?i)(\bbearer)(\s+)([A-Za-z0-9._~+/=-]{16,})`)
	// secretWords tell what they are by themselves: keys of Convilyn, of webhooks, of AWS and Google, and JWTs.
	secretWords = regexp.MustCompile(`\b(?:(?:ck|cvl|cvi)_[A-Za-z0-9_+/=-]{8,}|whsec_[A-Za-z0-9_+/=-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}\b|AIza[A-Za-z0-9_-]{35}|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})`)
)

const (
	// opaqueLeast is how long a run of letters and digits is that nobody would write, in bytes. The longest of a UUID has 12.
	opaqueLeast = 16
	// opaqueLong is for values that only have a name before them, as a sentence about a document has.
	opaqueLong = 40
)

// opaque reports whether part of a value is at least so long and mixes digits and letters, small ones among them unless upper.
// Words, numbers of documents and dates with hyphens between them do not.
func opaque(value string, least int, upper bool) bool {
	for _, part := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune("-_.", r) }) {
		letters := strings.ContainsAny(part, "abcdefghijklmnopqrstuvwxyz") || upper && strings.ContainsAny(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		if len(part) >= least && letters && strings.ContainsAny(part, "0123456789") {
			return true
		}
	}
	return false
}

// secretPair decides about a name and a value with an equals sign between them.
func secretPair(name, _, value string) bool {
	switch strings.ToLower(name) {
	case "signature", "sig", "token", "policy", "credential":
		return opaque(value, opaqueLeast, false)
	default:
		return true
	}
}

// secretField decides about a name and a value with a colon between them.
func secretField(name, between, value string) bool {
	between = strings.ToLower(between)
	switch strings.ToLower(name) {
	case "authorization":
		return strings.Contains(between, "bearer") || strings.Contains(between, "basic") || opaque(value, opaqueLeast, false)
	case "signature", "policy":
		return strings.Contains(between, `"`) && opaque(value, opaqueLeast, false) || len(value) >= opaqueLong && opaque(value, opaqueLeast, false)
	default:
		return true
	}
}

func secretBearer(_, _, value string) bool { return opaque(value, opaqueLeast, false) }

// hideValues hides the third group of each match that is a secret.
func hideValues(pattern *regexp.Regexp, text string, isSecret func(name, between, value string) bool) string {
	var out strings.Builder
	end := 0
	for _, at := range pattern.FindAllStringSubmatchIndex(text, -1) {
		if isSecret(text[at[2]:at[3]], text[at[4]:at[5]], text[at[6]:at[7]]) {
			out.WriteString(text[end:at[6]])
			out.WriteString(hidden)
			end = at[7]
		}
	}
	if end == 0 {
		return text
	}
	return out.String() + text[end:]
}

// keyPart is the shortest run of letters and digits in a key, in bytes.
const keyPart = 12

func hideWord(word string) string {
	for _, prefix := range []string{"ck_", "cvl_", "cvi_"} {
		if body, found := strings.CutPrefix(word, prefix); found && !opaque(body, keyPart, true) {
			return word // a name that begins alike
		}
	}
	return hidden
}

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
		text = hideValues(secretPairs, text, secretPair)
	}
	if strings.Contains(text, ":") {
		text = hideValues(secretFields, text, secretField)
	}
	text = hideValues(secretBearers, text, secretBearer)
	return secretWords.ReplaceAllStringFunc(text, hideWord)
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
