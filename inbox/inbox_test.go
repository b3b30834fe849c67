package inbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/login"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// follow loads the page that a form leads to.
func (b *bench) follow(w *httptest.ResponseRecorder) string {
	b.t.Helper()
	if w.Code == http.StatusUnprocessableEntity || w.Code == http.StatusConflict {
		return w.Body.String() // the form again
	}
	require.Equal(b.t, http.StatusSeeOther, w.Code, w.Body.String())
	return b.get(w.Header().Get("Location")).Body.String()
}

func TestEveryKindOfQuestionIsAnsweredByItsForm(t *testing.T) {
	many := options("a", "b", "c", "d", "e", "f", "g", "h", "i")
	cases := []struct {
		name    string
		q       questions.Question
		control string
		form    url.Values
		want    string
	}{
		{"radio", questions.Question{Slot: slot.Slot{Type: "choice", Options: options("x", "y")}}, `type="radio"`, url.Values{"v:s": {"y"}}, `"y"`},
		{"select", questions.Question{Slot: slot.Slot{Type: "choice", Options: many}}, `<select name="v:s"`, url.Values{"v:s": {"i"}}, `"i"`},
		{"free text", questions.Question{Slot: slot.Slot{Type: "choice", Options: options("x"), FreeText: "or an id"}}, `name="free:s"`, url.Values{"v:s": {"x"}, "free:s": {" job 7 "}}, `"job 7"`},
		{"checks", questions.Question{Slot: slot.Slot{Type: "multi_choice", Options: options("x", "y", "z")}}, `type="checkbox"`, url.Values{"v:s": {"x", "z"}}, `["x","z"]`},
		{"none of them", questions.Question{Slot: slot.Slot{Type: "multi_choice", Options: options("x")}}, `name="none:s"`, url.Values{"none:s": {"yes"}}, `[]`},
		{
			"order",
			questions.Question{Slot: slot.Slot{Type: "multi_choice", Options: options("x", "y", "z"), Suggested: json.RawMessage(`["z","x","y"]`)}},
			"data-order",
			url.Values{"v:s": {"z", "x", "y"}, placeName("s", "y"): {"1"}, placeName("s", "z"): {"2"}, placeName("s", "x"): {"3"}},
			`["y","z","x"]`,
		},
		{"line", questions.Question{Slot: slot.Slot{Type: "text"}}, `type="text" name="v:s"`, url.Values{"v:s": {"words & <more>"}}, `"words \u0026 \u003cmore\u003e"`},
		{"area", questions.Question{Slot: slot.Slot{Type: "text", Suggested: json.RawMessage(`"a\nb"`)}}, "<textarea", url.Values{"v:s": {"a\r\nc"}}, `"a\nc"`},
		{"number", questions.Question{Slot: slot.Slot{Type: "number"}}, "decimal", url.Values{"v:s": {"12.50"}}, `12.50`},
		{"yes", questions.Question{Slot: slot.Slot{Type: "boolean"}}, `value="true"`, url.Values{"v:s": {"true"}}, `true`},
		{"date", questions.Question{Slot: slot.Slot{Type: "date"}}, `type="date"`, url.Values{"v:s": {"2026-12-01"}}, `"2026-12-01"`},
		{"file id", questions.Question{Slot: slot.Slot{Type: "file"}}, `type="file"`, url.Values{"v:s": {"file_7"}}, `"file_7"`},
		{"files", questions.Question{Slot: slot.Slot{Type: "file"}}, `type="file"`, url.Values{"v:s": {"file_7, file_8"}}, `["file_7","file_8"]`},
		{"rating", questions.Question{Slot: slot.Slot{Type: "rating"}}, `class="stars"`, url.Values{"v:s": {"4"}}, `4`},
		{"padded option", questions.Question{Slot: slot.Slot{Type: "choice", Options: options(" x ")}}, `type="radio"`, url.Values{"v:s": {" x "}}, `" x "`},
		{"option of two lines", questions.Question{Slot: slot.Slot{Type: "choice", Options: options("x\ny")}}, `type="radio"`, url.Values{"v:s": {"x\r\ny"}}, `"x\ny"`},
		{"unknown as JSON", questions.Question{Slot: slot.Slot{Type: "matrix"}}, "as text", url.Values{"v:s": {`{"a":[1]}`}}, `{"a":[1]}`},
		{"unknown as text", questions.Question{Slot: slot.Slot{Type: "matrix"}}, "as text", url.Values{"v:s": {`{"a`}}, `"{\"a"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.q.SlotID, c.q.Text = "s", "A question"
			b.add("w", &runstest.Run{Name: "run", Goal: "g", Questions: []questions.Question{c.q}})
			require.Contains(t, b.get("/runs/w").Body.String(), c.control)
			c.form.Set("answered_by", "Ada")
			c.form.Set("note", "because")
			page := b.follow(b.post("/runs/w/answers", c.form))
			require.Contains(t, page, "Accepted. Thank you.")
			receipt := b.lastReceipt("w")
			require.JSONEq(t, c.want, string(receipt.Value))
			require.Equal(t, "Ada/inbox/because", receipt.AnsweredBy+"/"+receipt.Channel+"/"+receipt.Note)
		})
	}
}

func TestAnUploadBecomesAFileThatWorkersRead(t *testing.T) {
	b := newBench(t)
	b.add("w", &runstest.Run{Goal: "g", Questions: []questions.Question{{Slot: slot.Slot{SlotID: "s", Type: "file", Text: "Which?"}}}})
	require.Contains(t, b.follow(b.upload("/runs/w/answers", "file:s", "../../etc/my paper?.pdf", []byte("bytes"))), "Accepted")
	var text string
	require.NoError(t, json.Unmarshal(b.lastReceipt("w").Value, &text))
	at, err := url.Parse(text)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(at.Path, b.cfg.Files+"/"), at.Path)
	require.True(t, strings.HasSuffix(at.Path, "/my paper_.pdf"), at.Path)
	content, err := os.ReadFile(at.Path)
	require.NoError(t, err)
	require.Equal(t, "bytes", string(content))
}

func TestUploads_AreRemovedOnceNotNeeded(t *testing.T) {
	ask := []questions.Question{{Slot: slot.Slot{SlotID: "s", Type: "file", Text: "Which?"}}}
	left := func(b *bench) int {
		entries, err := os.ReadDir(b.cfg.Files)
		require.NoError(t, err)
		return len(entries)
	}
	t.Run("of a refused answer", func(t *testing.T) {
		b := newBench(t)
		b.add("w", &runstest.Run{Goal: "g", Questions: ask})
		b.temporal.Refuse = func(*runstest.Run, questions.Answer) string { return "not today" }
		b.upload("/runs/w/answers", "file:s", "a.pdf", []byte("bytes"))
		require.Len(t, b.temporal.Given(), 1)
		require.Zero(t, left(b))
	})
	t.Run("of a run that has ended", func(t *testing.T) {
		b := newBench(t)
		run := b.add("w", &runstest.Run{Goal: "g", Questions: ask})
		b.upload("/runs/w/answers", "file:s", "a.pdf", []byte("bytes"))
		b.now = time.Now().Add(48 * time.Hour)
		b.sweepUploads(t.Context())
		require.Equal(t, 1, left(b), "it may be read again while the run is open")
		b.temporal.Change(func() { run.End(nil) })
		b.sweepUploads(t.Context())
		require.Zero(t, left(b))
	})
}

func TestAnUploadOverTheLimitIs413(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxUpload = 1000 })
	b.add("w", &runstest.Run{Goal: "g", Questions: []questions.Question{{Slot: slot.Slot{SlotID: "s", Type: "file", Text: "Which?"}}}})
	require.Equal(t, http.StatusRequestEntityTooLarge, b.upload("/runs/w/answers", "file:s", "a.bin", make([]byte, 2000)).Code)
	require.Empty(t, b.temporal.Given())
	require.NoDirExists(t, b.cfg.Files)
}

func TestBadValuesAreSaidAndNotSent(t *testing.T) {
	for kind, value := range map[string]string{
		"number": "twelve", "boolean": "maybe", "date": "soon", "rating": "6", "file": "file:///etc/passwd", "text": " FILE:///etc/passwd", "matrix": `{"a":["file:///x"]}`,
	} {
		t.Run(kind, func(t *testing.T) {
			b := newBench(t)
			b.add("w", &runstest.Run{Goal: "g", Questions: []questions.Question{{Slot: slot.Slot{SlotID: "s", Type: slot.Type(kind), Text: "?"}}}})
			require.Contains(t, b.follow(b.post("/runs/w/answers", url.Values{"v:s": {value}})), "Not sent: ")
			require.Empty(t, b.temporal.Given())
		})
	}
	require.NoError(t, refuseLocal(json.RawMessage(`"file: see the second page"`)))
}

func TestBoundsAreSaidAndChecked(t *testing.T) {
	low, high := 1.0, 100.0
	for name, c := range map[string]struct {
		asked                slot.Slot
		shown, wrong, refuse string
	}{
		"number":  {slot.Slot{Type: slot.Number, Bounds: slot.Bounds{Min: &low, Max: &high}}, ">from 1 to 100<", "101", "101 is not from 1 to 100"},
		"length":  {slot.Slot{Type: slot.Text, Bounds: slot.Bounds{MaxLength: 5}}, ">at most 5 characters<", "größer", "the text has 6 characters; it must have at most 5 characters"},
		"pattern": {slot.Slot{Type: slot.Text, Bounds: slot.Bounds{Pattern: "^[A-Z]"}}, ">matching ^[A-Z]<", "a", "does not match the pattern ^[A-Z]"},
		"items":   {slot.Slot{Type: slot.MultiChoice, Options: options("x", "y"), Bounds: slot.Bounds{MaxItems: 1}}, ">at most 1<", "x y", "2 options are chosen; at most 1 are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.asked.SlotID, c.asked.Text = "s", "?"
			b.add("w", &runstest.Run{Goal: "g", Questions: []questions.Question{{Slot: c.asked}}})
			require.Contains(t, b.get("/runs/w").Body.String(), c.shown)
			require.Contains(t, b.follow(b.post("/runs/w/answers", url.Values{"v:s": strings.Fields(c.wrong)})), c.refuse)
			require.Empty(t, b.temporal.Given())
		})
	}
}

func TestTheSuggestionIsFilledInAndSaysHowSure(t *testing.T) {
	b := newBench(t)
	b.add("w", toneRun("Letter"))
	page := b.get("/runs/w").Body.String()
	require.Contains(t, page, "suggested, 82 % sure")
	require.Contains(t, page, `value="formal" checked`)
	require.Contains(t, page, `>required</span>`)
}

func TestSendingAPageTwiceCountsOnce(t *testing.T) {
	b := newBench(t)
	b.add("w", toneRun("Letter"))
	form := url.Values{"v:tone": {"casual"}, "nonce": {"n"}, "round:tone": {"1"}}
	q := b.run("w").Questions
	require.Contains(t, b.follow(b.post("/runs/w/answers", form)), "Accepted")
	b.run("w").Questions = q // as if the page of the second sending had still seen the question
	require.Contains(t, b.follow(b.post("/runs/w/answers", form)), "Accepted")
	require.Len(t, b.run("w").Ledger, 1)
}

func TestAQuestionAskedAnewIsNotAnsweredFromAnOldPage(t *testing.T) {
	b := newBench(t)
	r := toneRun("Letter")
	r.Questions[0].Round = 2
	b.add("w", r)
	require.Contains(t, b.follow(b.post("/runs/w/answers", url.Values{"v:tone": {"casual"}, "round:tone": {"1"}})), "asked again")
	require.Empty(t, b.temporal.Given())
}

func TestVerdictsAreShownAndCannotBeMadeUp(t *testing.T) {
	b := newBench(t)
	b.add("w", toneRun("Letter"))
	require.Contains(t, b.follow(b.post("/runs/w/answers", url.Values{"v:tone": {"rude"}})), `Not sent: &#34;rude&#34; is not one of formal, casual`)
	b.temporal.Refuse = func(*runstest.Run, questions.Answer) string { return "not today" }
	require.Contains(t, b.follow(b.post("/runs/w/answers", url.Values{"v:tone": {"casual"}})), "Not accepted: not today")
	w := b.post("/groups/key-tone/answers", url.Values{"v:tone": {"casual"}, "run": {"w"}})
	require.Contains(t, b.follow(w), "Not accepted: not today")
	forged := strings.Replace(w.Header().Get("Location"), "said=e", "said=f", 1)
	require.NotContains(t, b.get(forged).Body.String(), "Not accepted")
	b.add("other", toneRun("Other"))
	elsewhere := strings.Replace(w.Header().Get("Location"), "/groups/key-tone", "/runs/other", 1)
	require.NotContains(t, b.get(elsewhere).Body.String(), "Not accepted", "words for one page are not shown on another")
	require.Contains(t, b.follow(b.post("/runs/w/answers", url.Values{})), "Nothing was filled in")
}

func TestTheSameQuestionIsAnsweredForManyRuns(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"w1", "w2", "w3"} {
		b.add(id, toneRun("Letter "+id))
	}
	list := b.get("/").Body.String()
	require.Contains(t, list, `href="/groups/key-tone"`)
	require.Contains(t, list, "3 runs")
	require.Contains(t, b.get("/groups/key-tone").Body.String(), "One question, 3 runs")
	page := b.follow(b.post("/groups/key-tone/answers", url.Values{"v:tone": {"casual"}, "run": {"w1", "w3", "gone"}}))
	require.Equal(t, 2, strings.Count(page, "Accepted. Thank you."))
	require.Contains(t, page, "There is no such run any more.")
	require.JSONEq(t, `"casual"`, string(b.lastReceipt("w1").Value))
	require.Empty(t, b.lastReceipt("w2").AnswerID)
	require.JSONEq(t, `"casual"`, string(b.lastReceipt("w3").Value))
	require.Contains(t, b.follow(b.post("/groups/key-tone/answers", url.Values{"v:tone": {"casual"}})), "No run was picked")
}

func TestTheListIsFilteredAndSorted(t *testing.T) {
	b := newBench(t)
	older := toneRun("Older")
	older.Questions[0].Key, older.Questions[0].AskedAt, older.Questions[0].For = "k1", testNow.Add(-50*time.Hour), "legal"
	soon := testNow.Add(30 * time.Minute)
	newer := &runstest.Run{Name: "Newer", Goal: "binder", Questions: []questions.Question{{Slot: slot.Slot{SlotID: "o", Type: "text", Text: "Which order?"}, Deadline: &soon}}}
	b.add("new", newer)
	b.add("old", older)
	b.add("conv", conversion("a.docx", "pdf", "AwaitConversion", 40))
	b.add("done", ended(&runstest.Run{Name: "Finished", Goal: "g"}))
	page := b.get("/").Body.String()
	require.Less(t, strings.Index(page, "Which tone?"), strings.Index(page, "Which order?"))
	for _, want := range []string{"waiting 2 days", "for <b>legal</b>", "due in 30 min", `value="40"`, "a.docx → pdf", "Finished", "2026-11-22 07:00:00 UTC"} {
		require.Contains(t, page, want)
	}
	for query, wanted := range map[string]string{"q=ORDER": "Which order?", "goal=binder": "Which order?", "mine=Legal": "Which tone?", "q=older": "Which tone?"} {
		t.Run(query, func(t *testing.T) {
			page := b.get("/?" + query).Body.String()
			require.Contains(t, page, wanted, query)
			require.NotEqual(t, strings.Contains(page, "Which tone?"), strings.Contains(page, "Which order?"), query)
		})
	}
}

func TestHostileTextStaysText(t *testing.T) {
	b := newBench(t)
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	b.add("w"+evil, &runstest.Run{
		Name: evil, Goal: evil,
		Questions: []questions.Question{{
			Slot: slot.Slot{
				SlotID: "s" + evil, Type: "choice", Text: evil, FreeText: evil, Suggested: json.RawMessage(`"x"`),
				Options:  []activities.Option{{Value: evil, Label: evil}},
				Previews: []activities.Preview{{ArtifactID: evil, FileName: evil, MimeType: "image/png"}},
			},
			For: evil, Key: evil,
		}, {Slot: slot.Slot{SlotID: "t", Type: slot.Type(evil), Text: "javascript:alert(1)", Suggested: json.RawMessage(`"<script>"`)}}},
		Ledger: []questions.Receipt{{AnswerID: evil, SlotID: evil, Value: quote(evil), Verdict: questions.Verdict(evil), Reason: evil, AnsweredBy: evil, Channel: evil, Note: evil}},
	})
	for _, path := range []string{"/", runPath("w" + evil), groupPath(evil), "/?q=" + url.QueryEscape(evil), "/login?next=" + url.QueryEscape(evil)} {
		t.Run(path, func(t *testing.T) {
			w := b.get(path)
			require.Equal(t, http.StatusOK, w.Code, path)
			require.NotContains(t, w.Body.String(), "<script>alert", path)
			require.NotContains(t, w.Body.String(), "<img src=x", path)
			require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		})
	}
}

func TestOtherSitesAndOtherNamesAreRefused(t *testing.T) {
	b := newBench(t)
	b.add("w", toneRun("Letter"))
	for name, change := range map[string]func(*http.Request){
		"cross-site by fetch metadata": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"cross-site by origin":         func(r *http.Request) { r.Header.Set("Origin", "http://evil.test") },
		"a name that was rebound":      func(r *http.Request) { r.Host = "evil.test:8080" },
		"a name that only looks local": func(r *http.Request) { r.Host = "localhost.evil.test" },
		"another machine":              func(r *http.Request) { r.RemoteAddr = "10.0.0.9:4444" },
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/runs/w/answers", strings.NewReader("v%3Atone=casual"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			change(r)
			require.Equal(t, http.StatusForbidden, b.do(r).Code, name)
		})
	}
	require.Empty(t, b.temporal.Given())
	for host, want := range map[string]int{"localhost": 200, "127.0.0.1:80": 200, "[::1]:8080": 200, "x.localhost": 200, "192.168.0.4": 403, "": 403} {
		t.Run(host, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host = host
			require.Equal(t, want, b.do(r).Code, host)
		})
	}
}

