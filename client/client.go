package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// DefaultBaseURL is the hosted service.
const DefaultBaseURL = "https://api.convilyn.corenovus.com"

// Version goes into the User-Agent.
const Version = "0.1.0"

const (
	defaultTimeout    = 30 * time.Second
	defaultMaxRetries = 2
	healthTimeout     = 5 * time.Second
)

// Client is a connection to the API. It is safe for concurrent use.
type Client struct {
	Files   *Files
	Convert *Convert
	Goals   *Goals

	base       *url.URL
	key        apiKey
	userAgent  string
	maxRetries int
	timeout    time.Duration
	limiter    *rate.Limiter
	observe    func(RequestInfo)
	sleep      func(ctx context.Context, d time.Duration) error
	api        *http.Client
	storage    *http.Client
	private    bool
	ownStorage string // host:port that storage may have beside public ones

	eventsURL  string // as given
	events     *url.URL
	tokenInURL bool
	timing     eventTiming
}

// apiKey never prints.
type apiKey string

// Format hides the key from every fmt verb.
func (apiKey) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "(key)") }

// MarshalText hides it from JSON and logs.
func (apiKey) MarshalText() ([]byte, error) { return []byte("(key)"), nil }

// Option changes a Client.
type Option func(*Client)

// WithUserAgent puts a product token before the client's own.
func WithUserAgent(product string) Option {
	return func(c *Client) { c.userAgent = product + " " + c.userAgent }
}

// WithMaxRetries sets how often a request is sent again; 0 for never. The default is 2: long waits are the caller's.
func WithMaxRetries(n int) Option { return func(c *Client) { c.maxRetries = max(0, n) } }

// WithTimeout bounds each request to the API, 30 s by default. Storage transfers end when they stall.
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithRateLimit spaces out the requests to the API.
func WithRateLimit(limit rate.Limit, burst int) Option {
	return func(c *Client) { c.limiter = rate.NewLimiter(limit, burst) }
}

// WithPrivateHost says that the host of the base URL is one's own, on a network of one's own: it may do without TLS, and
// so may its events at the same host and port, where its storage is, too. Otherwise only localhost may.
func WithPrivateHost() Option { return func(c *Client) { c.private = true } }

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
func WithObserver(f func(RequestInfo)) Option { return func(c *Client) { c.observe = f } }

// withSleep is the seam for tests of retries.
func withSleep(f func(context.Context, time.Duration) error) Option {
	return func(c *Client) { c.sleep = f }
}

// New makes a client of the API at baseURL, the host root without /api/v1. It reads no environment and sends
// nothing. A key that is empty or of the wrong kind is an *ArgumentError.
func New(baseURL, key string, opts ...Option) (*Client, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	c := &Client{
		key: apiKey(strings.TrimSpace(key)), userAgent: "convilyn-go/" + Version,
		maxRetries: defaultMaxRetries, timeout: defaultTimeout,
		observe: func(RequestInfo) {}, sleep: sleep, timing: defaultTiming,
	}
	for _, opt := range opts {
		opt(c)
	}
	var err error
	if c.base, err = parseBase(baseURL, c.private); err != nil {
		return nil, err
	}
	if c.private || isLoopbackName(c.base.Hostname()) {
		c.ownStorage = hostPort(c.base)
	}
	if c.events, err = c.parseEventsURL(c.eventsURL); err != nil {
		return nil, err
	}
	c.api = newHTTPClient(http.ProxyFromEnvironment, (&net.Dialer{Timeout: dialTimeout}).DialContext)
	c.storage = newHTTPClient(nil, storageDialer(c.ownStorage))
	c.Files, c.Convert, c.Goals = &Files{c}, &Convert{c}, &Goals{c}
	return c, nil
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
		return nil, argumentf("base URL", "%s must be https; only localhost may do without, and what is said to be a private host", u.Redacted())
	}
}

func checkKey(key string) error {
	key = strings.TrimSpace(key)
	switch {
	case key == "":
		return argumentf("API key", "it is missing; set CONVILYN_API_KEY")
	case strings.HasPrefix(key, "cvl_"), strings.HasPrefix(key, "cvi_"):
		return argumentf("API key", "this is a key for authors (cvl_ or cvi_); the API takes consumer keys (ck_...)")
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return argumentf("API key", "it contains characters that a key cannot have; was it pasted whole, on one line?")
	}
	return nil
}

// Route is a conversion that the service offers.
type Route struct {
	Source      string `json:"source"`
	Target      string `json:"target"`
	QualityMode string `json:"quality_mode"` // exact, best_effort or one unknown to us
	Engine      string `json:"engine,omitempty"`
}

// UnmarshalJSON takes both spellings.
func (m *Route) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = Route{
		Source: f.text("source", "sourceFormat", "source_format"), Target: f.text("target", "targetFormat", "target_format"),
		QualityMode: f.text("qualityMode", "quality_mode"), Engine: f.text("engine"),
	}
	return f.err
}

// SupportList is what a service converts within a family.
type SupportList struct {
	Routes []Route `json:"routes"`
	// Unavailable is what the local service would convert with more installed; the hosted one does not say.
	Unavailable []UnavailableRoute `json:"unavailable,omitempty"`
}

// UnavailableRoute is a pair of formats, and the packages that would make it possible.
type UnavailableRoute struct {
	Source  string `json:"source"`
	Target  string `json:"target"`
	Install string `json:"install"`
}

// UnmarshalJSON takes null for empty lists.
func (m *SupportList) UnmarshalJSON(data []byte) error {
	f := parseFields(data)
	*m = SupportList{Routes: []Route{}}
	f.into(&m.Routes, "routes")
	f.into(&m.Unavailable, "unavailable")
	return f.err
}

// Support lists what the service converts within a family: GET /api/v1/{family}/support.
func (c *Client) Support(ctx context.Context, family Family) (*SupportList, error) {
	list := new(SupportList)
	if err := c.do(ctx, request{method: http.MethodGet, route: "/api/v1/{family}/support", path: PathSupport(family)}, list); err != nil {
		return nil, err
	}
	return list, nil
}

// CloseIdleConnections lets go of connections that nobody uses at the moment.
func (c *Client) CloseIdleConnections() {
	c.api.CloseIdleConnections()
	c.storage.CloseIdleConnections()
}

// Health asks whether the service is up. It carries no key and waits 5 s at most.
func (c *Client) Health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return c.do(ctx, request{method: http.MethodGet, route: PathHealth, path: PathHealth, anonymous: true}, nil)
}
