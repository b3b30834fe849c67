package goals

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const (
	hookQuery  = "CANARY-of-the-webhook-url"
	linkSecret = "CANARY-of-the-links-and-the-logins-0123"
)

// notifying brings up a stack that notifies h.
func notifying(b *fixture.Workspace, h *hook) (*fixture.Stack, stack.Options) {
	b.T.Helper()
	o := b.Options(func(name string) string {
		return map[string]string{
			"CONVILYN_WEBHOOK_URL": h.URL + "/hook?token=" + hookQuery, "CONVILYN_WEBHOOK_SECRET": fixture.HookSecret,
			"CONVILYN_INBOX_SECRET": linkSecret, "CONVILYN_LOG_LEVEL": "debug",
		}[name]
	})
	return b.OpenOptions(o), o
}

func TestAnsweredByALinkInANotification(t *testing.T) {
	t.Parallel()
	b, h := fixture.New(t), newHook(t)
	h.fails = 2
	s, _ := notifying(b, h)
	input := b.GoalInput(2)
	input.Name = "Minutes"
	input.Policy.Slots = map[string]questions.Policy{"title": {RemindAfter: fixture.Moment, EscalateAfter: fixture.Moment, EscalateTo: "boss@example.com"}}
	run := s.StartGoal("minutes", input)

	asked := h.await(t, activities.NotifyAsked, "title")
	assert.Equal(t, []string{"minutes", run.GetRunID(), fixture.Binder, "Minutes"}, []string{asked.WorkflowID, asked.RunID, asked.Goal, asked.Name})
	h.await(t, activities.NotifyReminder, "title")
	escalated := h.await(t, activities.NotifyEscalated, "title")
	assert.Equal(t, "boss@example.com", escalated.Question.For)
	assert.True(t, strings.HasPrefix(asked.Question.AnswerURL, s.At.Inbox+"/answer/"))
	again := func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		twice := 0
		for _, n := range h.tries {
			twice += n - 1
		}
		return twice == 2
	}
	require.Eventually(t, again, testkit.Patience, 10*time.Millisecond, "what was answered with 500 comes again, under the same id")

	paper := h.await(t, activities.NotifyAsked, "paper").Question.AnswerURL
	status, text := fixture.Page(t, paper, url.Values{"v:paper": {"papyrus"}})
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Contains(t, text, "papyrus")
	title := escalated.Question.AnswerURL
	for _, one := range []struct {
		link string
		form url.Values
	}{{paper, url.Values{"v:paper": {"a4"}}}, {title, url.Values{"v:title": {"All of it"}, "note": {"as agreed"}}}} {
		for range 2 {
			status, text = fixture.Page(t, one.link, one.form)
			require.Equal(t, http.StatusOK, status, text)
			assert.Contains(t, text, "Your answer was taken")
		}
	}
	status, text = fixture.Page(t, asked.Question.AnswerURL, url.Values{"v:title": {"Something else"}})
	assert.Equal(t, http.StatusGone, status)
	assert.Contains(t, text, "This question is closed", "the link that was sent first, to a question that is answered")
	refusesLinks(t, s, paper)

	s.Give("minutes", map[string]any{"order": s.Order("minutes")})
	s.AwaitQuestion("minutes", "cover")
	status, text = fixture.Page(t, h.await(t, activities.NotifyAsked, "cover").Question.AnswerURL, url.Values{"v:cover": {"approve"}})
	require.Equal(t, http.StatusOK, status, text)
	var result goal.Result
	require.NoError(t, run.Get(t.Context(), &result))
	ended := h.await(t, activities.NotifyEnded, "")
	assert.Equal(t, workflows.StateCompleted, ended.Status)
	assert.Nil(t, ended.Question)
	by := map[string]string{}
	for _, receipt := range result.Answers {
		require.Equal(t, questions.VerdictAccepted, receipt.Verdict)
		by[receipt.SlotID] = receipt.Channel + " " + receipt.AnsweredBy + " " + receipt.Note
	}
	assert.Equal(t, map[string]string{"title": "link boss@example.com as agreed", "paper": "link  ", "order": "test test ", "cover": "link  "}, by)
	tellsNoSecrets(b, s, h)
}

