package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// headerIdempotencyKey is Idempotency-Key in a spelling that only servers understand.
var headerIdempotencyKey = strings.ToLower("Idempotency-Key")

// replyLimit bounds what is read of a reply of the API.
const replyLimit = 8 << 20

// errorLimit bounds the replies of failures that are understood, in bytes.
const errorLimit = 64 << 10

var (
	errReplyTooLarge = fmt.Errorf("the reply is larger than %d bytes", replyLimit)
	errRedirect      = errors.New("the service answered with a redirect, which the API never does; check the base URL")
)

// request is one logical call of the API.
type request struct {
	method    string
	route     string // for errors and metrics
	path      string // escaped
	query     url.Values
	body      any
	anonymous bool
	// harmless says that a write may be repeated when its reply was lost, even by a service that ignores keys.
	harmless bool
	options  callOptions
}

type callOptions struct {
	idempotencyKey string
	noRetries      bool
}

// CallOption changes one call.
type CallOption func(*callOptions)

// WithIdempotencyKey sets the key of a write; all tries of one call share it. Without it a fresh one is made.
func WithIdempotencyKey(key string) CallOption {
	return func(o *callOptions) { o.idempotencyKey = key }
}

// WithoutRetries sends the request once, for callers who look before they send again.
func WithoutRetries() CallOption { return func(o *callOptions) { o.noRetries = true } }

func newCallOptions(opts []CallOption) callOptions {
	var o callOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// do sends a request to the API, again where the rule says so, and decodes the reply into out.
func (c *Client) do(ctx context.Context, r request, out any) error {
	var payload []byte
	if r.body != nil {
		var err error
		if payload, err = json.Marshal(r.body); err != nil {
			return fmt.Errorf("encode %s %s: %w", r.method, r.route, err)
		}
	}
	if r.method != http.MethodGet && r.options.idempotencyKey == "" {
		r.options.idempotencyKey = uuid.NewString()
	}
	maxRetries := c.maxRetries
	if r.options.noRetries {
		maxRetries = 0
	}
	for attempt := 1; ; attempt++ {
		reply, err := c.try(ctx, r, payload, attempt)
		if err != nil && !r.repeatable(err) {
			return err
		}
		if err == nil && reply.status < http.StatusBadRequest {
			return reply.decode(r, out)
		}
		delay, again := retryDelay(attempt, maxRetries, reply.status, retryAfter(reply.header), randomJitter())
		if !again || ctx.Err() != nil {
			if err != nil {
				return err
			}
			return reply.apiError(r, attempt)
		}
		if err := c.sleep(ctx, delay); err != nil {
			return &TransportError{Method: r.method, Route: r.route, Sent: true, Err: err}
		}
	}
}

// repeatable says that a request without a reply may be sent again.
func (r request) repeatable(err error) bool {
	return (r.method == http.MethodGet || r.harmless) && !errors.Is(err, errReplyTooLarge)
}

// reply is a whole answer of the API.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) apiError(req request, attempts int) error {
	e := decodeAPIError(r.status, r.header, r.body)
	e.Method, e.Route, e.Attempts = req.method, req.route, attempts
	return e
}

func (r reply) decode(req request, out any) error {
	if r.status >= http.StatusMultipleChoices {
		return &TransportError{Method: req.method, Route: req.route, Sent: true, Err: errRedirect}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(r.body, out); err != nil {
		return &TransportError{Method: req.method, Route: req.route, Sent: true, Err: fmt.Errorf("decode the reply: %w", BareError(err))}
	}
	return nil
}

// try sends the request once and reads the answer.
func (c *Client) try(ctx context.Context, r request, payload []byte, attempt int) (reply, error) {
	if c.limiter != nil {
		if err := c.limiter.Wait(ctx); err != nil {
			return reply{}, &TransportError{Method: r.method, Route: r.route, Err: err}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	target := c.base.String() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(payload))
	if err != nil {
		return reply{}, &TransportError{Method: r.method, Route: r.route, Err: BareError(err)}
	}
	c.setHeaders(req, r, payload)
	started := time.Now()
	response, sent, err := send(c.api, req)
	info := RequestInfo{Method: r.method, Route: r.route, Attempt: attempt}
	if err == nil {
		defer response.Body.Close() //nolint:errcheck // read to its end or given up
		info.Status = response.StatusCode
		info.SoftLimit = strings.EqualFold(strings.TrimSpace(response.Header.Get("X-Quota-State")), "soft_limit")
	}
	var out reply
	if err == nil {
		out, err = c.readReply(response)
	}
	info.Duration = time.Since(started)
	c.observe(info)
	if err != nil {
		return reply{}, &TransportError{Method: r.method, Route: r.route, Sent: sent, Err: BareError(err)}
	}
	return out, nil
}

func (c *Client) setHeaders(req *http.Request, r request, payload []byte) {
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", "application/json")
	if !r.anonymous {
		req.Header.Set("Authorization", "Bearer "+string(c.key))
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.options.idempotencyKey != "" {
		// Under its usual spelling net/http would send the request again by itself when a reply is lost, and a
		// service that ignores the key would do the work twice.
		req.Header[headerIdempotencyKey] = []string{r.options.idempotencyKey}
	}
}

// send is the one place that hands a request to the network. sent says that a connection was had for it.
func send(client *http.Client, req *http.Request) (response *http.Response, sent bool, err error) {
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }}
	response, err = client.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	return response, sent, err
}

// readReply reads a reply to its end. The key is in none of it, and other secrets only where links are handed out.
func (c *Client) readReply(response *http.Response) (reply, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, replyLimit+1))
	if err != nil {
		return reply{}, err
	}
	if len(body) > replyLimit {
		return reply{}, errReplyTooLarge
	}
	own := secrets{string(c.key)}
	if response.StatusCode >= http.StatusBadRequest {
		if len(body) > errorLimit { // it explains nothing
			body = body[:2*rawBodyLimit]
		}
		body = own.cleanReply(body)
	} else {
		body = own.strip(body)
	}
	return reply{status: response.StatusCode, header: response.Header, body: body}, nil
}
