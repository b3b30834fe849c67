package inbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/internal/term"
)

// goalText is a goal's id without what only machines need: "document binder". A goal told in words stays as it is.
func goalText(id string) string {
	_, name, found := strings.Cut(id, ".")
	if !found || name == "" || strings.ContainsAny(id, " \t\n") {
		return id
	}
	return strings.ReplaceAll(name, "_", " ")
}

func exact(t any) string {
	switch t := t.(type) {
	case time.Time:
		return t.UTC().Format("2006-01-02 15:04:05 UTC")
	case *time.Time:
		if t != nil {
			return exact(*t)
		}
	}
	return ""
}

func took(from time.Time, to *time.Time) string {
	if to == nil {
		return ""
	}
	return term.Span(to.Sub(from))
}

// valueText shows an answer's value: uploads by their names, lists with commas.
func valueText(raw json.RawMessage) string {
	var list []string
	if json.Unmarshal(raw, &list) == nil && raw != nil {
		return cut(strings.Join(list, ", "), 300)
	}
	text := textOf(raw)
	if at, err := url.Parse(text); err == nil && at.Scheme == "file" {
		return at.Path[strings.LastIndexByte(at.Path, '/')+1:]
	}
	return cut(text, 300)
}

func verdictClass(v any) string {
	switch fmt.Sprint(v) {
	case "accepted", "duplicate":
		return "good"
	case "early":
		return "calm"
	}
	return "bad"
}

func atDeadline(what string) string {
	switch what {
	case "default":
		return "then the default is taken"
	case "cancel":
		return "then the run is cancelled"
	case "", "fail":
		return "then the run fails"
	}
	return what
}

// stepText names the steps of activities for people.
func stepText(step string) string {
	switch step {
	case "UploadFile":
		return "upload"
	case "CreateConversion":
		return "create"
	case "AwaitConversion":
		return "convert"
	case "DownloadResults":
		return "download"
	case "":
		return "between steps"
	}
	return cut(step, 60)
}

func nameOf(name, id string) string {
	if name != "" {
		return name
	}
	return id
}

func runPath(id string) string { return "/runs/" + url.PathEscape(id) }

func groupPath(key string) string { return "/groups/" + url.PathEscape(key) }

func previewPath(run string) string { return "/previews/" + url.PathEscape(run) }

func temporalPath(root, namespace, id, runID string) string {
	return strings.TrimRight(root, "/") + "/namespaces/" + url.PathEscape(namespace) + "/workflows/" + url.PathEscape(id) + "/" + url.PathEscape(runID) + "/history"
}

// mark is a short name for values: the same for the same ones.
func mark(values ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v", values))
	return hex.EncodeToString(sum[:8])
}

// textOf is a string as it is, any other JSON as written, and nothing for null.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// cut bounds text in bytes, at a whole rune.
func cut(text string, limit int) string {
	text = term.Printable(text)
	if len(text) <= limit {
		return text
	}
	text = text[:limit]
	for !utf8.ValidString(text) && len(text) > 0 {
		text = text[:len(text)-1]
	}
	return text + "…"
}

func quote(text string) json.RawMessage {
	body, err := json.Marshal(text)
	if err != nil {
		return nil // a string can always be written
	}
	return body
}

const maxName = 120 // bytes of a person's name

// personName is one short line.
func personName(text string) string {
	return cut(strings.Join(strings.Fields(text), " "), maxName)
}
