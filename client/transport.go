package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"
)

// Option changes a Client.
type Option func(*connection)

// connection is what all services of a Client share.
type connection struct {
	base       *url.URL
	key        apiKey
	userAgent  string
	maxRetries int
	timeout    time.Duration
	limiter    *rate.Limiter
	observe    func(RequestInfo)
	sleep      func(ctx context.Context, d time.Duration) error
	now        func() time.Time
	proxy      func(*http.Request) (*url.URL, error)
	api        *http.Client
	storage    *http.Client
	private    bool
	ownStorage string // host:port that storage may have beside public ones

	eventsURL  string // as given
	events     *url.URL
	tokenInURL bool
	timing     eventTiming
}

const (
	defaultTimeout    = 30 * time.Second
	defaultMaxRetries = 2
)

// eventTiming is the time that an event stream is given; tests shorten it.
type eventTiming struct {
	ping  time.Duration // between signs of life
	pong  time.Duration // for the answer to one
	close time.Duration // for the other side to say goodbye
}

var defaultTiming = eventTiming{ping: 240 * time.Second, pong: 30 * time.Second, close: time.Second}

// WithUserAgent puts a product token before the client's own.
func WithUserAgent(product string) Option {
	return func(c *connection) { c.userAgent = product + " " + c.userAgent }
}

// WithMaxRetries sets how often a request is sent again; 0 for never. The default is 2: long waits are the caller's.
func WithMaxRetries(n int) Option { return func(c *connection) { c.maxRetries = max(0, n) } }

// WithTimeout bounds each request to the API, 30 s by default. Storage transfers end when they stall.
func WithTimeout(d time.Duration) Option { return func(c *connection) { c.timeout = d } }

// WithRateLimit spaces out the requests to the API.
func WithRateLimit(limit rate.Limit, burst int) Option {
	return func(c *connection) { c.limiter = rate.NewLimiter(limit, burst) }
}

// WithPrivateHost declares the host of the base URL to be your own, on a network of your own: it may do without TLS, and
// so may its events at the same host and port, where its storage is, too. Otherwise only localhost may.
func WithPrivateHost() Option { return func(c *connection) { c.private = true } }

// RequestInfo is what an observer learns of one try of one request.
type RequestInfo struct {
	Method   string
	Route    string // template, without ids and query
	Status   int    // 0 where no reply came
	Attempt  int    // from 1
	Duration time.Duration
	// SoftLimit is the service's advice that the quota runs low.
	SoftLimit bool
}

// WithObserver calls f after every try of every request; f must be safe for concurrent use.
func WithObserver(f func(RequestInfo)) Option { return func(c *connection) { c.observe = f } }

// withSleep is the seam for tests of retries.
func withSleep(f func(context.Context, time.Duration) error) Option {
	return func(c *connection) { c.sleep = f }
}

// withProxy is the seam for tests of proxies.
func withProxy(f func(*http.Request) (*url.URL, error)) Option {
	return func(c *connection) { c.proxy = f }
}

// withClock is the seam for tests of timeouts.
func withClock(now func() time.Time) Option { return func(c *connection) { c.now = now } }

func checkKey(key string) error {
	key = strings.TrimSpace(key)
	switch {
	case key == "":
		return argumentf("API key", "must not be empty; set CONVILYN_API_KEY")
	case strings.HasPrefix(key, "cvl_"), strings.HasPrefix(key, "cvi_"):
		return argumentf("API key", "this is a key for authors (cvl_ or cvi_); the API takes consumer keys (ck_...)")
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return argumentf("API key", "it contains characters that a key cannot have; was it pasted completely, on one line?")
	}
	return nil
}

func parseBase(raw string, private bool) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(raw), "/"))
	switch {
	case err != nil || u.Host == "":
		return nil, argumentf("base URL", "%s is not a URL with a host", RedactURL(raw))
	case u.RawQuery != "" || u.User != nil || u.Fragment != "":
		return nil, argumentf("base URL", "%s must have no query, user or fragment", u.Host)
	case strings.HasSuffix(u.Path, "/api/v1"):
		return nil, argumentf("base URL", "leave /api/v1 off %s; it is part of every route", u.Redacted())
	case u.Scheme == "https", u.Scheme == "http" && (private || isLoopbackName(u.Hostname())):
		return u, nil
	default:
		return nil, argumentf("base URL", "%s must be https; http is allowed only for localhost and for a declared private host", u.Redacted())
	}
}

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
	// harmless reports whether a write may be repeated when its reply was lost, even by a service that ignores keys.
	harmless bool
	options  callOptions
	secrets  secrets // further ones of the body, for what the reply says
}

