package inbox

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const heldPart = ".convilyn-r-0.part"

// lossQuestion is about one output of a file.
func lossQuestion(slotID, name string) questions.Question {
	return questions.LossQuestion(slotID, "docx", "md", questions.Loss{
		Source: "file:///in/" + name, Name: name, Folder: "file:///out",
		Held: activities.Held{
			Files:  []activities.HeldFile{{Part: heldPart, Name: strings.TrimSuffix(name, "docx") + "md", Size: 239}},
			Losses: []string{"2 of 48 words of the source are not in the output: 17, 25"}, Differences: ".convilyn-r-differences.part",
		},
		Check: activities.CheckResult{Words: 48, Missing: 2, Losses: 1},
	})
}

// withDocuments has a few files, and notes which were asked for.
func withDocuments(opened *[]string) func(*Config) {
	files := map[string]string{
		"/in/dose.docx": "PK the source", "/out/" + heldPart: "# <b>the output</b>",
		"/out/.convilyn-r-differences.part": `[{"source":"exactly 17 25 of the <tablet>","output":"exactly of the tablet","missing":["17","25"]}]`,
	}
	return func(c *Config) {
		c.Documents = func(path string, held bool) (io.ReadCloser, error) {
			*opened = append(*opened, path)
			content, there := files[path]
			if !there || held != strings.HasPrefix(path, "/out/") {
				return nil, fs.ErrNotExist
			}
			return io.NopCloser(strings.NewReader(content)), nil
		}
	}
}

func TestALossIsShownBesideItsSource(t *testing.T) {
	var opened []string
	b := newBench(t, withDocuments(&opened))
	asked, due := lossQuestion(questions.SlotLoss, "dose.docx"), testNow.Add(50*time.Hour)
	asked.Deadline, asked.OnDeadline = &due, questions.DeadlineFail
	b.add("c1", &runstest.Run{Kind: runs.Conversion, File: "dose.docx", Format: "md", State: workflows.StateWaiting, Questions: []questions.Question{asked}})

	page := b.get("/runs/c1").Body.String()

	for _, shown := range []string{
		"then the output is refused", "dose.docx to md: 2 of 48 words", "Compared with the source: 2 of 48 words missing, 1 loss", `href="/documents/c1/convilyn.loss/source"`,
		`href="/documents/c1/convilyn.loss/1"`, "<mark>17</mark> <mark>25</mark>", "of the &lt;tablet&gt;", "exactly of the tablet", "Keep it",
	} {
		assert.Contains(t, page, shown)
	}
	assert.Contains(t, b.get("/").Body.String(), "dose.docx to md: 2 of 48 words")

	w := b.post("/runs/c1/answers", url.Values{"v:convilyn.loss": {"refuse"}, "round:convilyn.loss": {"1"}, "answered_by": {"kim"}, "nonce": {"n"}})
	require.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, `"refuse"`, string(b.lastReceipt("c1").Value))
}

func TestWhereDocumentsAreElsewhere_ALossNamesThem(t *testing.T) {
	b := newBench(t)
	b.add("c1", &runstest.Run{Kind: runs.Conversion, File: "dose.docx", Format: "md", State: workflows.StateWaiting, Questions: []questions.Question{lossQuestion(questions.SlotLoss, "dose.docx")}})
	page := b.get("/runs/c1").Body.String()
	assert.Contains(t, page, "/in/dose.docx")
	assert.Contains(t, page, "/out/"+heldPart)
	assert.NotContains(t, page, "/documents/")
	assert.Equal(t, http.StatusNotFound, b.get("/documents/c1/convilyn.loss/source").Code)
}

func TestDocuments(t *testing.T) {
	var opened []string
	b := newBench(t, withDocuments(&opened))
	elsewhere := lossQuestion("convilyn.loss.2", "dose.docx")
	elsewhere.Loss.Source, elsewhere.Loss.Held.Files[0].Part = "s3://bucket/dose.docx", "../etc/passwd"
	b.add("c1", &runstest.Run{Kind: runs.Conversion, File: "dose.docx", Format: "md", State: workflows.StateWaiting, Questions: []questions.Question{
		lossQuestion(questions.SlotLoss, "dose.docx"), elsewhere, lossQuestion("convilyn.loss.3", "gone.docx"),
	}})

	for name, test := range map[string]struct {
		path string
		code int
		kind string
		body string
	}{
		"source":                       {"/documents/c1/convilyn.loss/source", http.StatusOK, "application/octet-stream", "PK the source"},
		"output, as text":              {"/documents/c1/convilyn.loss/1", http.StatusOK, "text/plain; charset=utf-8", "# <b>the output</b>"},
		"another output":               {"/documents/c1/convilyn.loss/2", http.StatusNotFound, "", ""},
		"no question":                  {"/documents/c1/convilyn.trouble/source", http.StatusNotFound, "", ""},
		"no run":                       {"/documents/c2/convilyn.loss/source", http.StatusNotFound, "", ""},
		"a source that is no file":     {"/documents/c1/convilyn.loss.2/source", http.StatusNotFound, "", ""},
		"an output that is elsewhere":  {"/documents/c1/convilyn.loss.2/1", http.StatusNotFound, "", ""},
		"a source that is there not":   {"/documents/c1/convilyn.loss.3/source", http.StatusNotFound, "", ""},
		"a path instead of an address": {"/documents/c1/convilyn.loss/%2Fetc%2Fpasswd", http.StatusNotFound, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := b.get(test.path)
			assert.Equal(t, test.code, w.Code)
			if test.code != http.StatusOK {
				return
			}
			assert.Equal(t, test.body, w.Body.String())
			assert.Equal(t, test.kind, w.Header().Get("Content-Type"))
			assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			assert.Contains(t, w.Header().Get("Content-Security-Policy"), "sandbox")
		})
	}
	for _, path := range opened {
		assert.NotContains(t, path, "passwd")
	}
}