func TestLoginLogoutAndExpiry(t *testing.T) {
	b := newBench(t, withToken)
	w := b.get("/runs/x?a=b")
	require.Equal(t, "/login?next=%2Fruns%2Fx%3Fa%3Db", w.Header().Get("Location"))
	require.Equal(t, http.StatusUnauthorized, b.post("/login", url.Values{"token": {"guess"}}).Code)
	w = b.post("/login", url.Values{"token": {"the-token"}, "name": {" Ada  L. "}, "next": {"//evil.test/"}})
	require.Equal(t, "/", w.Header().Get("Location"), "only to places of ours")
	cookie := w.Result().Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	b.jar = []*http.Cookie{cookie}
	require.Contains(t, b.get("/").Body.String(), "Ada L.")
	cookies := b.post("/logout", nil).Result().Cookies()
	require.Negative(t, cookies[0].MaxAge)
	b.now = b.now.Add(login.SessionFor)
	require.Equal(t, http.StatusSeeOther, b.get("/").Code, "expired")
	b.now = testNow
	b.jar = []*http.Cookie{{Name: cookie.Name, Value: cookie.Value + "x"}}
	require.Equal(t, http.StatusSeeOther, b.get("/").Code, "forged")
}

// A terminal prints the link, and a browser that follows it is logged in.
func TestLogin_ByLink(t *testing.T) {
	b := newBench(t, withToken)
	require.Equal(t, http.StatusUnauthorized, b.get("/login?token=guess").Code)

	w := b.get("/login?token=the-token&next=%2Fruns%2Fx")
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/runs/x", w.Header().Get("Location"), "and the token is in no address that a browser keeps open")
	b.jar = w.Result().Cookies()
	require.Equal(t, http.StatusOK, b.get("/").Code)
}

