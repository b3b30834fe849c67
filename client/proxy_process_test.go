package client

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What this binary is in a process of its own, and what it is told.
const (
	proxyRole   = "CONVILYN_TEST_PROXY_ROLE"
	proxyTarget = "CONVILYN_TEST_PROXY_TARGET"
	storageName = "bucket.storage.invalid" // which no name server knows
	directName  = "direct.storage.invalid"
)

// asProcess is what the process of a role does; nil for the tests themselves.
func asProcess() func() error {
	return map[string]func() error{"proxy": proxyProcess, "client": clientProcess}[os.Getenv(proxyRole)]
}

// proxyProcess connects every tunnel to one address, and prints where it was to lead. It ends with its standard input.
func proxyProcess() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, listener.Addr())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(os.Stdout, r.Method, r.Host)
		to, err := net.Dial("tcp", os.Getenv(proxyTarget))
		if r.Method != http.MethodConnect || err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(to, conn); _ = to.Close() }()
		_, _ = io.Copy(conn, to)
		_ = conn.Close()
	})}
	go func() { _ = server.Serve(listener) }()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// clientProcess uploads a file and fetches a result, with the proxy settings of its environment.
func clientProcess() error {
	c, err := New(os.Getenv(proxyTarget), testKey, WithMaxRetries(0))
	if err != nil {
		return err
	}
	if _, err := c.Files.Upload(context.Background(), params("content")); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	dir, err := os.MkdirTemp("", "proxy-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	_, err = c.Convert.Fetch(context.Background(), ResultFile{URL: "https://" + storageName + "/x?sig=1"}, FetchOptions{PartPath: filepath.Join(dir, "p")})
	return err
}

// certificate is one for the storage's name, and a file by which others trust it.
func certificate(t *testing.T) (cert tls.Certificate, trusted string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{storageName}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	trusted = filepath.Join(t.TempDir(), "trusted.pem")
	require.NoError(t, os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, trusted
}

// HTTPS_PROXY and NO_PROXY are read once a process, so this takes three: a proxy, and clients with and without it.
func TestProxy_ofTheEnvironmentCountsForStorage(t *testing.T) {
	cert, trusted := certificate(t)
	storage := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "bytes")
	}))
	storage.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	storage.StartTLS()
	t.Cleanup(storage.Close)
	var bucket atomic.Value
	bucket.Store(storageName)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == PathUploadPresign {
			_ = json.NewEncoder(w).Encode(WirePresignReply{UploadURL: PresignedURL("https://" + bucket.Load().(string) + "/up?X-Sig=hush"), FileID: "file_1", S3Key: "in/file_1"})
			return
		}
		_, _ = io.WriteString(w, `{"fileId":"file_1","fileName":"a.txt","fileSize":7,"mimeType":"text/plain","isInput":true,"jobId":null,"createdAt":"2026-06-01T08:00:00Z"}`)
	}))
	t.Cleanup(service.Close)

	process := func(role, target string, env ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		for _, variable := range os.Environ() {
			if name, _, _ := strings.Cut(variable, "="); !strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
				cmd.Env = append(cmd.Env, variable)
			}
		}
		cmd.Env = append(cmd.Env, append(env, proxyRole+"="+role, proxyTarget+"="+target)...)
		return cmd
	}
	proxy := process("proxy", storage.Listener.Addr().String())
	stdin, err := proxy.StdinPipe()
	require.NoError(t, err)
	stdout, err := proxy.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, proxy.Start())
	said := bufio.NewScanner(stdout)
	require.True(t, said.Scan())
	through := "HTTPS_PROXY=http://" + said.Text()

	text, err := process("client", service.URL, through, "SSL_CERT_FILE="+trusted).CombinedOutput()
	require.NoError(t, err, string(text))
	// The service is on this machine, and gets no tunnel.
	require.True(t, said.Scan())
	assert.Equal(t, "CONNECT "+storageName+":443", said.Text())

	bucket.Store(directName)
	text, err = process("client", service.URL, through, "SSL_CERT_FILE="+trusted, "NO_PROXY="+directName).CombinedOutput()
	require.Error(t, err, "no name server knows it")
	assert.Contains(t, string(text), "upload: ")
	assert.NotContains(t, string(text), "hush")

	require.NoError(t, stdin.Close())
	for said.Scan() { // uploads and downloads may share a tunnel
		assert.Equal(t, "CONNECT "+storageName+":443", said.Text())
	}
	require.NoError(t, proxy.Wait())
}
