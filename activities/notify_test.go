package activities

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// post sends a notification to a webhook that answers with status.
func post(t *testing.T, status int, n Notification) (*http.Request, []byte, error) {
	t.Helper()
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, body = r, must(io.ReadAll(r.Body))
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	notifier, err := NewNotifier(server.URL+"/hook?receiver=canary", webhookSecret, func(Notification, time.Time) string { return "https://inbox/answer/x" })
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	steps := New(API{}, 0, notifier)
	env.RegisterActivity(steps)
	_, err = env.ExecuteActivity(steps.PostNotification, n)
	return got, body, err
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestNotificationsAreSigned(t *testing.T) {
	n := Notification{ID: "run-1", Type: NotifyAsked, WorkflowID: "w", Question: &NotificationQuestion{Slot: Slot{SlotID: "tone", Text: "Which?"}}}
	request, body, err := post(t, 204, n)
	require.NoError(t, err)
	assert.Equal(t, "run-1", request.Header.Get("webhook-id"), "the same for every try, so that receivers know it")
	stamp := request.Header.Get("webhook-timestamp")
	seconds := must(strconv.ParseInt(stamp, 10, 64))
	assert.InDelta(t, time.Now().Unix(), seconds, 60)
	key := must(base64.StdEncoding.DecodeString(strings.TrimPrefix(webhookSecret, "whsec_")))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("run-1." + stamp + "." + string(body)))
	assert.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), request.Header.Get("webhook-signature"))
	var sent map[string]any
	require.NoError(t, json.Unmarshal(body, &sent))
	assert.Equal(t, "question.asked", sent["type"])
	assert.Equal(t, "https://inbox/answer/x", sent["question"].(map[string]any)["answer_url"])
	assert.Empty(t, n.Question.AnswerURL, "the link is kept nowhere")
}

func TestWebhookAnswers(t *testing.T) {
	for status, final := range map[int]bool{500: false, 404: false, 429: false, 410: true, 302: false} {
		t.Run(fmt.Sprintf("status %v", status), func(t *testing.T) {
			_, _, err := post(t, status, Notification{ID: "1"})
			var failure *temporal.ApplicationError
			require.ErrorAs(t, err, &failure, "%d", status)
			assert.Equal(t, final, failure.NonRetryable(), "%d", status)
			assert.NotContains(t, err.Error(), "canary", "the URL may hold a secret")
		})
	}
}

func TestAWebhookThatIsNotThere(t *testing.T) {
	notifier := must(NewNotifier("http://127.0.0.1:1/hook?receiver=canary", webhookSecret, nil))
	err := notifier.post(t.Context(), Notification{ID: "1"})
	require.ErrorContains(t, err, "cannot be reached")
	assert.NotContains(t, err.Error(), "canary")
}

// net/http quotes what it cannot read: here an answer that repeats the URL.
func TestAWebhookThatEchoes(t *testing.T) {
	for _, raw := range []string{"HTTP/1.1 /hook?receiver=canary\r\n\r\n", "canary\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: http://[bad?canary\r\n\r\n"} {
		t.Run(raw, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if assert.NoError(t, err) {
					_, _ = io.WriteString(conn, raw)
					_ = conn.Close()
				}
			}))
			err := must(NewNotifier(server.URL+"/hook?receiver=canary", webhookSecret, nil)).post(t.Context(), Notification{ID: "1"})
			server.Close()
			require.ErrorContains(t, err, "cannot be reached")
			assert.NotContains(t, err.Error(), "canary")
		})
	}
}

// What is posted goes to the endpoint that was named, and nowhere else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	err := must(NewNotifier(server.URL, webhookSecret, nil)).post(t.Context(), Notification{ID: "1"})
	require.ErrorContains(t, err, "answered 307")
}

// A notification that no webhook was there for is not one that was delivered.
func TestAWorkerWithoutAWebhook(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	steps := New(API{}, 0, nil)
	env.RegisterActivity(steps)
	_, err := env.ExecuteActivity(steps.PostNotification, Notification{ID: "1"})
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	assert.False(t, failure.NonRetryable(), "another worker may have one")
	assert.Contains(t, failure.Error(), "CONVILYN_WEBHOOK_URL")
}

func TestWebhookSettings(t *testing.T) {
	for _, test := range []struct{ url, secret, says string }{
		{"ftp://x/", webhookSecret, "not an http or https URL"},
		{"https://x/", "whsec_short", "24 to 64 bytes"},
		{"https://x/", "", "24 to 64 bytes"},
	} {
		t.Run(fmt.Sprint(test.url, " ", test.secret, " ", test.says), func(t *testing.T) {
			_, err := NewNotifier(test.url, test.secret, nil)
			require.ErrorContains(t, err, test.says)
		})
	}
}