func TestLocal_RefusesOtherNamesWithATokenToo(t *testing.T) {
	b := newBench(t, withToken, func(c *Config) { c.Local = true })
	r := httptest.NewRequest(http.MethodGet, "/login?token=the-token", http.NoBody)
	r.Host, r.RemoteAddr = "evil.example:8240", "127.0.0.1:5"
	require.Equal(t, http.StatusForbidden, b.do(r).Code)
	r.Host = "localhost:8240"
	require.Equal(t, http.StatusSeeOther, b.do(r).Code)
}

func TestGuessingTokensIsSlowedDown(t *testing.T) {
	b := newBench(t, withToken)
	for range 10 {
		require.Equal(t, http.StatusUnauthorized, b.post("/login", url.Values{"token": {"guess"}}).Code)
	}
	require.Equal(t, http.StatusTooManyRequests, b.post("/login", url.Values{"token": {"guess"}}).Code)
	require.Equal(t, http.StatusTooManyRequests, b.post("/login", url.Values{"token": {"the-token"}}).Code)
	b.now = b.now.Add(time.Minute)
	require.Equal(t, http.StatusSeeOther, b.post("/login", url.Values{"token": {"the-token"}}).Code)
}

func TestGetNeverChangesAnything(t *testing.T) {
	b := newBench(t)
	b.add("w", toneRun("Letter"))
	b.add("w2", toneRun("Letter"))
	form := "?v:tone=casual&run=w&token=x&slot_id=tone&value=casual&nonce=n"
	for _, path := range []string{
		"/", "/runs/w", "/groups/key-tone", "/login", "/api/questions", "/api/runs/w/questions", "/api/runs/w/answers", "/static/inbox.css",
		testLink(b), "/runs/w/answers", "/groups/key-tone/answers", "/logout", "/previews/w/a", testLink(b) + "/previews/a",
	} {
		t.Run(path, func(t *testing.T) {
			w := b.get(path + form)
			require.Less(t, w.Code, 500, path)
		})
	}
	require.Empty(t, b.temporal.Given())
}

