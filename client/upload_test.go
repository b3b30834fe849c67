package client

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// uploads is a service and its storage on one host, as the local backend is.
type uploads struct {
	*httptest.Server
	fields  map[string]string
	storage http.HandlerFunc
	mu      sync.Mutex
	stored  *http.Request
	bodies  map[string]string // of the API, by path
	keys    map[string]string
	size    string // that a confirmation tells, as JSON; empty for what was declared
}

func newUploads(t *testing.T, fields map[string]string, storage http.HandlerFunc) *uploads {
	t.Helper()
	u := &uploads{fields: fields, storage: storage, bodies: map[string]string{}, keys: map[string]string{}}
	u.Server = httptest.NewServer(http.HandlerFunc(u.serve))
	t.Cleanup(u.Close)
	return u
}

func (u *uploads) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/storage" {
		u.mu.Lock()
		u.stored = r
		u.mu.Unlock()
		u.storage(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	u.bodies[r.URL.Path], u.keys[r.URL.Path] = string(body), r.Header.Get("Idempotency-Key")
	u.mu.Unlock()
	if r.URL.Path == PathUploadPresign {
		_ = json.NewEncoder(w).Encode(WirePresignReply{UploadURL: PresignedURL(u.URL + "/storage?X-Sig=hush"), Fields: u.fields, FileID: "file_1", S3Key: "in/file_1"})
		return
	}
	size := u.size
	if size == "" {
		var declared WireConfirmRequest
		_ = json.Unmarshal(body, &declared)
		size = fmt.Sprint(declared.FileSize)
	}
	_, _ = fmt.Fprintf(w, `{"fileId":"file_1","fileName":"a.txt","fileSize":%s,"mimeType":"text/plain","isInput":true,"jobId":null,"createdAt":"2026-06-01T08:00:00Z"}`, size)
}

