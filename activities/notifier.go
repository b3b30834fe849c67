package activities

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

// The types of notifications.
const (
	NotifyAsked     = "question.asked"
	NotifyRefused   = "question.refused" // its answer was accepted, and then refused by the service
	NotifyReminder  = "question.reminder"
	NotifyEscalated = "question.escalated"
	NotifyEnded     = "run.ended"
)

// Notification is what happened to a run. It is posted as it is, with AnswerURL added.
type Notification struct {
	ID         string                `json:"id"`
	Type       string                `json:"type"`
	At         time.Time             `json:"timestamp"`
	WorkflowID string                `json:"workflow_id"`
	RunID      string                `json:"run_id"`
	Goal       string                `json:"goal"`
	Name       string                `json:"name,omitempty"`
	JobSpecID  string                `json:"job_spec_id,omitempty"`
	Question   *NotificationQuestion `json:"question,omitempty"`
	Status     string                `json:"status,omitempty"` // of a run that ended
	Message    string                `json:"message,omitempty"`
}

// NotificationQuestion is a question in a notification.
type NotificationQuestion struct {
	slot.Slot
	Round    int        `json:"round"`
	AskedAt  time.Time  `json:"asked_at"`
	Deadline *time.Time `json:"deadline,omitempty"`
	For      string     `json:"for,omitempty"`
	Refused  string     `json:"refused,omitempty"` // why the answer before did not count
	Credits  *Credits   `json:"credits,omitempty"` // of a question about money
	// AnswerURL is a link for one answer. It is a secret, made when it is posted and kept nowhere.
	AnswerURL string `json:"answer_url,omitempty"`
}

// Notifier posts notifications to a webhook, signed after the Standard Webhooks scheme.
type Notifier struct {
	endpoint string
	secret   []byte
	link     AnswerLink
	http     *http.Client
	now      func() time.Time
}

// AnswerLink makes a link by which one question can be answered once.
type AnswerLink func(n Notification, now time.Time) string

// secretPrefix marks a webhook secret in the Standard Webhooks scheme.
const secretPrefix = "whsec_"

// NewNotifier checks the settings. The secret is "whsec_" and at least 24 bytes in base64; link may be nil.
func NewNotifier(endpoint, secret string, link AnswerLink) (*Notifier, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("the webhook's URL is not an http or https URL")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("the webhook's secret must be whsec_ and 24 to 64 bytes in base64")
	}
	return &Notifier{
		endpoint: endpoint, secret: key, link: link, now: time.Now,
		http: &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

func (n *Notifier) post(ctx context.Context, in Notification) error {
	now := n.now()
	if in.Question != nil && n.link != nil {
		question := *in.Question
		question.AnswerURL = n.link(in, now)
		in.Question = &question
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode a notification: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.endpoint, bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook's URL cannot be used")
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", in.ID)
	req.Header.Set("webhook-timestamp", stamp)
	req.Header.Set("webhook-signature", "v1,"+n.sign(in.ID, stamp, body))
	response, err := n.http.Do(req)
	if err != nil {
		// The URL may hold a secret of the receiver: errors of net/http carry it.
		return &localError{kind: FailureUnavailable, code: CodeWebhook, retry: true, text: "the webhook cannot be reached: " + client.BareError(err).Error()}
	}
	defer response.Body.Close() //nolint:errcheck // read as far as it matters
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	return webhookAnswer(response.StatusCode)
}

// webhookAnswer takes 2xx for received and 410 for an endpoint that takes no more; everything else may pass.
func webhookAnswer(status int) error {
	switch {
	case status >= http.StatusOK && status < http.StatusMultipleChoices:
		return nil
	case status == http.StatusGone:
		return &localError{kind: FailureRefused, code: CodeWebhook, text: "the webhook answered 410: it takes no more notifications"}
	default:
		return &localError{kind: FailureUnavailable, code: CodeWebhook, retry: true, text: fmt.Sprintf("the webhook answered %d", status)}
	}
}

func (n *Notifier) sign(id, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, n.secret)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