func TestOnlyPreviewsOfOpenQuestionsAreShown(t *testing.T) {
	b := newBench(t)
	r := toneRun("Letter")
	r.Questions[0].Previews = []activities.Preview{{ArtifactID: "a/1", FileName: "p.png", MimeType: "image/png"}}
	r.Questions = append(r.Questions, questions.Question{Slot: slot.Slot{SlotID: "o", Type: "text", Text: "?", Previews: []activities.Preview{{ArtifactID: "x.html", FileName: "x.html", MimeType: "text/html"}}}})
	b.add("w", r)
	require.Contains(t, b.get("/runs/w").Body.String(), `<img src="/previews/w/a%2F1"`)
	w := b.get("/previews/w/a%2F1")
	require.Equal(t, "image/png", w.Header().Get("Content-Type"))
	require.Equal(t, "job-w/a/1", w.Body.String())
	w = b.get("/previews/w/x.html")
	require.Equal(t, "application/octet-stream/attachment", w.Header().Get("Content-Type")+"/"+w.Header().Get("Content-Disposition"))
	require.Equal(t, http.StatusNotFound, b.get("/previews/w/other").Code)
	require.Equal(t, http.StatusOK, b.get(testLink(b)+"/previews/a%2F1").Code)
	require.Equal(t, http.StatusNotFound, b.get(testLink(b)+"/previews/x.html").Code, "of another question")
	b.follow(b.post("/runs/w/answers", url.Values{"v:tone": {"casual"}}))
	require.Equal(t, http.StatusNotFound, b.get("/previews/w/a%2F1").Code, "answered")
}

