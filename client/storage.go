package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	routeStorageUpload   = "(storage upload)"
	routeStorageDownload = "(storage download)"
)

// checkStorageURL applies what can be told before dialling. The one exemption: the API's own host, on loopback or private.
func (c *connection) checkStorageURL(raw PresignedURL) error {
	u, err := url.Parse(string(raw))
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("%w: it cannot be parsed", ErrForbiddenAddress)
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if c.ownStorage != "" && hostPort(u) == c.ownStorage && (u.Scheme == "https" || u.Scheme == "http") {
		return nil
	}
	if u.Scheme != "https" {
		return fmt.Errorf("%w: its scheme is %q", ErrForbiddenAddress, u.Scheme)
	}
	for _, suffix := range []string{".internal", ".local", ".cluster.local", ".svc"} {
		if strings.HasSuffix(host, suffix) {
			return fmt.Errorf("%w: %s is a private name", ErrForbiddenAddress, host)
		}
	}
	return nil
}

// storageError makes an *APIError of a refusal. The storage's XML is named by its code and message alone.
func storageError(response *http.Response, method, route, codePrefix string, hide secrets) error {
	if response.StatusCode < http.StatusMultipleChoices {
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, errorLimit))
		return nil
	}
	if response.StatusCode < http.StatusBadRequest {
		return &TransportError{Method: method, Route: route, Sent: true, Err: errRedirect}
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, errorLimit))
	message := reasonPhrase(response.StatusCode)
	if code, text := xmlElement(body, "Code"), xmlElement(body, "Message"); code != "" {
		message = hide.clean(strings.TrimSpace(code + ": " + text))
	}
	return &APIError{
		Status: response.StatusCode, Code: fmt.Sprintf("%s%d", codePrefix, response.StatusCode), Message: message,
		Details: map[string]any{}, Method: method, Route: route, Attempts: 1, RetryAfter: retryAfter(response.Header),
	}
}

// xmlElement takes the text of the first such element; a parser would be more than a two-line error needs.
func xmlElement(body []byte, name string) string {
	_, rest, found := bytes.Cut(body, []byte("<"+name+">"))
	if !found {
		return ""
	}
	text, _, found := bytes.Cut(rest, []byte("</"+name+">"))
	if !found || len(text) > 300 {
		return ""
	}
	return string(text)
}

// stallTimeout ends a transfer that has not moved for so long; how long a whole one takes depends on its size.
const stallTimeout = 60 * time.Second

var errStalled = errors.New("the transfer has not moved for a minute")

// stallGuard cancels a transfer that stands still.
type stallGuard struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context
}

func newStallGuard(ctx context.Context) (context.Context, *stallGuard) {
	ctx, cancel := context.WithCancelCause(ctx)
	g := &stallGuard{cancel: cancel, ctx: ctx}
	g.timer = time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	return ctx, g
}

func (g *stallGuard) moved() { g.timer.Reset(stallTimeout) }

func (g *stallGuard) stop() {
	g.timer.Stop()
	g.cancel(nil)
}

// cause prefers the reason for which the guard cancelled over what the network said about it.
func (g *stallGuard) cause(err error) error {
	if errors.Is(context.Cause(g.ctx), errStalled) {
		return errStalled
	}
	return err
}
