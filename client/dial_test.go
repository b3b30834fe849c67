package client

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStorageURLPolicy(t *testing.T) {
	for _, test := range []struct {
		base, storage string
		allowed       bool
	}{
		{DefaultBaseURL, "https://bucket.s3.amazonaws.com/x?sig=1", true},
		{DefaultBaseURL, "http://bucket.s3.amazonaws.com/x", false},
		{DefaultBaseURL, "https:///x", false},
		{DefaultBaseURL, "file:///etc/passwd", false},
		{DefaultBaseURL, "https://a.internal/x", false},
		{DefaultBaseURL, "https://A.INTERNAL./x", false},
		{DefaultBaseURL, "https://printer.local/x", false},
		{DefaultBaseURL, "https://db.prod.svc.cluster.local/x", false},
		{DefaultBaseURL, "https://db.prod.svc/x", false},
		{DefaultBaseURL, "http://127.0.0.1:80/x", false},
		{"http://127.0.0.1:8980", "http://127.0.0.1:8980/storage", true},
		{"http://127.0.0.1:8980", "http://127.0.0.1:8981/storage", false}, // another program on this machine
		{"http://127.0.0.1:8980", "http://localhost:8980/storage", false},
		{"http://localhost:8980", "http://localhost:8980/storage", true},
		{"http://[::1]:8980", "http://[::1]:8980/storage", true},
		{"http://127.0.0.1:8980", "http://evil.example/storage", false},
		{"https://localhost", "https://localhost:443/s", true},
	} {
		t.Run(fmt.Sprint(test.base, " ", test.storage, " ", test.allowed), func(t *testing.T) {
			c, err := New(test.base, testKey)
			require.NoError(t, err)
			err = c.checkStorageURL(PresignedURL(test.storage))
			if test.allowed {
				assert.NoError(t, err, "%+v", test)
			} else {
				assert.ErrorIs(t, err, ErrForbiddenAddress, "%+v", test)
			}
		})
	}
}

// A private host is an exemption for itself alone, and only where it was asked for.
func TestAPrivateHostMayDoWithoutTLS(t *testing.T) {
	_, err := New("http://backend:8980", testKey)
	require.ErrorContains(t, err, "http://backend:8980 must be https")
	c, err := New("http://backend:8980", testKey, WithPrivateHost())
	require.NoError(t, err)
	require.NoError(t, c.checkStorageURL("http://backend:8980/storage/x"))
	for _, elsewhere := range []PresignedURL{"http://backend:5432/x", "http://database:8980/x", "http://127.0.0.1:8980/x", "https://db.svc/x"} {
		require.ErrorIs(t, c.checkStorageURL(elsewhere), ErrForbiddenAddress, elsewhere)
	}
	a := newAPI(t, answer(200, "it is ours"))
	at, err := url.Parse(a.URL)
	require.NoError(t, err)
	conn, err := storageDialer(at.Host)(t.Context(), "tcp", at.Host)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	_, err = New("ftp://backend", testKey, WithPrivateHost())
	require.ErrorContains(t, err, "must be https")
}

func TestAddressesThatAreNotPublic(t *testing.T) {
	for text := range strings.FieldsSeq(`0.0.0.1 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.2.1 192.168.1.1
		198.18.0.1 198.51.100.1 203.0.113.9 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1
		2001:db8::1 fc00::1 fd12::1 fe80::1 fe80::1%eth0 ff02::1`) {
		addr := netip.MustParseAddr(text)
		if text == "::ffff:8.8.8.8" { // the kernel dials 8.8.8.8 for it, which is public
			assert.True(t, isPublic(addr))
			continue
		}
		assert.False(t, isPublic(addr), text)
	}
	for text := range strings.FieldsSeq("8.8.8.8 172.32.0.1 192.169.0.1 2606:4700::1111") {
		assert.True(t, isPublic(netip.MustParseAddr(text)), text)
	}
	assert.False(t, isPublic(netip.Addr{}))
}

// The check stands where the connection is made: a name that resolves to this machine is refused there, even
// though its text looked innocent.
func TestNamesAreCheckedWhenTheyAreDialled(t *testing.T) {
	a := newAPI(t, answer(200, "secret of this machine"))
	at, err := url.Parse(a.URL)
	require.NoError(t, err)
	_, err = storageDialer("")(t.Context(), "tcp", "localhost:"+at.Port())
	require.ErrorIs(t, err, ErrForbiddenAddress)
	_, err = storageDialer(at.Host)(t.Context(), "tcp", "localhost:"+at.Port())
	require.ErrorIs(t, err, ErrForbiddenAddress, "the exemption is for the API's own host, not for its neighbours")
	conn, err := storageDialer(at.Host)(t.Context(), "tcp", at.Host)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	assert.Empty(t, a.requests())
}

func TestADownloadToAForbiddenPlaceIsNotSent(t *testing.T) {
	c, err := New(DefaultBaseURL, testKey)
	require.NoError(t, err)
	part := filepath.Join(t.TempDir(), "p")
	for _, link := range []string{"https://127.0.0.1/x?sig=hush", "https://localhost/x?sig=hush", "https://[::1]/x?sig=hush", "http://h/x?sig=hush"} {
		_, err = c.Convert.Fetch(t.Context(), ResultFile{URL: PresignedURL(link)}, FetchOptions{PartPath: part})
		require.ErrorIs(t, err, ErrForbiddenAddress, link)
		var e *TransportError
		require.ErrorAs(t, err, &e)
		assert.False(t, e.Sent, link)
		assert.NotContains(t, err.Error(), "hush")
	}
}
