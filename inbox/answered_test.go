package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// redactorRun asks what to redact, which is answered, and how, which is not.
func redactorRun() *runstest.Run {
	sure := 0.85
	found := []string{"a1", "b2", "c3", "d4", "e5", "f6"}
	given := questions.Receipt{
		AnswerID: "inbox-1", SlotID: "findings", Value: json.RawMessage(`["b2","e5"]`), Label: "Label b2, Label e5", Verdict: questions.VerdictAccepted,
		AnsweredBy: "Ada Lund", Channel: "inbox", ReceivedAt: testNow.Add(-5 * time.Minute),
	}
	return &runstest.Run{
		Name: "Letters to redact", Goal: "goal_lane.redactor", Ledger: []questions.Receipt{given},
		Input: goal.Input{StartedBy: "kim", Files: []goal.File{{Name: "letter.docx"}, {Name: "notes.txt"}}},
		Questions: []questions.Question{
			{
				Slot: slot.Slot{
					SlotID: "findings", Type: slot.MultiChoice, Text: "What is to be redacted?", Required: true, Options: options(found...),
					Suggested: json.RawMessage(`["a1","b2","c3","d4","f6"]`), Confidence: &sure,
				},
				Answered: true, Given: &given,
			},
			{Slot: slot.Slot{SlotID: "style", Type: slot.Choice, Text: "What is to be in their place?", Required: true, Options: options("blocks", "label"), Suggested: json.RawMessage(`"label"`)}},
		},
	}
}

func TestAnsweredQuestion_ShowsTheAnswerThatWasGiven(t *testing.T) {
	for name, forget := range map[string]func(*runstest.Run){
		"told by the run":           func(*runstest.Run) {},
		"told by its ledger, as of": func(r *runstest.Run) { r.Questions[0].Given = nil },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := redactorRun()
			forget(r)
			b.add("w", r)
			page := b.get("/runs/w").Body.String()
			assert.Equal(t, 3, strings.Count(page, " checked"), "two findings that were chosen, and the suggestion of the other question")
			for _, chosen := range []string{"b2", "e5"} {
				assert.Contains(t, page, `value="`+chosen+`" checked`)
			}
			contains(t, page, "Ada Lund answered “Label b2, Label e5”", "It waits for 1 more answer.")
			assert.Equal(t, 1, strings.Count(page, `class="suggested"`), "the suggestion is of no interest any more")
		})
	}
}

// A question that suggests all of its options asks for their order.
func TestOrder_OfWhichSomeWereChosen(t *testing.T) {
	chosen := json.RawMessage(`["e5","b2"]`)
	for name, row := range map[string]struct {
		change func(*questions.Question)
		open   bool
	}{
		"answered": {func(q *questions.Question) { q.Given.Value = chosen }, false},
		"refused": {func(q *questions.Question) {
			q.Answered, q.Given, q.Refused = false, nil, &questions.Refusal{Reason: "no", Value: chosen, At: testNow}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := redactorRun()
			r.Questions[0].Suggested = json.RawMessage(`["a1","b2","c3","d4","e5","f6"]`)
			row.change(&r.Questions[0])
			b.add("w", r)
			page := b.get("/runs/w").Body.String()

			at := 0
			for i, value := range []string{"e5", "b2", "a1", "c3", "d4", "f6"} {
				next := strings.Index(page, `value="`+value+`"`)
				assert.Greater(t, next, at, "%s: what was chosen comes first", value)
				at = next
				if row.open { // without scripts it is sent only where each number is within its bounds
					assert.Contains(t, page, fmt.Sprintf(` value="%d" aria-label="Place of Label %s"`, i+1, value))
				}
			}
			for _, part := range []string{"Untick", `class="place"`, "data-order"} {
				assert.Equal(t, row.open, strings.Contains(page, part), "%s: what is decided has nothing to move", part)
			}
		})
	}
}

func TestList_CountsAnswersUnderTheirRun(t *testing.T) {
	b := newBench(t)
	r := redactorRun()
	r.Memo = map[string]any{questions.MemoKey: questions.Memo{
		Goal: r.Goal, Name: r.Name, Answered: 1,
		Questions: []questions.MemoQuestion{{SlotID: "style", Type: slot.Choice, Text: "What is to be in their place?", Key: "key-style", AskedAt: testNow.Add(-time.Hour)}},
	}}
	b.add("w", r)
	page := b.get("/").Body.String()
	contains(t, page, "What is to be in their place?", "1 of 2 answered")
	require.NotContains(t, page, "What is to be redacted?")
	_, out := b.api(http.MethodGet, "/api/questions", "", "")
	require.Len(t, out["questions"], 1)
}

