package inbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func testLink(b *bench, change ...func(*link.Claim)) string {
	c := link.Claim{WorkflowID: "w", SlotID: "tone", Round: 1, Asked: testNow.Add(-3 * time.Hour), Key: "k1", For: "legal@example.com", Expires: b.now.Add(time.Hour)}
	for _, f := range change {
		f(&c)
	}
	return "/answer/" + link.Sign(testSecret, c)
}

func TestALinkAnswersItsQuestionOnce(t *testing.T) {
	b := newBench(t, withToken) // nobody is logged in
	r := toneRun("Letter")
	r.Questions = append(r.Questions, questions.Question{Slot: slot.Slot{SlotID: "secret", Type: "text", Text: "Something else"}})
	b.add("w", r)
	path := testLink(b)
	page := b.get(path).Body.String()
	require.Contains(t, page, "Which tone?")
	require.NotContains(t, page, "Something else")
	require.Equal(t, http.StatusUnprocessableEntity, b.post(path, url.Values{"v:tone": {"rude"}}).Code)
	require.Contains(t, b.follow(b.post(path, url.Values{"v:tone": {"casual"}, "v:secret": {"x"}})), "Your answer was taken")
	receipt := b.lastReceipt("w")
	require.Equal(t, "link-k1/link/legal@example.com", receipt.AnswerID+"/"+receipt.Channel+"/"+receipt.AnsweredBy)
	sent := len(b.temporal.Given())
	require.Contains(t, b.follow(b.post(path, url.Values{"v:tone": {"casual"}})), "You answered “Label casual”")
	another := b.post(path, url.Values{"v:tone": {"formal"}})
	require.Equal(t, http.StatusConflict, another.Code)
	require.Contains(t, another.Body.String(), "answered “Label casual”")
	require.Contains(t, another.Body.String(), "What you wrote, which was not sent")
	require.Len(t, b.temporal.Given(), sent, "a used link sends nothing")
	other := testLink(b, func(c *link.Claim) { c.Key = "k2" })
	require.Equal(t, http.StatusGone, b.get(other).Code, "another link to an answered question")
}

// The service may refuse what the run has taken; then the question is open again, and so is its link.
func TestALinkWhoseAnswerWasRefusedLater(t *testing.T) {
	b := newBench(t)
	r := toneRun("Letter")
	r.Ledger = []questions.Receipt{{AnswerID: "link-k1", SlotID: "tone", Verdict: questions.VerdictInvalid, Reason: "the service says no"}}
	b.add("w", r)
	require.Contains(t, b.get(testLink(b)).Body.String(), "Which tone?")
	require.Contains(t, b.follow(b.post(testLink(b), url.Values{"v:tone": {"casual"}})), "Your answer was taken")
	require.Equal(t, "link-k1.1", b.lastReceipt("w").AnswerID)
	require.Len(t, b.temporal.Given(), 1)
}

func TestLinks_HaveASocketOfTheirRunAlone(t *testing.T) {
	l := newLiveBench(t, withToken) // nobody is logged in
	l.add("w", toneRun("Letter"))
	l.add("other", toneRun("Another"))
	path := testLink(l.bench)
	require.Contains(t, l.get(path).Body.String(), `data-live-at="`+path+`/live"`)

	conn, _, err := l.dial(path+"/live?run=other", nil)
	require.NoError(t, err)
	s, err := l.look(t.Context())
	require.NoError(t, err)
	require.Equal(t, s.versionFor("w"), l.version(conn))

	for name, at := range map[string]string{
		"the socket of those who are logged in": "/live?run=w", "a forged link": path + "x/live",
		"an expired link": testLink(l.bench, func(c *link.Claim) { c.Expires = testNow.Add(-time.Hour) }) + "/live",
	} {
		t.Run(name, func(t *testing.T) {
			_, reply, err := l.dial(at, nil)
			require.Error(t, err)
			require.GreaterOrEqual(t, reply.StatusCode, 400)
		})
	}
}

func TestForgedExpiredAndForeignLinks(t *testing.T) {
	b := newBench(t)
	b.add("w", toneRun("Letter"))
	require.Equal(t, http.StatusForbidden, b.get(testLink(b)+"x").Code)
	require.Equal(t, http.StatusForbidden, b.post(testLink(b)+"x", url.Values{"v:tone": {"casual"}}).Code)
	late := testLink(b, func(c *link.Claim) { c.Expires = b.now })
	require.Equal(t, http.StatusGone, b.get(late).Code)
	require.Equal(t, http.StatusGone, b.post(late, url.Values{"v:tone": {"casual"}}).Code)
	round := testLink(b, func(c *link.Claim) { c.Round = 2 })
	require.Equal(t, http.StatusGone, b.post(round, url.Values{"v:tone": {"casual"}}).Code)
	earlier := testLink(b, func(c *link.Claim) { c.Asked = c.Asked.Add(-time.Hour) })
	require.Equal(t, http.StatusGone, b.post(earlier, url.Values{"v:tone": {"casual"}}).Code, "an earlier run of the same name asked that")
	require.Empty(t, b.temporal.Given())
}

// Two who use one link at the same moment pass its check together; whose answer does not count is told so.
func TestLinks_TellWhoSentAnotherAnswerAtTheSameTime(t *testing.T) {
	given := questions.Receipt{SlotID: "tone", Value: json.RawMessage(`"casual"`), Verdict: questions.VerdictAccepted}
	for name, row := range map[string]struct {
		value, typed string
		another      bool
	}{
		"the same":     {`"casual"`, "casual", false},
		"another":      {`"casual"`, "formal", true},
		"nothing":      {`"casual"`, "", false},
		"a number":     {`3`, "3", false},
		"like it":      {`3`, " 3.0", false},
		"with a space": {`"casual"`, "casual ", false},
		"other number": {`3`, "4", true},
		"a list":       {`["a"]`, "a", false},
		"an upload":    {`"file:///x/1/a.pdf"`, "file:///x/2/a.pdf", false},
	} {
		t.Run(name, func(t *testing.T) {
			given.Value = json.RawMessage(row.value)
			require.Equal(t, row.another, isAnother(given, row.typed))
		})
	}
}
