package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	// replyTimeout bounds the wait for the first byte of a reply; confirming half a gigabyte may take a while.
	replyTimeout = 60 * time.Second
)

// ErrForbiddenAddress is a storage URL that leads to a place where no public storage can be.
var ErrForbiddenAddress = errors.New("the storage URL does not lead to a public https address")

// refused are the networks in which storage never is.
var refused = func() []netip.Prefix {
	var out []netip.Prefix
	for text := range strings.FieldsSeq(`0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12
		192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
		::/128 ::1/128 ::ffff:0:0/96 64:ff9b::/96 2001:db8::/32 fc00::/7 fe80::/10 ff00::/8`) {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}()

func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, network := range refused {
		if network.Contains(addr) {
			return false
		}
	}
	return addr.IsValid()
}

func isLoopbackName(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

func newHTTPClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newTransport(proxy func(*http.Request) (*url.URL, error), dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		Proxy: proxy, DialContext: dial, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: replyTimeout,
		MaxIdleConns: 100, MaxIdleConnsPerHost: 50, IdleConnTimeout: 90 * time.Second,
		// A download must arrive as it is stored, for its ranges and its size.
		DisableCompression: true,
	}
}

// storageTransport sends requests to storage through the proxy where there is one for them. The address that is dialled is
// the proxy's then, so the address behind it is checked before.
type storageTransport struct {
	proxy           func(*http.Request) (*url.URL, error)
	direct, proxied *http.Transport
	own             string // host:port that need not be public
	lookUp          func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

func (t *storageTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	through, err := t.proxy(req)
	if err != nil {
		return nil, errors.New("the proxy for storage cannot be used; check HTTPS_PROXY and HTTP_PROXY")
	}
	if through == nil {
		return t.direct.RoundTrip(req)
	}
	if hostPort(req.URL) != t.own && !t.public(req.Context(), req.URL.Hostname()) {
		return nil, ErrForbiddenAddress
	}
	return t.proxied.RoundTrip(req)
}

// public reports whether a host is public as far as this machine can see. Behind a proxy, names of the outside often cannot be
// looked up, and the proxy does it.
func (t *storageTransport) public(ctx context.Context, host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return isPublic(addr)
	}
	if isLoopbackName(host) {
		return false
	}
	found, err := t.lookUp(ctx, "ip", host)
	for _, addr := range found {
		if !isPublic(addr) {
			return false
		}
	}
	return err != nil || len(found) > 0
}

// CloseIdleConnections is for the client's.
func (t *storageTransport) CloseIdleConnections() {
	t.direct.CloseIdleConnections()
	t.proxied.CloseIdleConnections()
}

// storageDialer checks the address that is really dialled, so that a name that changes its mind between
// check and use gains nothing. Own is the host:port that need not be public, empty for none.
func storageDialer(own string) func(context.Context, string, string) (net.Conn, error) {
	open := &net.Dialer{Timeout: dialTimeout}
	guarded := &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !isPublic(at.Addr()) {
			return ErrForbiddenAddress
		}
		return nil
	}}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if own != "" && address == own {
			return open.DialContext(ctx, network, address)
		}
		return guarded.DialContext(ctx, network, address)
	}
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