// Lists follow within moments: what they still show may have its answer.
func TestGroup_WhoseQuestionIsAnswered(t *testing.T) {
	b := newBench(t)
	r := redactorRun()
	r.Memo = map[string]any{questions.MemoKey: questions.Memo{
		Goal: r.Goal, Questions: []questions.MemoQuestion{{SlotID: "findings", Text: "What is to be redacted?", Key: "key-findings", AskedAt: testNow}},
	}}
	b.add("w", r)
	page := b.get("/groups/key-findings").Body.String()
	contains(t, page, "This question has its answer.")
	require.NotContains(t, page, "No worker answers")
	b.temporal.Change(func() { r.Silent = true })
	contains(t, b.get("/groups/key-findings").Body.String(), "No worker answers for its runs.")
}

func TestAnswer_IsNotAcceptedBeforeItIsJudged(t *testing.T) {
	b := newBench(t)
	r := redactorRun()
	b.add("w", r)
	said := "?said=" + url.QueryEscape(b.gate.Sign("flash", flash{Path: "/runs/w", Outcomes: []outcome{{Slot: "findings", ID: "inbox-1", Good: true, Text: "Answered."}}}))
	page := b.get("/runs/w" + said).Body.String()
	contains(t, page, "Answered. It is sent when 1 more answer is there.")
	require.NotContains(t, page, "Accepted")

	b.temporal.Change(func() { r.Ledger[0].DeliveredAt = &testNow })
	contains(t, b.get("/runs/w"+said).Body.String(), "Accepted. Thank you.")

	b.temporal.Change(func() {
		r.Ledger[0].DeliveredAt, r.Ledger[0].Verdict, r.Ledger[0].Reason = nil, questions.VerdictInvalid, "the file has no page 9"
		q := &r.Questions[0]
		q.Answered, q.Given = false, nil
		q.Refused = &questions.Refusal{Reason: "the file has no page 9", Value: json.RawMessage(`["b2","e5"]`), AnsweredBy: "Ada Lund", At: testNow}
	})
	page = b.get("/runs/w" + said).Body.String()
	contains(t, page, `class="verdict bad fault" id="q1-fault" role="alert">The answer “Label b2, Label e5” was refused: the file has no page 9`, `value="b2" checked`, `value="e5" checked`)
	require.NotContains(t, page, "Accepted")
	require.NotContains(t, page, `value="a1" checked`)
}

func TestForm_KeepsWhatWasTypedWhereItIsNotSent(t *testing.T) {
	b := newBench(t)
	most := 5.0
	b.add("w", &runstest.Run{Goal: "g", Questions: []questions.Question{
		{Slot: slot.Slot{SlotID: "count", Type: slot.Number, Text: "How many?", Bounds: slot.Bounds{Max: &most}}},
		{Slot: slot.Slot{SlotID: "title", Type: slot.Text, Text: "What title?", Required: true}},
	}})
	w := b.post("/runs/w/answers", url.Values{"v:count": {"77"}, "round:count": {"1"}, "v:title": {"Minutes"}})
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	contains(t, w.Body.String(), `value="77"`, "77 is not at most 5", "Accepted. Thank you.", "data-begun", `data-here="/runs/w"`)
	require.Equal(t, "title", b.lastReceipt("w").SlotID, "what is right is sent")
}

func TestForm_WhoLosesARaceSeesWhoAnsweredWhat(t *testing.T) {
	b := newBench(t)
	r := b.add("w", toneRun("Letter"))
	r.Questions[0].FreeText = "another tone"
	b.post("/runs/w/answers", url.Values{"v:tone": {"formal"}, "answered_by": {"Grace"}})
	page := b.follow(b.post("/runs/w/answers", url.Values{"v:tone": {"as to a friend"}, "round:tone": {"1"}}))
	contains(t, page, "Somebody was faster: Grace answered “Label formal”. Yours was not sent: “as to a friend”")

	late := testLink(b, func(c *link.Claim) { c.Key = "k2" })
	w := b.post(late, url.Values{"v:tone": {"as to a friend"}})
	require.Equal(t, http.StatusGone, w.Code)
	contains(t, w.Body.String(), "This question is closed", "Grace answered “Label formal”", "as to a friend</textarea>")
}

