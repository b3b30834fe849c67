package inbox

import (
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
	require.Contains(t, b.follow(b.post(path, url.Values{"v:tone": {"formal"}})), "You answered “Label casual”")
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
