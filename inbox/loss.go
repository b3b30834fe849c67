package inbox

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// lossView is an output that lacks something, beside its source.
type lossView struct {
	Name        string
	Losses      []string
	Numbers     string // of words; empty where none were compared
	Source      document
	Outputs     []document
	Differences []difference
}

// document is a file that somebody may look at before they answer.
type document struct {
	Name, Path, Size string
	URL              string // empty where this machine does not show it
	Picture          bool
}

// difference is a place where words are missing.
type difference struct {
	Source []passage
	Output string
}

type passage struct {
	Text    string
	Missing bool
}

const (
	maxDifferences = 1 << 20 // bytes of the file with them
	whichSource    = "source"
)

// lossOf is what the page shows of a question about a loss; nil of any other.
func (in *Inbox) lossOf(runID string, q questions.Question) *lossView {
	if q.Loss == nil {
		return nil
	}
	loss := q.Loss
	v := &lossView{Name: loss.Name, Losses: loss.Held.Losses}
	if c := loss.Check; c.Words > 0 {
		v.Numbers = comparedText(&c)
	}
	v.Source = in.document(runID, q, whichSource, loss.Name, filePath(loss.Source), false)
	for i, file := range loss.Held.Files {
		d := in.document(runID, q, fmt.Sprint(i+1), file.Name, heldPath(loss, file.Part), true)
		d.Size = term.Bytes(file.Size)
		v.Outputs = append(v.Outputs, d)
	}
	v.Differences = in.differences(loss)
	return v
}

// comparedText is what a comparison came to; empty where there was none.
func comparedText(c *activities.CheckResult) string {
	switch {
	case c == nil:
		return ""
	case c.Skipped != "":
		return "Not compared with the source: " + c.Skipped
	case c.Words == 0 && c.Losses == 0:
		return "Compared with the source: nothing is missing"
	case c.Words == 0:
		return "Compared with the source: " + term.Plural(c.Losses, "loss", "losses")
	}
	return fmt.Sprintf("Compared with the source: %d of %s missing, %s", c.Missing, term.Plural(c.Words, "word", "words"), term.Plural(c.Losses, "loss", "losses"))
}

func (in *Inbox) document(runID string, q questions.Question, which, name, at string, held bool) document {
	d := document{Name: name, Path: at, Picture: slices.Contains(pictures, mediaType(name))}
	if in.cfg.Documents == nil || at == "" {
		return d
	}
	file, err := in.cfg.Documents(at, held)
	if err != nil {
		return d
	}
	_ = file.Close()
	d.URL = "/documents/" + url.PathEscape(runID) + "/" + url.PathEscape(q.SlotID) + "/" + which
	return d
}

// filePath is the path of a file:// URL; empty where it is none.
func filePath(text string) string {
	at, err := url.Parse(text)
	if err != nil || at.Scheme != "file" || !filepath.IsAbs(at.Path) {
		return ""
	}
	return filepath.Clean(at.Path)
}

// heldPath is where a held file is; empty where its name leads elsewhere.
func heldPath(loss *questions.Loss, part string) string {
	folder := filePath(loss.Folder)
	if folder == "" || part == "" || path.Base(part) != part || !filepath.IsLocal(part) {
		return ""
	}
	return filepath.Join(folder, part)
}

// differences reads the places where words are missing; none where they are not to be had.
func (in *Inbox) differences(loss *questions.Loss) []difference {
	at := heldPath(loss, loss.Held.Differences)
	if in.cfg.Documents == nil || at == "" {
		return nil
	}
	file, err := in.cfg.Documents(at, true)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	var read []struct {
		Source, Output string
		Missing        []string
	}
	if json.NewDecoder(io.LimitReader(file, maxDifferences)).Decode(&read) != nil {
		return nil
	}

	var out []difference
	for _, one := range read {
		out = append(out, difference{Source: marked(one.Source, one.Missing), Output: one.Output})
	}
	return out
}

// marked cuts a text at the words that are missing, in their order.
func marked(text string, missing []string) []passage {
	var out []passage
	var plain []string
	flush := func() {
		if len(plain) > 0 {
			out = append(out, passage{Text: strings.Join(plain, " ")})
			plain = nil
		}
	}
	for _, word := range strings.Fields(text) {
		at := slices.Index(missing, word)
		if at < 0 {
			plain = append(plain, word)
			continue
		}
		missing = slices.Delete(slices.Clone(missing), at, at+1)
		flush()
		out = append(out, passage{Text: word, Missing: true})
	}
	flush()
	return out
}

// plainTexts are the formats that are shown as text, whatever is in them.
var plainTexts = []string{".txt", ".md", ".csv", ".html", ".htm", ".json", ".rtf"}

func mediaType(name string) string {
	kind, _, _ := mime.ParseMediaType(mime.TypeByExtension(strings.ToLower(filepath.Ext(name))))
	return kind
}

// showDocument shows a file that an open question of the run is about, and no other.
func (in *Inbox) showDocument(w http.ResponseWriter, r *http.Request) {
	open, err := in.questions(r, r.PathValue("id"))
	at := slices.IndexFunc(open, func(q questions.Question) bool { return q.SlotID == r.PathValue("slot") && q.Loss != nil })
	if err != nil || at < 0 || in.cfg.Documents == nil {
		http.Error(w, "there is no such document", http.StatusNotFound)
		return
	}

	loss, which := open[at].Loss, r.PathValue("which")
	name, where := loss.Name, filePath(loss.Source)
	if which != whichSource {
		name, where = "", ""
		for i, file := range loss.Held.Files {
			if fmt.Sprint(i+1) == which {
				name, where = file.Name, heldPath(loss, file.Part)
			}
		}
	}
	if where == "" {
		http.Error(w, "there is no such document", http.StatusNotFound)
		return
	}
	file, err := in.cfg.Documents(where, which != whichSource)
	if err != nil {
		http.Error(w, "this machine does not have the document, or may not show it", http.StatusNotFound)
		return
	}
	defer func() { _ = file.Close() }()
	sendDocument(w, name, file)
}

// sendDocument shows pictures and texts, and has everything else downloaded under its name.
func sendDocument(w http.ResponseWriter, name string, body io.Reader) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch kind := mediaType(name); {
	case slices.Contains(pictures, kind):
		h.Set("Content-Type", kind)
	case slices.Contains(plainTexts, strings.ToLower(filepath.Ext(name))):
		h.Set("Content-Type", "text/plain; charset=utf-8")
	default:
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": safeName(name)}))
	}
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler) // what was sent is no complete document
	}
}