func (u *uploads) client(t *testing.T) *Client {
	t.Helper()
	c, err := New(u.URL, testKey)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func params(content string) UploadParams {
	return UploadParams{Name: "a.txt", Size: int64(len(content)), ContentType: "text/plain", Body: strings.NewReader(content)}
}

func TestUploadSendsTheFormAsGranted(t *testing.T) {
	fields := map[string]string{"key": "in/file_1", "policy": "p==", "x-amz-signature": "s", "Content-Type": "text/plain", "weird \"name\"": "ü\r\n"}
	var order []string
	got := map[string]string{}
	var filename string
	u := newUploads(t, fields, func(w http.ResponseWriter, r *http.Request) {
		_, typed, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		parts := multipart.NewReader(r.Body, typed["boundary"])
		for {
			part, err := parts.NextPart()
			if err != nil {
				break
			}
			data, _ := io.ReadAll(part)
			order = append(order, part.FormName())
			got[part.FormName()] = string(data)
			if part.FormName() == "file" {
				filename = part.FileName()
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
	p := params("hello")
	p.Name = `å "b".txt`
	var sent []int64
	p.OnProgress = func(n int64) { sent = append(sent, n) }
	file, err := u.client(t).Files.Upload(t.Context(), p, WithIdempotencyKey("k"))
	require.NoError(t, err)
	assert.Equal(t, "file_1", file.FileID)
	assert.Equal(t, "hello", got["file"])
	assert.Equal(t, "file", order[len(order)-1], "the file comes last: storage ignores fields after it")
	assert.Equal(t, `å "b".txt`, filename)
	for name, value := range fields {
		t.Run(name, func(t *testing.T) {
			if name != `weird "name"` { // its name is escaped on the way, its value is not
				assert.Equal(t, value, got[name])
			}
		})
	}
	assert.Equal(t, http.MethodPost, u.stored.Method)
	assert.Positive(t, u.stored.ContentLength, "an exact length: storage takes no chunks")
	assert.Empty(t, u.stored.Header.Get("Authorization"), "the key is not the storage's business")
	assert.EqualValues(t, 5, sent[len(sent)-1])
	assert.JSONEq(t, `{"fileName":"å \"b\".txt","fileSize":5,"contentType":"text/plain"}`, u.bodies[PathUploadPresign])
	assert.JSONEq(t, `{"fileId":"file_1","fileName":"å \"b\".txt","fileSize":5,"contentType":"text/plain","s3Key":"in/file_1"}`, u.bodies[PathUploadConfirm])
	assert.Equal(t, map[string]string{PathUploadPresign: "k-presign", PathUploadConfirm: "k-confirm"}, u.keys)
}

func TestUploadPutsWhereNoFieldsCome(t *testing.T) {
	var body []byte
	u := newUploads(t, nil, func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) })
	_, err := u.client(t).Files.Upload(t.Context(), params("hello"))
	require.NoError(t, err)
	assert.Equal(t, "hello", string(body))
	assert.Equal(t, http.MethodPut, u.stored.Method)
	assert.EqualValues(t, 5, u.stored.ContentLength)
	assert.Equal(t, "text/plain", u.stored.Header.Get("Content-Type"))
}

func TestUploadRefusesBeforeAnyRequest(t *testing.T) {
	a := newAPI(t, answer(500, ``))
	c, _ := newTestClient(t, a)
	for name, p := range map[string]UploadParams{
		"no name": {Size: 1, Body: strings.NewReader("x")}, "empty": {Name: "a", Body: strings.NewReader("")},
		"too large": {Name: "a", Size: MaxUploadBytes + 1, Body: strings.NewReader("x")}, "no body": {Name: "a", Size: 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Files.Upload(t.Context(), p)
			var e *ArgumentError
			require.ErrorAs(t, err, &e, name)
		})
	}
	require.Error(t, c.Files.Delete(t.Context(), ""))
	assert.Empty(t, a.requests())
}

func TestUploadOfAFileThatIsNotAsLongAsDeclared(t *testing.T) {
	for declared, fault := range map[int64]error{4: errLongBody, 6: errShortBody} {
		t.Run(fmt.Sprintf("declared %v", declared), func(t *testing.T) {
			u := newUploads(t, map[string]string{"key": "k"}, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
			p := params("hello")
			p.Size = declared
			_, err := u.client(t).Files.Upload(t.Context(), p)
			require.ErrorIs(t, err, fault)
			assert.NotContains(t, u.bodies, PathUploadConfirm, "a broken upload is never confirmed")
		})
	}
}

func TestUploadRefusedByTheStorage(t *testing.T) {
	u := newUploads(t, map[string]string{"key": "k"}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Policy expired.</Message><AWSAccessKeyId>AKIAHUSH</AWSAccessKeyId></Error>`)
	})
	_, err := u.client(t).Files.Upload(t.Context(), params("hello"))
	require.True(t, IsExpiredGrant(err), "%v", err)
	var e *APIError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "S3_HTTP_403", e.Code)
	assert.Equal(t, "AccessDenied: Policy expired.", e.Message)
	assert.Equal(t, "send the file: POST (storage upload): 403 S3_HTTP_403: AccessDenied: Policy expired.", err.Error())
	assert.NotContains(t, u.bodies, PathUploadConfirm)
}

func TestUploadFile(t *testing.T) {
	var body []byte
	u := newUploads(t, nil, func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) })
	path := filepath.Join(t.TempDir(), "a.txt")
	require.NoError(t, os.WriteFile(path, []byte("from disk"), 0o600))
	_, err := u.client(t).Files.UploadFile(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, "from disk", string(body))
	for _, bad := range []string{t.TempDir(), path + ".missing"} {
		_, err = u.client(t).Files.UploadFile(t.Context(), bad)
		require.Error(t, err)
	}
}

// countSink takes bytes without keeping them.
type countSink struct{ n int64 }

func (s *countSink) Write(p []byte) (int, error) { s.n += int64(len(p)); return len(p), nil }

func TestUploadAndDownloadOf64MBTakeConstantMemory(t *testing.T) {
	const size = 64 << 20
	chunk := make([]byte, 1<<20)
	_, _ = rand.Read(chunk)
	sink := &countSink{}
	u := newUploads(t, map[string]string{"key": "k"}, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(sink, r.Body) })
	c := u.client(t)
	up := grown(t, func() {
		_, err := c.Files.Upload(t.Context(), UploadParams{Name: "big.bin", Size: size, Body: io.LimitReader(repeat{chunk}, size)})
		require.NoError(t, err)
	})
	assert.Greater(t, sink.n, int64(size))
	assert.Less(t, up, uint64(16<<20), "bytes allocated while 64 MiB went up")

	u.storage = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = io.CopyN(w, repeat{chunk}, size)
	}
	path := filepath.Join(t.TempDir(), "big.bin")
	down := grown(t, func() {
		got, err := c.Convert.Download(t.Context(), ResultFile{URL: PresignedURL(u.URL + "/storage"), Size: size}, DownloadOptions{Path: path})
		require.NoError(t, err)
		assert.EqualValues(t, size, got.Size)
	})
	assert.Less(t, down, uint64(16<<20), "bytes allocated while 64 MiB came down")
}

// grown is how many bytes of heap f allocated in all.
func grown(t *testing.T, f func()) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// repeat reads the same bytes for ever.
type repeat struct{ of []byte }

func (r repeat) Read(p []byte) (int, error) {
	n := copy(p, r.of)
	return n, nil
}

func TestFilesListAndDelete(t *testing.T) {
	a := newAPI(t, answer(200, `{"files":[{"file_id":"file_77","file_name":"bill.pdf","file_size":7710,"mime_type":"application/pdf","created_at":"2026-07-03T06:20:00Z"}],
		"usage":{"used_bytes":7710,"free_bytes":104857600,"over_quota":false}}`), answer(204, ``), answer(409, `{"code":"FILE_IN_USE","message":"A job uses it."}`))
	c, _ := newTestClient(t, a)
	list, err := c.Files.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "bill.pdf", list.Files[0].Filename)
	assert.EqualValues(t, 104857600, list.Usage.FreeBytes)
	require.NoError(t, c.Files.Delete(t.Context(), "file/77"))
	require.True(t, IsFileInUse(c.Files.Delete(t.Context(), "file_77")))
	seen := a.requests()
	assert.Equal(t, "DELETE /api/v1/files/file/77", seen[1].method+" "+seen[1].path)
	assert.NotEmpty(t, seen[1].header.Get("Idempotency-Key"))
	assert.True(t, bytes.Equal(nil, []byte(seen[1].body)))
}

// A storage may refuse before it has all, and net/http reads on for a moment: the file is the caller's all the same.
func TestUploadRefusedBeforeAllIsSent(t *testing.T) {
	for _, test := range []struct {
		status int
		want   string
	}{
		{http.StatusInsufficientStorage, "507 S3_HTTP_507"},
		{http.StatusNoContent, "the storage replied with success before it had the complete file"},
	} {
		t.Run(fmt.Sprint(test.status, " ", test.want), func(t *testing.T) {
			u := newUploads(t, map[string]string{"key": "k"}, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
				w.Header().Set("Connection", "close")
				w.WriteHeader(test.status)
				_ = http.NewResponseController(w).Flush()
				_, _ = io.Copy(io.Discard, r.Body) // or the client may see a broken pipe first
			})
			const size = 32 << 20
			over := false
			reports := 0
			_, err := u.client(t).Files.Upload(t.Context(), UploadParams{
				Name: "a.bin", Size: size, Body: io.LimitReader(repeat{make([]byte, 64<<10)}, size),
				OnProgress: func(int64) {
					reports++
					assert.False(t, over, "nothing is reported when the upload is over")
				},
			})
			over = true
			require.ErrorContains(t, err, test.want)
			assert.Positive(t, reports)
			assert.NotContains(t, u.bodies, PathUploadConfirm)
		})
	}
}

// A service that has another file than was sent would convert that.
func TestUploadThatIsConfirmedWithAnotherSize(t *testing.T) {
	for size, good := range map[string]bool{"5": true, "5.0": true, "null": true, "4": false, "6": false, "0": false} {
		t.Run(size, func(t *testing.T) {
			u := newUploads(t, map[string]string{"key": "k"}, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
			u.size = size
			file, err := u.client(t).Files.Upload(t.Context(), params("hello"))
			if good {
				require.NoError(t, err, size)
				assert.Equal(t, "file_1", file.FileID)
				return
			}
			require.ErrorIs(t, err, ErrMismatch, size)
			assert.ErrorContains(t, err, "5 bytes were sent and the service has "+size)
		})
	}
}