func TestAnEndedRunShowsHowItEnded(t *testing.T) {
	b := newBench(t)
	b.add("w", ended(&runstest.Run{Name: "Done", Goal: "g", Ledger: []questions.Receipt{{SlotID: "tone", Value: quote("formal"), Verdict: questions.VerdictAccepted, Automatic: true, Channel: "policy", ReceivedAt: testNow}}}))
	page := b.get("/runs/w").Body.String()
	for _, want := range []string{"All done.", "/out/bundle.pdf", "2.0 kB", "automatic", "accepted"} {
		assert.Contains(t, page, want)
	}
	require.Equal(t, http.StatusNotFound, b.get("/runs/nowhere").Code)
	b.add("quiet", func() *runstest.Run { r := toneRun("Quiet"); r.Silent = true; return r }())
	require.Contains(t, b.get("/runs/quiet").Body.String(), "No worker answers")
	require.Equal(t, http.StatusServiceUnavailable, b.post("/runs/quiet/answers", url.Values{"v:tone": {"casual"}}).Code)
}

func TestNamesOfUploadsAreSafe(t *testing.T) {
	for in, want := range map[string]string{
		"a.pdf": "a.pdf", `C:\dir\b.pdf`: "b.pdf", "../..": "upload", ".bashrc": "bashrc", "x\x00\n.txt": "x__.txt", "": "upload", "a\xffb": "a_b",
		strings.Repeat("ä", 200) + ".docx": strings.Repeat("ä", 72) + ".docx",
	} {
		t.Run(in, func(t *testing.T) {
			got := safeName(in)
			require.Equal(t, want, got)
			require.LessOrEqual(t, len(got), 150)
		})
	}
}

