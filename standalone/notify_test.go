package main

import (
	"encoding/json"
	"io"
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
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const (
	hookSecret = "whsec_Q0FOQVJZLW9mLXRoZS13ZWJob29rLXNlY3JldA=="
	hookQuery  = "CANARY-of-the-webhook-url"
	linkSecret = "CANARY-of-the-links-and-the-logins-0123"
)

// notifying brings up a stack that notifies h.
func (b *bench) notifying(h *hook) (*stack, options) {
	b.t.Helper()
	o, err := (&standalone{dir: b.data}).options(func(name string) string {
		return map[string]string{
			"CONVILYN_WEBHOOK_URL": h.URL + "/hook?token=" + hookQuery, "CONVILYN_WEBHOOK_SECRET": hookSecret, "CONVILYN_INBOX_SECRET": linkSecret,
			"CONVILYN_LOG_LEVEL": "debug",
		}[name]
	})
	require.NoError(b.t, err)
	s, err := openStack(b.t.Context(), o, func(text string) { b.t.Log(text) })
	require.NoError(b.t, err)
	b.t.Cleanup(s.close)
	return s, o
}

// page asks for a page; a form is posted.
func page(t *testing.T, address string, form url.Values) (status int, text string) {
	t.Helper()
	var response *http.Response
	var err error
	if form == nil {
		response, err = http.Get(address)
	} else {
		response, err = http.PostForm(address, form)
	}
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestAnsweredByALinkInANotification(t *testing.T) {
	t.Parallel()
	b, h := newBench(t), newHook(t)
	h.fails = 2
	s, _ := b.notifying(h)
	input := b.goal(2)
	input.Name = "Minutes"
	input.Policy.Slots = map[string]questions.Policy{"title": {RemindAfter: moment, EscalateAfter: moment, EscalateTo: "boss@example.com"}}
	run := startGoal(t, s, "minutes", input)

	asked := h.await(t, activities.NotifyAsked, "title")
	assert.Equal(t, []string{"minutes", run.GetRunID(), binder, "Minutes"}, []string{asked.WorkflowID, asked.RunID, asked.Goal, asked.Name})
	h.await(t, activities.NotifyReminder, "title")
	escalated := h.await(t, activities.NotifyEscalated, "title")
	assert.Equal(t, "boss@example.com", escalated.Question.For)
	assert.True(t, strings.HasPrefix(asked.Question.AnswerURL, s.at.Inbox+"/answer/"))
	again := func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		twice := 0
		for _, n := range h.tries {
			twice += n - 1
		}
		return twice == 2
	}
	require.Eventually(t, again, time.Minute, 10*time.Millisecond, "what was answered with 500 comes again, under the same id")

	paper := h.await(t, activities.NotifyAsked, "paper").Question.AnswerURL
	status, text := page(t, paper, url.Values{"v:paper": {"papyrus"}})
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Contains(t, text, "papyrus")
	title := escalated.Question.AnswerURL
	for _, one := range []struct {
		link string
		form url.Values
	}{{paper, url.Values{"v:paper": {"a4"}}}, {title, url.Values{"v:title": {"All of it"}, "note": {"as agreed"}}}} {
		for range 2 {
			status, text = page(t, one.link, one.form)
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, text, "This link has been used")
		}
	}
	status, text = page(t, asked.Question.AnswerURL, url.Values{"v:title": {"Something else"}})
	assert.Equal(t, http.StatusGone, status)
	assert.Contains(t, text, "This question is closed", "the link that was sent first, to a question that is answered")
	s.refusesLinks(t, paper)

	give(t, s, "minutes", map[string]any{"order": order(t, s, "minutes")})
	awaitQuestion(t, s, "minutes", "cover")
	status, _ = page(t, h.await(t, activities.NotifyAsked, "cover").Question.AnswerURL, url.Values{"v:cover": {"approve"}})
	assert.Equal(t, http.StatusOK, status)
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
	b.tellsNoSecrets(s, h)
}

