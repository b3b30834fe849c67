package inbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html/atom"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/login"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// fresh has the bench serve one more execution, with nothing left of the last one.
func (b *bench) fresh(t *testing.T, all map[string]*runstest.Run) *runstest.Temporal {
	t.Helper()
	b.t, b.temporal, b.jar, b.gate = t, newTemporal(), nil, login.New(b.cfg.Secret, b.cfg.Token, b.cfg.Clock)
	for id, run := range all {
		b.add(id, run)
	}
	b.runs = &runs.Client{Temporal: b.temporal}
	return b.temporal
}

// whole checks what every reply is, and returns the body.
func whole(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	body := w.Body.String()
	require.Less(t, w.Code, 500, body)
	for name, values := range w.Header() {
		require.NotContains(t, name+strings.Join(values, ""), "\n")
		require.NotContains(t, name+strings.Join(values, ""), "\r")
	}
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
	switch kind := w.Header().Get("Content-Type"); {
	case strings.HasPrefix(kind, "text/html") && strings.HasPrefix(body, "<!DOCTYPE"):
		sound(t, body)
	case kind == "application/json":
		require.True(t, json.Valid(w.Body.Bytes()), body)
	}
	if to := w.Header().Get("Location"); to != "" {
		requireOurs(t, to)
	}
	return body
}

// kinds are questions of every control.
var kinds = []questions.Question{
	{Slot: slot.Slot{Type: "choice", Options: options("x", "y", `"><zq zq=1>`)}},
	{Slot: slot.Slot{Type: "choice", Options: options("x", "y"), FreeText: "or an id"}},
	{Slot: slot.Slot{Type: "choice", Options: options("a", "b", "c", "d", "e", "f", "g", "h", "i")}},
	{Slot: slot.Slot{Type: "choice"}},
	{Slot: slot.Slot{Type: "multi_choice", Options: options("x", "y", "z")}},
	{Slot: slot.Slot{Type: "multi_choice", Options: options("x", "y", "z"), Suggested: json.RawMessage(`["z","x","y"]`)}},
	{Slot: slot.Slot{Type: "multi_choice"}},
	{Slot: slot.Slot{Type: "text"}},
	{Slot: slot.Slot{Type: "text", Suggested: json.RawMessage(`"a\nb"`)}},
	{Slot: slot.Slot{Type: "number"}},
	{Slot: slot.Slot{Type: "boolean"}},
	{Slot: slot.Slot{Type: "date"}},
	{Slot: slot.Slot{Type: "file"}},
	{Slot: slot.Slot{Type: "matrix"}},
	{Slot: slot.Slot{Type: "rating"}},
}

func kindOf(n byte) questions.Question {
	q := kinds[int(n)%len(kinds)]
	q.SlotID, q.Text = "s", "A question"
	return q
}

// fits reports whether a value is an answer of the question's type, by what the contract says of it.
func fits(q questions.Question, raw json.RawMessage) bool {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return false
	}
	offered := func(item any) bool {
		text, isText := item.(string)
		return isText && (len(q.Options) == 0 || q.FreeText != "" && strings.TrimSpace(text) != "" || slices.ContainsFunc(q.Options, func(o activities.Option) bool { return o.Value == text }))
	}
	named := func(item any) bool { text, isText := item.(string); return isText && text != "" }
	all := func(holds func(any) bool) bool {
		list, isList := value.([]any)
		return isList && !slices.ContainsFunc(list, func(item any) bool { return !holds(item) })
	}
	number, isNumber := value.(float64)
	text, isText := value.(string)
	switch q.Type {
	case "choice":
		return offered(value)
	case "multi_choice":
		return all(offered)
	case "text":
		return isText
	case "date":
		_, err := time.Parse(time.DateOnly, text)
		return isText && err == nil
	case "file":
		return named(value) || all(named) && string(raw) != "[]"
	case "number":
		return isNumber
	case "rating":
		return isNumber && slices.Contains([]float64{1, 2, 3, 4, 5}, number)
	case "boolean":
		return value == true || value == false
	}
	return true
}

// readsDisk reports whether a run would read a file of its worker for the value.
func readsDisk(value json.RawMessage) bool {
	var one string
	var many []string
	if json.Unmarshal(value, &one) == nil {
		many = []string{one}
	} else {
		_ = json.Unmarshal(value, &many)
	}
	for _, text := range many {
		if strings.HasPrefix(text, "file://") {
			return true
		}
	}
	return false
}

// bounded checks what goes along with an answer.
func bounded(t *testing.T, a questions.Answer) {
	t.Helper()
	require.NotEmpty(t, a.SlotID)
	require.True(t, json.Valid(a.Value), "%q", a.Value)
	require.LessOrEqual(t, len(a.Note), maxNote+len("…"))
	require.LessOrEqual(t, len(a.AnsweredBy), maxName+len("…"))
	require.NotContains(t, a.AnsweredBy, "\n")
}