type callOptions struct {
	idempotencyKey string
	noRetries      bool
	wait           time.Duration
}

// CallOption changes one call.
type CallOption func(*callOptions)

// WithIdempotencyKey sets the key of a write; all tries of one call share it. Without it a fresh one is made.
func WithIdempotencyKey(key string) CallOption {
	return func(o *callOptions) { o.idempotencyKey = key }
}

// WithoutRetries sends the request once, for callers who look before they send again.
func WithoutRetries() CallOption { return func(o *callOptions) { o.noRetries = true } }

// WithWait asks the service to hold its reply until the job has ended, at most so long (Prefer: wait=N, RFC 7240; in seconds,
// rounded up). One that does not know this, as the hosted one, answers at once. Of conversions, Create and Retrieve take it.
// A request that is held is not sent again by itself: something between may cut it, each time.
func WithWait(d time.Duration) CallOption {
	return func(o *callOptions) { o.wait = max(0, d) }
}

func newCallOptions(opts []CallOption) callOptions {
	var o callOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// do sends a request to the API, again where the rule says so, and decodes the reply into out.
func (c *connection) do(ctx context.Context, r request, out any) error {
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
	if r.options.noRetries || r.options.wait > 0 {
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

// repeatable reports whether a request without a reply may be sent again.
func (r request) repeatable(err error) bool {
	return (r.method == http.MethodGet || r.harmless) && !errors.Is(err, errReplyTooLarge)
}

// reply is a complete reply of the API.
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
	if with, ok := out.(interface{ readHeader(header http.Header) }); ok {
		with.readHeader(r.header)
	}
	return nil
}

// try sends the request once and reads the answer.
func (c *connection) try(ctx context.Context, r request, payload []byte, attempt int) (reply, error) {
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
		out, err = c.readReply(response, r.secrets)
	}
	info.Duration = time.Since(started)
	c.observe(info)
	if err != nil {
		return reply{}, &TransportError{Method: r.method, Route: r.route, Sent: sent, Err: BareError(err)}
	}
	return out, nil
}

func (c *connection) setHeaders(req *http.Request, r request, payload []byte) {
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
	if wait := r.options.wait; wait > 0 {
		req.Header.Set("Prefer", fmt.Sprintf("wait=%d", int(math.Ceil(wait.Seconds()))))
	}
}

// send is the one place that hands a request to the network. sent reports whether there was a connection for it.
func send(client *http.Client, req *http.Request) (response *http.Response, sent bool, err error) {
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }}
	response, err = client.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	return response, sent, err
}

// readReply reads a reply to its end. The key and what was sent in secret are in none of it, and other secrets only where links are handed out.
func (c *connection) readReply(response *http.Response, sent secrets) (reply, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, replyLimit+1))
	if err != nil {
		return reply{}, err
	}
	if len(body) > replyLimit {
		return reply{}, errReplyTooLarge
	}
	own := append(secrets{string(c.key)}, sent...)
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

func (r request) unusable(why string) error {
	return &TransportError{Method: r.method, Route: r.route, Sent: true, Err: errors.New(why)}
}

const (
	retryBase = 200 * time.Millisecond
	// retryCap is the longest wait in here. A service that asks for more is reported to the caller at once,
	// who can wait without holding a connection or a goroutine.
	retryCap = 3 * time.Second
)

// noReply stands for the status of a request that got none.
const noReply = 0

// retryable are the statuses that may pass by themselves, on any method.
func retryable(status int) bool {
	switch status {
	case noReply, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryDelay is the whole rule: whether try number attempt (from 1) that ended in status, or in
// noReply where the request may be repeated, is followed by another, and after how long. jitter is in [0, 1).
func retryDelay(attempt, maxRetries, status int, asked time.Duration, jitter float64) (time.Duration, bool) {
	if attempt > maxRetries || !retryable(status) || asked > retryCap {
		return 0, false
	}
	if asked > 0 {
		return asked, true
	}
	backoff := min(retryBase<<min(attempt-1, 8), retryCap)
	return time.Duration(float64(backoff) * (0.75 + jitter/2)), true
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func randomJitter() float64 { return rand.Float64() } //nolint:gosec // spreads retries, guards nothing