// refusesLinks wants other links than those that were sent to be worthless.
func (s *stack) refusesLinks(t *testing.T, good string) {
	t.Helper()
	claim := link.Claim{WorkflowID: "minutes", SlotID: "order", Round: 1, Asked: awaitQuestion(t, s, "minutes", "order").AskedAt, Key: "k", Expires: time.Now().Add(time.Hour)}
	late, round, earlier := claim, claim, claim
	earlier.Asked = claim.Asked.Add(-time.Hour)
	late.Expires, round.Round = time.Now().Add(-time.Second), 2
	for _, test := range []struct {
		token, says string
		status      int
	}{
		{strings.TrimPrefix(good, s.at.Inbox+"/answer/") + "A", "not one of our links", http.StatusForbidden},
		{link.Sign([]byte("another secret that nobody knows of"), claim), "not one of our links", http.StatusForbidden},
		{link.Sign([]byte(linkSecret), late), "has expired", http.StatusGone},
		{link.Sign([]byte(linkSecret), round), "This question is closed", http.StatusGone},
		{link.Sign([]byte(linkSecret), earlier), "This question is closed", http.StatusGone},
	} {
		for _, form := range []url.Values{nil, {"v:order": {"x"}}} {
			status, text := page(t, s.at.Inbox+"/answer/"+test.token, form)
			assert.Equal(t, test.status, status)
			assert.Contains(t, text, test.says)
		}
	}
}

// tellsNoSecrets looks through every history, and through the log.
func (b *bench) tellsNoSecrets(s *stack, h *hook) {
	b.t.Helper()
	secrets := []string{hookQuery, hookSecret, strings.TrimPrefix(hookSecret, "whsec_"), linkSecret, "/answer/", "answer_url"}
	h.mu.Lock()
	ids := make([]string, 0, len(h.tries))
	for id := range h.tries {
		ids = append(ids, "notify-"+id)
	}
	for _, n := range h.took {
		if n.Question != nil {
			require.NotEmpty(b.t, n.Question.AnswerURL)
			secrets = append(secrets, n.Question.AnswerURL[strings.LastIndex(n.Question.AnswerURL, "/")+1:])
		}
	}
	h.mu.Unlock()
	for _, id := range append(ids, "minutes") {
		events := historyOf(b.t, s, id, "")
		s.holdsNoSecrets(b.t, events)
		raw, err := proto.Marshal(events)
		require.NoError(b.t, err)
		assert.Contains(b.t, string(raw), "minutes", "the search finds what is there")
		for _, secret := range secrets {
			assert.NotContains(b.t, string(raw), secret, id)
		}
	}
	log, err := os.ReadFile(filepath.Join(b.data, "stack.log"))
	require.NoError(b.t, err)
	assert.Contains(b.t, string(log), "the webhook answered 500", "the log tells of it")
	for _, secret := range secrets {
		assert.NotContains(b.t, string(log), secret)
	}
}

// mail lists the notifications of a stack.
func (b *bench) mail(args ...string) []map[string]any {
	b.t.Helper()
	code, stdout, stderr := b.run(append([]string{"notifications", "list", "--json"}, args...)...)
	require.Equal(b.t, 0, code, stderr)
	var rows []map[string]any
	for line := range strings.Lines(stdout) {
		var row map[string]any
		require.NoError(b.t, json.Unmarshal([]byte(line), &row))
		rows = append(rows, row)
	}
	return rows
}

func TestDeadLettersAreSentAgain(t *testing.T) {
	t.Parallel()
	b, h := newBench(t), newHook(t)
	h.answers(http.StatusGone)
	s, _ := b.notifying(h)
	run := startGoal(t, s, "minutes", b.goal(1))
	var dead []map[string]any
	require.Eventually(t, func() bool { dead = b.mail("--dead"); return len(dead) == 3 }, time.Minute, 100*time.Millisecond) // title, order, paper
	for _, row := range dead {
		assert.Equal(t, []any{"dead", "minutes", activities.NotifyAsked, 1.0}, []any{row["status"], row["workflow_id"], row["type"], row["attempts"]})
		assert.Contains(t, row["last_failure"], "answered 410")
	}
	h.answers(http.StatusInternalServerError)
	first := dead[0]["id"].(string)
	code, _, stderr := b.run("notifications", "resend", first)
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, first+": is sent again\n", stderr)
	code, _, stderr = b.run("notifications", "resend", first)
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, first+": is under way already\n", stderr)
	require.Eventually(t, func() bool {
		for _, row := range b.mail() {
			if row["id"] == first && row["status"] == "retrying" {
				return assert.Contains(t, row["last_failure"], "answered 500")
			}
		}
		return false
	}, time.Minute, 100*time.Millisecond)
	h.answers(0)
	code, _, stderr = b.run("notifications", "resend", "--all-dead")
	require.Equal(t, 0, code, stderr)
	h.await(t, activities.NotifyAsked, "title")
	paper := h.await(t, activities.NotifyAsked, "paper").Question.AnswerURL
	before := len(historyOf(t, s, "minutes", run.GetRunID()).Events)
	for range 3 { // as mail scanners do
		status, text := page(t, paper, nil)
		require.Equal(t, http.StatusOK, status, "its link is a live one")
		require.Contains(t, text, `name="v:paper"`)
	}
	assert.Len(t, historyOf(t, s, "minutes", run.GetRunID()).Events, before, "looking at a link changes nothing")
	require.Eventually(t, func() bool {
		rows := b.mail()
		for _, row := range rows {
			if row["status"] != "delivered" {
				return false
			}
		}
		return len(rows) == 3 && len(b.mail("--dead")) == 0
	}, time.Minute, 100*time.Millisecond)
	code, _, stderr = b.run("notifications", "resend", first)
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, first+": was delivered already\n", stderr)
}