func TestLabels_AreShownAndFiltered(t *testing.T) {
	b := newBench(t)
	letter := toneRun("Letter")
	letter.Labels = []string{"team=legal"}
	b.add("w", letter)
	b.add("other", toneRun("Other letter"))
	docs, scans, file := docsBatch(), scansWatch(), conversion("a.docx", "pdf", "AwaitConversion", 40)
	docs.Labels, scans.Labels, file.Labels = []string{"urgent", "team=legal"}, []string{"urgent"}, []string{`"><b>`}
	b.add("docs", docs)
	b.add("scans", scans)
	b.add("file", file)

	page := b.get("/").Body.String()
	contains(t, page, `<option value="team=legal">team=legal</option>`, `<span class="label">urgent</span>`, `&#34;&gt;&lt;b&gt;`)
	page = b.get("/?label=urgent").Body.String()
	contains(t, page, `<option value="urgent" selected>`, "docs to html", "scans to pdf", "Nothing that waits matches the filter.")
	for _, hidden := range []string{"a.docx", "Letter"} {
		require.NotContains(t, page, hidden)
	}
	require.NotContains(t, b.get("/?label=team%3Dlegal").Body.String(), "Other letter")
	for _, id := range []string{"w", "docs", "scans", "file"} {
		contains(t, b.get("/runs/"+id).Body.String(), `<span class="label">`)
	}

	_, reply := b.api(http.MethodGet, "/api/questions?label=team%3Dlegal", "", "")
	require.Len(t, reply["questions"], 1)
	require.Equal(t, []any{"team=legal"}, reply["questions"].([]any)[0].(map[string]any)["labels"])
}
