package inbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/workflows"
)

func (in *Inbox) render(w http.ResponseWriter, status int, name string, data any) {
	var buffer bytes.Buffer
	if err := in.pages.ExecuteTemplate(&buffer, name, data); err != nil {
		in.cfg.Logger.Error("a page could not be rendered", zap.String("page", name), zap.Error(err))
		http.Error(w, "This page could not be shown; the log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(buffer.Bytes())
}

func (in *Inbox) funcs() template.FuncMap {
	return template.FuncMap{
		"since":   func(at time.Time) string { return span(in.cfg.Clock().Sub(at)) },
		"until":   func(at *time.Time) string { return span(at.Sub(in.cfg.Clock())) },
		"soon":    func(at *time.Time) bool { return at != nil && at.Sub(in.cfg.Clock()) < 4*time.Hour },
		"stamp":   func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") },
		"rfc":     func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"escape":  url.PathEscape,
		"percent": func(confidence *float64) string { return fmt.Sprintf("%.0f %%", *confidence*100) },
		"value":   valueText,
		"goal":    goalText,
		"by":      byText,
		"image":   shownInline,
		"number":  func(i int) int { return i + 1 },
		"bytes":   bytesText,
		"verdict": func(v workflows.Verdict) string { return string(v) },
	}
}

// span is a time in the words of somebody who glances at it.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "overdue"
	case d < time.Minute:
		return "moments"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// valueText is an answer for people.
func valueText(raw json.RawMessage) string {
	values := suggested(raw)
	text := strings.Join(values, ", ")
	const longest = 160
	if len(text) > longest {
		for i := longest; i > 0; i-- {
			if utf8.RuneStart(text[i]) {
				return text[:i] + "…"
			}
		}
	}
	return text
}

// goalText is a goal's id without the parts that only machines need.
func goalText(id string) string {
	_, name, found := strings.Cut(id, ".")
	if !found || strings.ContainsAny(id, " ") {
		return id
	}
	return strings.ReplaceAll(name, "_", " ")
}

func byText(r workflows.Receipt) string {
	switch {
	case r.Automatic:
		return "the slot policy"
	case r.AnsweredBy != "":
		return r.AnsweredBy
	case r.Channel == workflows.ChannelElsewhere:
		return "somebody in Convilyn"
	default:
		return "somebody"
	}
}

func bytesText(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}

// sentence makes a reason fit to stand alone.
func sentence(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(r)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