func linkTo(q questions.Question) string {
	return "/answer/" + link.Sign(testSecret, link.Claim{
		WorkflowID: "w", SlotID: q.SlotID, Round: 1, Asked: testNow.Add(-3 * time.Hour), Key: "k", For: "a@b.example", Expires: testNow.Add(time.Hour),
	})
}

// FuzzForm: whatever is filled into the form of a question, what reaches the run is an answer of its type, the same
// form is the same answer, and the page that tells of it holds nothing but text.
func FuzzForm(f *testing.F) {
	b := newBench(f)
	for i := range kinds {
		f.Add(byte(i), byte(i), "x", "", "n")
		f.Add(byte(i), byte(i+1), `"><zq zq=1>`, "", "<zq>")
	}
	f.Add(byte(4), byte(0), "x,z", "y", "Ada\r\nX: y")
	f.Add(byte(5), byte(0), "z,y,x", "", strings.Repeat("ä", 1500))
	f.Add(byte(9), byte(1), "12.50", "", "")
	f.Add(byte(9), byte(0), "-0.5e+7", "null", "")
	f.Add(byte(10), byte(2), "true", "", "")
	f.Add(byte(11), byte(0), "2026-02-29", "2028-02-29", "")
	f.Add(byte(12), byte(0), "file_7", "", "")
	f.Add(byte(12), byte(1), " FILE:///etc/passwd", "file:x", "")
	f.Add(byte(13), byte(2), `{"a":["\u0066ile:///etc/passwd"]}`, `["file://x"]`, "")
	f.Add(byte(14), byte(0), "4", "", "")
	f.Add(byte(14), byte(1), "6", "", "")
	f.Add(byte(13), byte(0), "file: see page two", "", "\x00\xff")
	f.Fuzz(func(t *testing.T, kind, way byte, value, free, rest string) {
		q := kindOf(kind)
		temporal := b.fresh(t, map[string]*runstest.Run{"w": {Goal: "g", Name: rest, Questions: []questions.Question{q}}})
		form := url.Values{"free:s": {free}, "note": {rest}, "answered_by": {rest}, "nonce": {rest}, "round:s": {"1"}, "run": {"w"}}
		for i, one := range strings.Split(value, ",") {
			form.Add("v:s", one)
			form.Add(placeName("s", one), string(rune('9'-i%9)))
		}
		path := []string{"/runs/w/answers", "/groups/key-s/answers", linkTo(q)}[int(way)%3]
		w := b.post(path, form)
		whole(t, w)
		if w.Code == http.StatusSeeOther {
			whole(t, b.get(w.Header().Get("Location")))
		}
		require.LessOrEqual(t, len(temporal.Given()), 1)
		if len(temporal.Given()) == 0 {
			require.Empty(t, b.run("w").Ledger)
			return
		}
		given := temporal.Given()[0]
		bounded(t, given)
		require.True(t, fits(q, given.Value), "%s was answered with %s", q.Type, given.Value)
		require.False(t, readsDisk(given.Value), "%s", given.Value)
		b.fresh(t, map[string]*runstest.Run{"w": {Goal: "g", Questions: []questions.Question{q}}})
		whole(t, b.post(path, form))
		require.Equal(t, given.AnswerID, b.temporal.Given()[0].AnswerID, "the same form is another answer")
	})
}