// The question is shown as a run that answers asks it, also where the first one asks often and does not answer.
func TestLossesAreShownFromARunThatAnswers(t *testing.T) {
	var opened []string
	b := newBench(t, withDocuments(&opened))
	silent := docsBatch()
	silent.State, silent.Silent = workflows.StateWaiting, true
	for i := range 6 {
		q := lossQuestion(fmt.Sprintf("convilyn.loss.%d", i), "dose.docx")
		q.AskedAt = testNow.Add(-5 * time.Hour) // before the other
		silent.Questions = append(silent.Questions, q)
	}
	b.add("b1", silent)
	b.add("c1", &runstest.Run{Kind: runs.Conversion, File: "dose.docx", Format: "md", State: workflows.StateWaiting, Questions: []questions.Question{lossQuestion(questions.SlotLoss, "dose.docx")}})

	page := b.get(groupPath(silent.Questions[0].Key)).Body.String()

	assert.Contains(t, page, `href="/documents/c1/convilyn.loss/source"`)
	assert.NotContains(t, page, "/documents/b1/")
}

// Lists know the first questions of a run alone, and do not pretend that these are all.
func TestLossesThatListsDoNotKnow(t *testing.T) {
	b := newBench(t)
	r := docsBatch()
	r.State, r.More = workflows.StateWaiting, 1
	r.Questions = []questions.Question{lossQuestion("convilyn.loss.4", "a.docx"), lossQuestion("convilyn.loss.9", "b.docx"), lossQuestion("convilyn.loss.11", "c.docx")}
	b.add("b1", r)
	b.add("c1", &runstest.Run{Kind: runs.Conversion, File: "d.docx", Format: "md", State: workflows.StateWaiting, Questions: []questions.Question{lossQuestion(questions.SlotLoss, "d.docx")}})

	list := b.get("/").Body.String()
	assert.Contains(t, list, "at least 3 files of 2 runs")
	assert.Contains(t, list, "(and at least 2 more like it)")
	page := b.get(groupPath(r.Questions[0].Key)).Body.String()
	assert.Contains(t, page, "One question, at least 3 files of 2 runs")
	assert.Contains(t, page, "Each run lists its first questions here.")
}

// Several files of one batch that lack something are one question, and answered in one go.
func TestLossesOfABatchAreAnsweredTogether(t *testing.T) {
	b := newBench(t)
	r := docsBatch()
	r.State = workflows.StateWaiting
	r.Questions = []questions.Question{lossQuestion("convilyn.loss.4", "a.docx"), lossQuestion("convilyn.loss.9", "b.docx"), lossQuestion("convilyn.loss.11", "c.docx")}
	r.Name = "docs to html"
	key := r.Questions[0].Key
	b.add("b1", r)
	b.add("c1", &runstest.Run{Kind: runs.Conversion, File: "d.docx", Format: "md", State: workflows.StateWaiting, Questions: []questions.Question{lossQuestion(questions.SlotLoss, "d.docx")}})

	list := b.get("/").Body.String()
	assert.Contains(t, list, "4 files of 2 runs")
	assert.Contains(t, list, "(and 3 more like it)")
	page := b.get(groupPath(key)).Body.String()
	assert.Contains(t, page, "These outputs lack something of their sources. Keep them?")
	assert.Contains(t, page, "b.docx to md: 2 of 48 words")

	w := b.post(groupPath(key)+"/answers", url.Values{
		"v:convilyn.loss.4": {"keep"}, "answered_by": {"kim"}, "nonce": {"n"}, "run": {"b1\tconvilyn.loss.4", "b1\tconvilyn.loss.11", "c1\tconvilyn.loss"},
	})

	require.Equal(t, http.StatusSeeOther, w.Code)
	var answered []string
	for _, id := range []string{"b1", "c1"} {
		for _, receipt := range b.run(id).Ledger {
			answered = append(answered, id+" "+receipt.SlotID+" "+string(receipt.Value))
		}
	}
	assert.ElementsMatch(t, []string{`b1 convilyn.loss.4 "keep"`, `b1 convilyn.loss.11 "keep"`, `c1 convilyn.loss "keep"`}, answered)
}