// No run waits for anybody's webhook.
func TestAWebhookThatHangs(t *testing.T) {
	t.Parallel()
	b, h := newBench(t), newHook(t)
	h.hang = make(chan struct{})
	t.Cleanup(func() { close(h.hang) })
	s, _ := b.notifying(h)
	run := startGoal(t, s, "minutes", b.goal(1))
	give(t, s, "minutes", map[string]any{"order": order(t, s, "minutes"), "title": "T", "paper": "a4"})
	awaitQuestion(t, s, "minutes", "cover")
	give(t, s, "minutes", map[string]any{"cover": "approve"})
	var result goal.Result
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, goal.ResultCompleted, result.Status)
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.NotEmpty(t, h.tries, "it was called")
	assert.Empty(t, h.took)
}

// workerConfig is what the stack's own worker was started with.
func (s *stack) workerConfig(t *testing.T, o options) config.Config {
	t.Helper()
	key, err := s.apiKey()
	require.NoError(t, err)
	cfg := o.config
	cfg.BaseURL, cfg.APIKey, cfg.InboxURL = s.at.API, config.Secret(key), s.at.Inbox
	return cfg
}

// An answer that no worker was there to judge is kept, and counts once when one is back.
func TestAnsweredWhileNoWorkerIsUp(t *testing.T) {
	t.Parallel()
	b, h := newBench(t), newHook(t)
	s, o := b.notifying(h)
	startGoal(t, s, "minutes", b.goal(1))
	title := h.await(t, activities.NotifyAsked, "title").Question.AnswerURL
	paper := h.await(t, activities.NotifyAsked, "paper").Question.AnswerURL
	s.worker.Stop()
	desk := s.desk()
	desk.Patience = 200 * time.Millisecond
	answer := questions.Answer{SlotID: "title", Value: json.RawMessage(`"T"`), AnswerID: "once", Channel: "test"}
	for range 2 {
		receipt, err := desk.Answer(t.Context(), "minutes", answer)
		require.ErrorIs(t, err, answering.ErrNoVerdict)
		assert.Equal(t, "once", receipt.AnswerID)
	}
	status, text := page(t, paper, url.Values{"v:paper": {"a4"}})
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, text, "try again when a worker is back")

	require.NoError(t, s.startWorker(t.Context(), s.workerConfig(t, o)))
	var receipts []questions.Receipt
	require.Eventually(t, func() bool {
		var err error
		receipts, err = s.desk().Answers(t.Context(), "minutes")
		return err == nil && len(receipts) > 0
	}, time.Minute, 50*time.Millisecond)
	status, _ = page(t, paper, url.Values{"v:paper": {"a4"}})
	assert.Equal(t, http.StatusOK, status)
	status, _ = page(t, title, url.Values{"v:title": {"Other"}})
	assert.Equal(t, http.StatusGone, status)
	receipts, err := s.desk().Answers(t.Context(), "minutes")
	require.NoError(t, err)
	require.Len(t, receipts, 2)
	for i, id := range []string{"once", "link-"} {
		assert.Equal(t, questions.VerdictAccepted, receipts[i].Verdict)
		assert.True(t, strings.HasPrefix(receipts[i].AnswerID, id))
	}
}
