package inbox

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// frame is what every page has around it.
type frame struct {
	Title   string
	Person  string // who is logged in
	Login   bool   // there is a login to leave
	Bare    bool   // without the way to other pages
	Version string // of what is shown; empty on pages that do not change
	Live    string // the run that is watched; empty for everything
	Here    string // this page, to be loaded again
}

func (in *Inbox) frame(r *http.Request, title string) frame {
	s, known := in.session(r)
	query := r.URL.Query()
	query.Del("said")
	here := r.URL.EscapedPath()
	if encoded := query.Encode(); encoded != "" {
		here += "?" + encoded
	}
	return frame{Title: title, Person: s.Name, Login: known && in.cfg.Token != "", Bare: !in.admitted(r), Here: here}
}

func runPath(id string) string      { return "/runs/" + url.PathEscape(id) }
func groupPath(key string) string   { return "/groups/" + url.PathEscape(key) }
func previewPath(run string) string { return "/previews/" + url.PathEscape(run) }

func temporalPath(root, namespace, id, runID string) string {
	return strings.TrimRight(root, "/") + "/namespaces/" + url.PathEscape(namespace) + "/workflows/" + url.PathEscape(id) + "/" + url.PathEscape(runID) + "/history"
}

func parsePages(in *Inbox) (map[string]*template.Template, error) {
	funcs := template.FuncMap{
		"ago": in.ago, "until": in.until, "exact": exact, "runPath": runPath, "place": placeName, "cut": cut, "value": valueText,
		"bytes": term.Bytes, "took": took, "name": nameOf, "plural": term.Plural, "verdict": verdictClass, "atDeadline": atDeadline, "step": stepText, "goal": goalText,
		"mark": mark, "folded": func(code string) bool { return code == batch.CodesOther }, "tally": func(p *batch.Progress) tally { return tallyOf(*p) },
	}
	out := map[string]*template.Template{}
	for _, name := range []string{"list", "run", "batch", "watch", "group", "link", "login", "message"} {
		t, err := template.New(name).Funcs(funcs).ParseFS(page, "page/base.html", "page/question.html", "page/parts.html", "page/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("the page %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

// goalText is a goal's id without what only machines need: "document binder". A goal told in words stays as it is.
func goalText(id string) string {
	_, name, found := strings.Cut(id, ".")
	if !found || name == "" || strings.ContainsAny(id, " \t\n") {
		return id
	}
	return strings.ReplaceAll(name, "_", " ")
}

func (in *Inbox) ago(t time.Time) string { return term.Age(in.cfg.Clock().Sub(t)) }

// until is "in 3 h", or "overdue by 5 min".
func (in *Inbox) until(t *time.Time) string {
	if left := t.Sub(in.cfg.Clock()); left > 0 {
		return "in " + term.Age(left)
	}
	return "overdue by " + term.Age(in.cfg.Clock().Sub(*t))
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
