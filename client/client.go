// Package client talks to the Convilyn API: files, conversions and goals.
//
// Models are data under the names of the SDK's documentation; behaviour is on the services Client.Files, Client.Convert and
// Client.Goals. Decoding accepts today's wire and the older documented shapes. Errors are typed, and neither they nor any
// model prints a key or the query of a presigned URL.
package client

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"
)

// DefaultBaseURL is the hosted service.
const DefaultBaseURL = "https://api.convilyn.corenovus.com"

// healthTimeout bounds Health.
const healthTimeout = 5 * time.Second

// Version goes into the User-Agent.
const Version = "0.1.0"

// Client talks to the API. HTTPS_PROXY, HTTP_PROXY and NO_PROXY count for the API, its storage and its events. It is safe for concurrent use.
type Client struct {
	Files   *Files
	Convert *Convert
	Goals   *Goals
	Account *Account

	*connection
}

// New makes a client of the API at baseURL, the host root without /api/v1. It sends
// nothing. A key that is empty or of the wrong kind is an *ArgumentError.
func New(baseURL, key string, opts ...Option) (*Client, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	c := &connection{
		key: apiKey(strings.TrimSpace(key)), userAgent: "convilyn-go/" + Version,
		maxRetries: defaultMaxRetries, timeout: defaultTimeout,
		observe: func(RequestInfo) {}, sleep: sleep, now: time.Now, proxy: http.ProxyFromEnvironment, timing: defaultTiming,
	}
	for _, opt := range opts {
		opt(c)
	}
	var err error
	if c.base, err = parseBase(baseURL, c.private); err != nil {
		return nil, err
	}
	if c.Local() {
		c.ownStorage = hostPort(c.base)
	}
	if c.events, err = c.parseEventsURL(c.eventsURL); err != nil {
		return nil, err
	}
	open := (&net.Dialer{Timeout: dialTimeout}).DialContext
	c.api = newHTTPClient(newTransport(c.proxy, open))
	c.storage = newHTTPClient(&storageTransport{
		proxy: c.proxy, direct: newTransport(nil, storageDialer(c.ownStorage)), proxied: newTransport(c.proxy, open), own: c.ownStorage, lookUp: net.DefaultResolver.LookupNetIP,
	})
	return &Client{Files: &Files{c}, Convert: &Convert{c}, Goals: &Goals{c}, Account: &Account{c}, connection: c}, nil
}

// Local reports whether the API is one's own: on this machine, or on a declared private host. Nobody else charges for it.
func (c *connection) Local() bool { return c.private || isLoopbackName(c.base.Hostname()) }

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