func TestLink_TellsOfWhat(t *testing.T) {
	b := newBench(t, withToken)
	r := redactorRun()
	r.Questions = r.Questions[1:]
	r.Questions[0].AskedAt, r.Questions[0].Round = testNow.Add(-3*time.Hour), 1
	b.add("w", r)
	page := b.get(testLink(b, func(c *link.Claim) { c.SlotID = "style" })).Body.String()
	contains(t, page, "Letters to redact", "redactor", "letter.docx, notes.txt", "<dd>kim</dd>", "legal@example.com", "2026-11-24 10:00:00 UTC", "in 1 h")
}

func TestPages_NameWhatDoesNotAnswer(t *testing.T) {
	b := newBench(t)
	b.add("w", toneRun("Letter"))
	b.add("quiet", func() *runstest.Run { r := toneRun("Quiet"); r.Silent = true; return r }())
	contains(t, b.post("/runs/quiet/answers", url.Values{"v:tone": {"casual"}}).Body.String(), "No worker answers for this run")
	b.temporal.Fault = context.DeadlineExceeded
	for _, path := range []string{"/", "/runs/w"} {
		t.Run(path, func(t *testing.T) {
			w := b.get(path)
			require.Equal(t, http.StatusBadGateway, w.Code)
			contains(t, w.Body.String(), "Temporal does not answer")
		})
	}
	w := b.post("/runs/w/answers", url.Values{"v:tone": {"casual"}})
	contains(t, w.Body.String(), "Temporal does not answer")
	require.NotContains(t, w.Body.String(), "No worker")
}

func TestLive_SaysThatTemporalIsAway(t *testing.T) {
	l := newLiveBench(t)
	l.add("w", toneRun("Letter"))
	conn, _, err := l.dial("/live", nil)
	require.NoError(t, err)
	first := l.version(conn)
	down := func() (said liveUpdate) {
		require.NoError(t, conn.ReadJSON(&said))
		return said
	}
	l.temporal.Change(func() { l.temporal.Fault = errors.New("connection refused") })
	l.tick()
	require.Equal(t, liveUpdate{Down: "Temporal"}, down())
	l.temporal.Change(func() { l.temporal.Fault = nil })
	l.tick()
	require.Equal(t, liveUpdate{Version: first}, down(), "all is as it was")
}

func TestAddress_WithAPath(t *testing.T) {
	b := newBench(t, withToken, func(c *Config) { c.URL = "https://example.org/ask" })
	b.add("w", toneRun("Letter"))
	do := func(method, path, origin string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		return b.do(r)
	}
	login := do(http.MethodPost, "/ask/login", "https://example.org", url.Values{"token": {"the-token"}, "name": {"Ada"}, "next": {"/runs/w"}})
	require.Equal(t, http.StatusSeeOther, login.Code, "its own address is no other site")
	require.Equal(t, "/ask/runs/w", login.Header().Get("Location"))
	cookie := login.Result().Cookies()[0]
	require.Equal(t, "/ask/", cookie.Path)
	b.jar = append(b.jar, cookie)

	for _, path := range []string{"/ask/runs/w", "/runs/w"} {
		t.Run(path, func(t *testing.T) { // as a proxy hands it on, or strips it
			page := do(http.MethodGet, path, "", nil).Body.String()
			contains(t, page, `href="/ask/static/inbox.css"`, `src="/ask/static/inbox.js"`, `action="/ask/runs/w/answers"`, `data-live-at="/ask/live"`, `href="/ask/"`)
			require.Equal(t, http.StatusOK, do(http.MethodGet, strings.Replace(path, "runs/w", "static/inbox.js", 1), "", nil).Code)
		})
	}
	require.Equal(t, "/ask/", do(http.MethodGet, "/ask", "", nil).Header().Get("Location"))
	for _, origin := range []string{"https://evil.test", "https://example.org:444", "null"} {
		t.Run(origin, func(t *testing.T) {
			require.Equal(t, http.StatusForbidden, do(http.MethodPost, "/ask/runs/w/answers", origin, url.Values{"v:tone": {"casual"}}).Code, origin)
		})
	}
	w := do(http.MethodPost, "/runs/w/answers", "https://example.org", url.Values{"v:tone": {"casual"}})
	require.True(t, strings.HasPrefix(w.Header().Get("Location"), "/ask/runs/w?said="), w.Header().Get("Location"))
	contains(t, do(http.MethodGet, w.Header().Get("Location"), "", nil).Body.String(), "Accepted. Thank you.")
}
