package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/inbox"
	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/httpserver"
)

// linkLife is how long an answer link lives where the question has no earlier deadline.
const linkLife = 14 * 24 * time.Hour

// answerLink makes links into the inbox; nil where there is no inbox that would know them.
func answerLink(cfg config.Config) activities.AnswerLink {
	if cfg.InboxURL == "" || cfg.InboxSecret == "" {
		return nil
	}
	return func(n activities.Notification, now time.Time) string {
		q := n.Question
		expires := now.Add(linkLife)
		if q.Deadline != nil && q.Deadline.Before(expires) {
			expires = *q.Deadline
		}
		return cfg.InboxURL + "/answer/" + link.Sign([]byte(cfg.InboxSecret), link.Claim{
			WorkflowID: n.WorkflowID, SlotID: q.SlotID, Round: q.Round, Asked: q.AskedAt, Key: n.ID, For: q.For, Expires: expires.UTC().Truncate(time.Second),
		})
	}
}

// InboxOptions say where an inbox is served.
type InboxOptions struct {
	Listener  net.Listener
	Temporal  temporalclient.Client
	Namespace string
	Files     string        // for uploads, readable by workers; empty for none
	Shared    bool          // uploads are for workers of the same group, too
	UI        string        // root of Temporal's page, empty where unknown
	Local     bool          // serves this machine alone, with a token, too
	Metrics   *Metrics      // nil for none
	Notice    func() string // what is above every page; may be nil
	Logger    *zap.Logger
}

// CheckInboxAddress refuses to open an inbox to others without a token.
func CheckInboxAddress(address string, token config.Secret) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port", address)
	}
	ip, err := netip.ParseAddr(host)
	if token == "" && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s can be reached from other machines and needs a token; set CONVILYN_INBOX_TOKEN, or serve 127.0.0.1", address)
	}
	return nil
}

// inboxConnections is how many connections an inbox has at once, besides those of open pages.
const inboxConnections = 512

// ServeInbox serves the inbox until stop is called.
func ServeInbox(cfg config.Config, o InboxOptions) (stop func(), err error) {
	secret := []byte(cfg.InboxSecret)
	if len(secret) == 0 {
		secret = make([]byte, config.SecretMin) // good for logins until this process ends
		_, _ = rand.Read(secret)                // never fails
	}
	served := inbox.Config{
		Temporal: o.Temporal, Namespace: o.Namespace, Token: string(cfg.InboxToken), Local: o.Local, Secret: secret, Files: o.Files, Shared: o.Shared,
		URL: cfg.InboxURL, Previews: previews(cfg), TemporalUI: o.UI, Logger: o.Logger, Notice: o.Notice,
	}
	if cfg.Ledger != "" || len(cfg.Roots) > 0 { // without bounds it would show any file that a run names
		served.Documents = activities.NewDocuments(guard(cfg)).Open
	}
	if o.Metrics != nil {
		served.Metrics, served.Ready = o.Metrics.Page(), o.Metrics.Ready
	}
	in, err := inbox.New(served)
	if err != nil {
		return nil, err
	}
	server := httpserver.NewGuarded(in.Handler(), inboxConnections)
	go func() {
		if err := server.Serve(o.Listener); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("the inbox stopped", zap.Error(err))
		}
	}()
	life, end := context.WithCancel(context.Background())
	go in.SweepUploads(life)
	return func() {
		end()
		in.Close()
		_ = server.Close()
	}, nil
}

// previews fetches what questions show, by the API's key; nil where there is none.
func previews(cfg config.Config) func(ctx context.Context, jobSpecID, artifactID string) (io.ReadCloser, string, error) {
	if cfg.APIKey == "" {
		return nil
	}
	api, err := cfg.API()
	if err != nil {
		return nil
	}
	return func(ctx context.Context, jobSpecID, artifactID string) (io.ReadCloser, string, error) {
		link, err := api.Goals.ArtifactLink(ctx, jobSpecID, artifactID)
		if err != nil {
			return nil, "", err
		}
		body, err := api.Convert.Open(ctx, *link)
		return body, strings.ToLower(link.Mimetype), err
	}
}