// refusesLinks wants other links than those that were sent to be worthless.
func refusesLinks(t *testing.T, s *fixture.Stack, good string) {
	t.Helper()
	claim := link.Claim{WorkflowID: "minutes", SlotID: "order", Round: 1, Asked: s.AwaitQuestion("minutes", "order").AskedAt, Key: "k", Expires: time.Now().Add(time.Hour)}
	late, round, earlier := claim, claim, claim
	earlier.Asked = claim.Asked.Add(-time.Hour)
	late.Expires, round.Round = time.Now().Add(-time.Second), 2
	for _, test := range []struct {
		token, says string
		status      int
	}{
		{strings.TrimPrefix(good, s.At.Inbox+"/answer/") + "A", "not one of our links", http.StatusForbidden},
		{link.Sign([]byte("another secret that nobody knows of"), claim), "not one of our links", http.StatusForbidden},
		{link.Sign([]byte(linkSecret), late), "has expired", http.StatusGone},
		{link.Sign([]byte(linkSecret), round), "This question is closed", http.StatusGone},
		{link.Sign([]byte(linkSecret), earlier), "This question is closed", http.StatusGone},
	} {
		for _, form := range []url.Values{nil, {"v:order": {"x"}}} {
			status, text := fixture.Page(t, s.At.Inbox+"/answer/"+test.token, form)
			assert.Equal(t, test.status, status)
			assert.Contains(t, text, test.says)
		}
	}
}

// tellsNoSecrets looks through every history, and through the log.
func tellsNoSecrets(b *fixture.Workspace, s *fixture.Stack, h *hook) {
	b.T.Helper()
	secrets := []string{hookQuery, fixture.HookSecret, strings.TrimPrefix(fixture.HookSecret, "whsec_"), linkSecret, "/answer/", "answer_url"}
	h.mu.Lock()
	ids := make([]string, 0, len(h.tries))
	for id := range h.tries {
		ids = append(ids, "notify-"+id)
	}
	for _, n := range h.took {
		if n.Question != nil {
			require.NotEmpty(b.T, n.Question.AnswerURL)
			secrets = append(secrets, n.Question.AnswerURL[strings.LastIndex(n.Question.AnswerURL, "/")+1:])
		}
	}
	h.mu.Unlock()
	for _, id := range append(ids, "minutes") {
		events := s.History(id, "")
		s.HoldsNoSecrets(events)
		raw, err := proto.Marshal(events)
		require.NoError(b.T, err)
		assert.Contains(b.T, string(raw), "minutes", "the search finds what is there")
		for _, secret := range secrets {
			assert.NotContains(b.T, string(raw), secret, id)
		}
	}
	log, err := os.ReadFile(filepath.Join(b.Data, "stack.log"))
	require.NoError(b.T, err)
	assert.Contains(b.T, string(log), "the webhook answered 500", "the log tells of it")
	for _, secret := range secrets {
		assert.NotContains(b.T, string(log), secret)
	}
}

// mail lists the notifications of a stack.
func mail(b *fixture.Workspace, args ...string) []map[string]any {
	b.T.Helper()
	code, stdout, stderr := b.Run(append([]string{"notifications", "list", "--json"}, args...)...)
	require.Equal(b.T, 0, code, stderr)
	var rows []map[string]any
	for line := range strings.Lines(stdout) {
		var row map[string]any
		require.NoError(b.T, json.Unmarshal([]byte(line), &row))
		rows = append(rows, row)
	}
	return rows
}

