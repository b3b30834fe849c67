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

// refused are the networks of CONTRACT §1.10, in which storage never is.
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

func newHTTPClient(proxy func(*http.Request) (*url.URL, error), dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: proxy, DialContext: dial, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: replyTimeout,
			MaxIdleConns: 100, MaxIdleConnsPerHost: 50, IdleConnTimeout: 90 * time.Second,
			// A download must arrive as it is stored, for its ranges and its size.
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
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