// FuzzShown: a page shows texts of services and people as they are, and sent as it was loaded it gives the suggestion.
func FuzzShown(f *testing.F) {
	b := newBench(f)
	for i := range kinds {
		f.Add(byte(i), "Which?", []byte(`"x"`))
		f.Add(byte(i), `"><zq zq=1><script>`, []byte(`["y","x","z"]`))
	}
	f.Add(byte(3), "javascript:zq()", []byte(`"</textarea><zq>"`))
	f.Add(byte(7), "{{.}}", []byte(`"two\nlines <zq>"`))
	f.Add(byte(7), "\x00\xff\u2028", []byte(`"`+strings.Repeat("ä", 100)+`"`))
	f.Add(byte(7), "What?", []byte(`"\nits first line is empty"`))
	f.Add(byte(9), "How many?", []byte(`12.50`))
	f.Add(byte(10), "Sure?", []byte(`false`))
	f.Add(byte(11), "When?", []byte(`"2026-12-01"`))
	f.Add(byte(14), "How good?", []byte(`4.0`))
	f.Add(byte(13), "Matrix?", []byte(`"12"`))
	f.Add(byte(12), "Which?", []byte(`"a,b"`))
	f.Add(byte(12), "Which?", []byte(`["a"]`))
	f.Add(byte(6), "Which?", []byte(`["a,b","c"]`))
	f.Add(byte(13), "Matrix?", []byte(`{"a":[1,"<zq>"]}`))
	f.Fuzz(func(t *testing.T, kind byte, text string, suggested []byte) {
		if len(suggested) == 0 {
			suggested = nil
		}
		if suggested != nil && !json.Valid(suggested) {
			return // no service can send it: its reply would be no JSON
		}
		q := kindOf(kind)
		q.Text, q.For, q.Suggested = text, text, suggested
		q.Previews = []activities.Preview{{ArtifactID: text, FileName: text, MimeType: "image/png"}, {ArtifactID: "a" + text}}
		receipt := questions.Receipt{AnswerID: text, SlotID: text, Value: suggested, Label: text, Verdict: questions.Verdict(text), Reason: text, AnsweredBy: text, Channel: text, Note: text}
		docs := troubled(docsBatch())
		docs.Progress.Failures[0] = batch.FailureGroup{Code: text, Count: 1, Example: text}
		docs.Progress.Reason, docs.Progress.Slowest[0].Name, docs.Failures[0].Message, docs.Batch.Source = text, text, text, text
		watch := scansWatch()
		watch.Watch.Name, watch.Waves.Reason, watch.Waves.WaitsFor, watch.Waves.Recent[0].Reason, watch.Waves.Recent[1].WorkflowID = text, text, text, text, text
		temporal := b.fresh(t, map[string]*runstest.Run{
			"w": {Name: text, Goal: text, Questions: []questions.Question{q}, Ledger: []questions.Receipt{receipt}},
			"b": docs, "watch": watch, "done": ended(&runstest.Run{Name: text, Goal: text, Ledger: []questions.Receipt{receipt}}),
		})
		for _, path := range []string{"/", "/?q=" + url.QueryEscape(text) + "&goal=" + url.QueryEscape(text), "/groups/key-s", "/runs/b", "/runs/watch", "/runs/done", linkTo(q)} {
			whole(t, b.get(path))
		}
		w := b.get("/runs/w")
		root := sound(t, whole(t, w))
		for n := range root.Descendants() {
			if n.DataAtom == atom.Legend && isPlain(text) && len(text) < 2000 {
				require.Equal(t, text, textIn(n))
			}
		}
		whole(t, b.post("/runs/w/answers", sentBy(root)))
		if len(temporal.Given()) == 0 {
			return
		}
		given := temporal.Given()[0].Value
		require.True(t, fits(q, given))
		if fits(q, suggested) && comes(q, suggested) {
			require.Equal(t, read(t, suggested), read(t, given), "the page gives another answer than it was told")
		}
	})
}

// isPlain reports whether HTML keeps a text as it is.
func isPlain(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) < 0
}

// comes reports whether the control of a question can hold the value: HTML knows no lone carriage return, and of options what
// is offered is picked, in their order.
func comes(q questions.Question, value json.RawMessage) bool {
	q.Suggested = value
	switch text := q.Show(value); q.Control().Name {
	case slot.ControlChecks, slot.ControlOrder, slot.ControlSelect:
		return false
	case slot.ControlRadio:
		return len(q.Options) == 0
	case slot.ControlArea:
		return !strings.ContainsAny(text, "\r\x00") && strings.TrimSpace(text) != ""
	default:
		return isPlain(text) && text != "" && strings.TrimSpace(text) == text
	}
}

func read(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(raw, &value))
	return value
}

// FuzzUpload: an uploaded file is kept whole in the folder of uploads, under a name that is only a name.
func FuzzUpload(f *testing.F) {
	b := newBench(f)
	for _, name := range []string{"a.pdf", "../../etc/passwd", `C:\x\y.doc`, ".", "..", ".hidden", "a\x00b", "\xff.pdf", "a?b#c%41 ;d", strings.Repeat("ä", 300) + ".docx", "con:", "x/"} {
		f.Add(name, []byte("bytes"))
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		q := kindOf(12)
		temporal := b.fresh(t, map[string]*runstest.Run{"w": {Goal: "g", Questions: []questions.Question{q}}})
		root := t.TempDir()
		b.cfg.Files = root
		w := b.upload("/runs/w/answers", "file:s", name, content)
		whole(t, w)
		if len(temporal.Given()) == 0 {
			require.True(t, name == "" || w.Code == http.StatusBadRequest, "an upload was lost") // a part without a name is a value
			return
		}
		var text string
		require.NoError(t, json.Unmarshal(temporal.Given()[0].Value, &text))
		at, err := url.Parse(text)
		require.NoError(t, err)
		require.Equal(t, "file", at.Scheme)
		inside, err := filepath.Rel(root, at.Path)
		require.NoError(t, err)
		require.True(t, filepath.IsLocal(inside), "%q is outside", at.Path)
		base := filepath.Base(inside)
		require.Equal(t, filepath.Join(filepath.Dir(inside), base), inside)
		require.LessOrEqual(t, len(base), 155)
		require.True(t, utf8.ValidString(base) && !strings.ContainsAny(base, `\/`) && strings.IndexFunc(base, unicode.IsControl) < 0, "%q", base)
		kept, err := os.ReadFile(at.Path)
		require.NoError(t, err)
		require.Equal(t, string(content), string(kept))
	})
}