func TestDeadLettersAreSentAgain(t *testing.T) {
	t.Parallel()
	b, h := fixture.New(t), newHook(t)
	h.answers(http.StatusGone)
	s, _ := notifying(b, h)
	run := s.StartGoal("minutes", b.GoalInput(1))
	var dead []map[string]any
	require.Eventually(t, func() bool { dead = mail(b, "--dead"); return len(dead) == 3 }, testkit.Patience, 100*time.Millisecond) // title, order, paper
	for _, row := range dead {
		assert.Equal(t, []any{"dead", "minutes", activities.NotifyAsked, 1.0}, []any{row["status"], row["workflow_id"], row["type"], row["attempts"]})
		assert.Contains(t, row["last_failure"], "answered 410")
	}
	h.answers(http.StatusInternalServerError)
	first := dead[0]["id"].(string)
	code, _, stderr := b.Run("notifications", "resend", first)
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, first+": is sent again\n", stderr)
	code, _, stderr = b.Run("notifications", "resend", first)
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, first+": is under way already\n", stderr)
	require.Eventually(t, func() bool {
		for _, row := range mail(b) {
			if row["id"] == first && row["status"] == "retrying" {
				return assert.Contains(t, row["last_failure"], "answered 500")
			}
		}
		return false
	}, testkit.Patience, 100*time.Millisecond)
	h.answers(0)
	code, _, stderr = b.Run("notifications", "resend", "--all-dead")
	require.Equal(t, 0, code, stderr)
	h.await(t, activities.NotifyAsked, "title")
	paper := h.await(t, activities.NotifyAsked, "paper").Question.AnswerURL
	before := len(s.History("minutes", run.GetRunID()).Events)
	for range 3 { // as mail scanners do
		status, text := fixture.Page(t, paper, nil)
		require.Equal(t, http.StatusOK, status, "its link is a live one")
		require.Contains(t, text, `name="v:paper"`)
	}
	assert.Len(t, s.History("minutes", run.GetRunID()).Events, before, "looking at a link changes nothing")
	require.Eventually(t, func() bool {
		rows := mail(b)
		for _, row := range rows {
			if row["status"] != "delivered" {
				return false
			}
		}
		return len(rows) == 3 && len(mail(b, "--dead")) == 0
	}, testkit.Patience, 100*time.Millisecond)
	code, _, stderr = b.Run("notifications", "resend", first)
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, first+": was delivered already\n", stderr)
}

// No run waits for anybody's webhook.
func TestAWebhookThatHangs(t *testing.T) {
	t.Parallel()
	b, h := fixture.New(t), newHook(t)
	h.hang = make(chan struct{})
	t.Cleanup(func() { close(h.hang) })
	s, _ := notifying(b, h)
	run := s.StartGoal("minutes", b.GoalInput(1))
	s.Give("minutes", map[string]any{"order": s.Order("minutes"), "title": "T", "paper": "a4"})
	s.AwaitQuestion("minutes", "cover")
	s.Give("minutes", map[string]any{"cover": "approve"})
	var result goal.Result
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, goal.ResultCompleted, result.Status)
	b.Eventually(func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.tries) > 0
	}, "it is called")
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.Empty(t, h.took)
}

// An answer that no worker was there to judge is kept, and counts once when one is back.
func TestAnsweredWhileNoWorkerIsUp(t *testing.T) {
	t.Parallel()
	b, h := fixture.New(t), newHook(t)
	s, o := notifying(b, h)
	s.StartGoal("minutes", b.GoalInput(1))
	title := h.await(t, activities.NotifyAsked, "title").Question.AnswerURL
	paper := h.await(t, activities.NotifyAsked, "paper").Question.AnswerURL
	s.Worker.Stop()
	client := s.RunsClient()
	client.Patience = 200 * time.Millisecond
	answer := questions.Answer{SlotID: "title", Value: json.RawMessage(`"T"`), AnswerID: "once", Channel: "test"}
	for range 2 {
		receipt, err := client.Answer(t.Context(), "minutes", answer)
		require.ErrorIs(t, err, runs.ErrNoVerdict)
		assert.Equal(t, "once", receipt.AnswerID)
	}
	status, text := fixture.PageNow(t, paper, url.Values{"v:paper": {"a4"}})
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, text, "try again when a worker is back")

	require.NoError(t, s.StartWorker(t.Context(), s.WorkerConfig(o)))
	var receipts []questions.Receipt
	require.Eventually(t, func() bool {
		var err error
		receipts, err = s.RunsClient().Answers(t.Context(), "minutes")
		return err == nil && len(receipts) > 0
	}, testkit.Patience, 50*time.Millisecond)
	status, _ = fixture.Page(t, paper, url.Values{"v:paper": {"a4"}})
	assert.Equal(t, http.StatusOK, status)
	status, _ = fixture.Page(t, title, url.Values{"v:title": {"Other"}})
	assert.Equal(t, http.StatusGone, status)
	receipts, err := s.RunsClient().Answers(t.Context(), "minutes")
	require.NoError(t, err)
	require.Len(t, receipts, 2)
	for i, id := range []string{"once", "link-"} {
		assert.Equal(t, questions.VerdictAccepted, receipts[i].Verdict)
		assert.True(t, strings.HasPrefix(receipts[i].AnswerID, id))
	}
}
