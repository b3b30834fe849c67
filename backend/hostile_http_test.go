package backend_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// granted asks for a grant; the file has so many bytes.
func granted(t *testing.T, s *testkit.Service, name string, size int) client.WirePresignReply {
	t.Helper()
	asked, err := json.Marshal(client.WirePresignRequest{FileName: name, FileSize: int64(size), ContentType: "text/markdown"})
	require.NoError(t, err)
	status, _, body := raw(t, s, "POST", client.PathUploadPresign, string(asked))
	require.Equal(t, 200, status, body)
	return decode[client.WirePresignReply](t, body)
}

func field(name, value string) string {
	return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

func formOf(fields map[string]string, content string) string {
	var b strings.Builder
	for name, value := range fields {
		b.WriteString(field(name, value))
	}
	return b.String() + "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../x\"\r\n\r\n" + content + "\r\n--B--\r\n"
}

func sendForm(t *testing.T, s *testkit.Service, form string) (int, string) {
	t.Helper()
	status, _, body := raw(t, s, "POST", "/storage/upload", form, "Content-Type", "multipart/form-data; boundary=B", "Authorization", "")
	return status, body
}

func confirmed(t *testing.T, s *testkit.Service, g client.WirePresignReply, size int, header ...string) (int, string) {
	t.Helper()
	status, _, body := raw(t, s, "POST", client.PathUploadConfirm,
		fmt.Sprintf(`{"fileId":%q,"fileName":"a","fileSize":%d,"contentType":"x/y","s3Key":%q}`, g.FileID, size, g.S3Key), header...)
	return status, body
}

func stored(t *testing.T, s *testkit.Service, id string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.DataDir(), "inputs", id))
	require.NoError(t, err)
	return string(data)
}

func TestForgedGrants(t *testing.T) {
	s := testkit.StartService(t, func(c *backend.Config) { c.Keys = []string{"ck_one", "ck_two"} })
	mine, other := granted(t, s, "a.md", 5), granted(t, s, "b.md", 5)
	policy, err := base64.StdEncoding.DecodeString(mine.Fields["policy"])
	require.NoError(t, err)
	repacked := func(old, with string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(policy), old, with, 1)))
	}
	for name, change := range map[string]map[string]string{
		"another signature":         {"x-amz-signature": strings.Repeat("0", 64)},
		"no signature":              {"x-amz-signature": ""},
		"the signature of another":  {"x-amz-signature": other.Fields["x-amz-signature"]},
		"the policy of another":     {"policy": other.Fields["policy"]},
		"the key of another":        {"key": other.Fields["key"]},
		"a key that leads away":     {"key": "../../signing.key"},
		"the id of another":         {"policy": repacked(mine.FileID, other.FileID)},
		"a larger size":             {"policy": repacked(`"max_size":5`, `"max_size":5000000`)},
		"a later end":               {"policy": repacked(`"expires":"20`, `"expires":"90`)},
		"a policy that is no text":  {"policy": "\xff\xfe"},
		"a signature of other case": {"x-amz-signature": strings.ToUpper(mine.Fields["x-amz-signature"])},
	} {
		t.Run(name, func(t *testing.T) {
			fields := maps.Clone(mine.Fields)
			maps.Copy(fields, change)
			status, body := sendForm(t, s, formOf(fields, "hello"))
			assert.Equal(t, http.StatusForbidden, status, "%s: %s", name, body)
			assert.NoFileExists(t, filepath.Join(s.DataDir(), "inputs", mine.FileID), name)
			assert.NoFileExists(t, filepath.Join(s.DataDir(), "inputs", other.FileID), name)
		})
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			status, _, body := raw(t, s, method, "/storage/upload", formOf(mine.Fields, "hello"), "Content-Type", "multipart/form-data; boundary=B")
			assert.Equal(t, http.StatusNotFound, status, "%s: %s", method, body)
		})
	}
	status, body := sendForm(t, s, formOf(mine.Fields, "hello"))
	require.Equal(t, http.StatusNoContent, status, body)
	status, body = confirmed(t, s, mine, 5, "Authorization", "Bearer ck_two")
	assert.Equal(t, http.StatusNotFound, status, "another account's file: %s", body)
	status, _ = confirmed(t, s, mine, 5)
	assert.Equal(t, http.StatusOK, status)

	s.Clock.Advance(16 * time.Minute)
	status, body = sendForm(t, s, formOf(other.Fields, "hello"))
	assert.Equal(t, http.StatusForbidden, status, "a grant that has expired: %s", body)
}

func TestAGrantIsNotReplayed(t *testing.T) {
	s := testkit.StartService(t)
	grant := granted(t, s, "a.md", 5)
	status, body := sendForm(t, s, formOf(grant.Fields, "hello"))
	require.Equal(t, http.StatusNoContent, status, body)

	// A second upload begins before the first is confirmed, and ends after.
	form := formOf(grant.Fields, "HELLO")
	slow, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	defer slow.Close()
	at := strings.Index(form, "HELLO") + 2
	_, err = fmt.Fprintf(slow, "POST /storage/upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n%s", len(form), form[:at])
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		begun, err := filepath.Glob(filepath.Join(s.DataDir(), "work", "."+grant.FileID+"*"))
		return err == nil && len(begun) == 1
	}, testkit.Patience, time.Millisecond)
	status, body = confirmed(t, s, grant, 5)
	require.Equal(t, http.StatusOK, status, body)
	_, err = io.WriteString(slow, form[at:])
	require.NoError(t, err)
	require.NoError(t, slow.SetReadDeadline(time.Now().Add(time.Minute)))
	said, err := io.ReadAll(slow)
	require.NoError(t, err)
	assert.Contains(t, string(said), " 204 ")
	assert.Equal(t, "hello", stored(t, s, grant.FileID), "what was confirmed has changed")

	status, _ = sendForm(t, s, formOf(grant.Fields, "HELLO"))
	assert.Equal(t, http.StatusNoContent, status)
	assert.Equal(t, "hello", stored(t, s, grant.FileID))
	status, _, body = raw(t, s, "DELETE", client.PathFiles+"/"+grant.FileID, "")
	require.Equal(t, http.StatusNoContent, status, body)
	status, body = sendForm(t, s, formOf(grant.Fields, "hello"))
	assert.Equal(t, http.StatusForbidden, status, "the file is gone: %s", body)
	left, err := os.ReadDir(filepath.Join(s.DataDir(), "inputs"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestTricksOfForms(t *testing.T) {
	s := testkit.StartService(t)
	grant := granted(t, s, "a.md", 5)
	whole := formOf(grant.Fields, "hello")
	for name, test := range map[string]struct {
		form string
		want int
	}{
		"a huge field":        {field("x", strings.Repeat("x", 65<<10)) + whole, http.StatusBadRequest},
		"forty fields":        {strings.Repeat(field("x", "y"), 40) + whole, http.StatusBadRequest},
		"no file":             {field("key", "x") + "--B--\r\n", http.StatusBadRequest},
		"the file first":      {"--B\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhello\r\n" + whole, http.StatusForbidden},
		"a field that is cut": {whole[:40], http.StatusBadRequest},
		"a file that is cut":  {whole[:strings.Index(whole, "hello")+3], http.StatusBadRequest},
		"huge part headers":   {"--B\r\n" + strings.Repeat("X-Y: z\r\n", 200_000) + "\r\nv\r\n" + whole, http.StatusBadRequest},
		"a part of no name":   {"--B\r\nX: y\r\n\r\nv\r\n" + whole, http.StatusNoContent},
		"two files":           {strings.TrimSuffix(whole, "--B--\r\n") + "--B\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nother\r\n--B--\r\n", http.StatusNoContent},
		"fields after it":     {strings.TrimSuffix(whole, "--B--\r\n") + field("key", "../x") + "--B--\r\n", http.StatusNoContent},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := sendForm(t, s, test.form)
			assert.Equal(t, test.want, status, "%s: %s", name, body)
		})
	}
	assert.Equal(t, "hello", stored(t, s, grant.FileID), "the first file counts")
	left, err := os.ReadDir(filepath.Join(s.DataDir(), "work"))
	require.NoError(t, err)
	assert.Empty(t, left, "half of an upload is left over")

	chunked, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/storage/upload", io.MultiReader(strings.NewReader(whole)))
	require.NoError(t, err)
	chunked.Header.Set("Content-Type", "multipart/form-data; boundary=B")
	response, err := http.DefaultClient.Do(chunked)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusNotImplemented, response.StatusCode, "no length")
	http.DefaultClient.CloseIdleConnections()
}

func TestHostileRequests(t *testing.T) {
	s := testkit.StartService(t)
	for name, test := range map[string]struct {
		body string
		want int
	}{
		"deep JSON":           {strings.Repeat("[", 500_000), http.StatusBadRequest},
		"deep within a field": {`{"params":` + strings.Repeat(`{"a":`, 100_000), http.StatusBadRequest},
		"huge JSON":           {`{"fileId":"` + strings.Repeat("x", 2<<20) + `"}`, http.StatusRequestEntityTooLarge},
		"a number too large":  {`{"processor_type":1e999}`, http.StatusBadRequest},
		"no JSON":             {"\x00\xff", http.StatusBadRequest},
		"a long id":           {`{"processor_type":"document_conversion","params":{"source_file_id":"` + strings.Repeat("x", 900_000) + `"}}`, http.StatusNotFound},
		"many pages":          {`{"processor_type":"document_conversion","params":{"source_file_id":"x","page_range":"` + strings.Repeat("1,", 200_000) + `1"}}`, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"", "key-" + name} {
				t.Run(key, func(t *testing.T) {
					status, _, body := raw(t, s, "POST", client.PathJobs, test.body, "Idempotency-Key", key)
					assert.Equal(t, test.want, status, "%s: %.300s", name, body)
					assert.Less(t, len(body), 3000, "%s: what was sent comes back whole", name)
				})
			}
		})
	}
	status, _, body := raw(t, s, "GET", "/api/v1/"+strings.Repeat("x", 50_000), "")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Less(t, len(body), 3000)
	status, _, _ = raw(t, s, "POST", client.PathJobs, "{}", "Idempotency-Key", strings.Repeat("k", 256))
	assert.Equal(t, http.StatusBadRequest, status)
	for _, path := range []string{"/api/v1/files/..%2f..%2fkey", "/api/v1/jobs/%2e%2e%2f%2e%2e", "/api/v1/jobs/a%00b", "/storage/results/..%2f..%2fkey/0", "/storage/goals/%2e%2e/key"} {
		t.Run(path, func(t *testing.T) {
			status, _, body := raw(t, s, "GET", path, "")
			assert.Contains(t, []int{http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed}, status, "%s: %s", path, body)
		})
	}
}

func TestHostileNames(t *testing.T) {
	s := testkit.StartService(t)
	for _, name := range []string{
		"../../etc/passwd.md", "/abs.md", `C:\dir\file.md`, "NUL.md", "com1.md", "line\r\nSet-Cookie: a=b.md", "bell\x07\x1b[2J.md", "null\x00byte.md",
		"invoice\u202efdp.md", "\u2066isolated\u2069.md", "separator\u2028.md", "-rf.md", ".hidden.md", "...md", "trailing .md", "quote\"semicolon;.md",
		strings.Repeat("a", 252) + ".md", strings.Repeat("ä", 126) + ".md", "percent%2e%2e%2f.md", "ünïcödé 😀.md",
	} {
		t.Run(name, func(t *testing.T) {
			grant := granted(t, s, name, 5)
			assert.NotContains(t, strings.TrimPrefix(grant.S3Key, "input/"+grant.FileID+"/"), "/", "%q", name)
			status, body := sendForm(t, s, formOf(grant.Fields, "hello"))
			require.Equal(t, http.StatusNoContent, status, "%q: %s", name, body)
			status, body = confirmed(t, s, grant, 5)
			require.Equal(t, http.StatusOK, status, "%q: %s", name, body)
			job, err := s.Client.Convert.CreateAndWait(t.Context(), client.CreateParams{FileID: grant.FileID, SourceFormat: "md", TargetFormat: "html"}, quick)
			require.NoError(t, err)
			made := job.ResultFiles[0].Filename
			assert.LessOrEqual(t, len(made), 255)
			assert.NotRegexp(t, "[\\x00-\\x1f\\x7f\u202a-\u202e\u2066-\u2069\u2028\u2029/\\\\]|^[.-]|(?i)^(nul|com1)\\.", made, "%q", name)

			response, err := http.Get(string(job.ResultFiles[0].URL))
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusOK, response.StatusCode)
			assert.Empty(t, response.Header.Get("Set-Cookie"), "%q", name)
			_, params, err := mime.ParseMediaType(response.Header.Get("Content-Disposition"))
			require.NoError(t, err, "%q", name)
			assert.Equal(t, made, params["filename"])
		})
	}
	http.DefaultClient.CloseIdleConnections()
	for _, name := range []string{"", strings.Repeat("a", 256)} {
		t.Run(name, func(t *testing.T) {
			status, _, _ := raw(t, s, "POST", client.PathUploadPresign, fmt.Sprintf(`{"fileName":%q,"fileSize":5,"contentType":"a/b"}`, name))
			assert.Equal(t, http.StatusUnprocessableEntity, status)
		})
	}
	left, err := filepath.Glob(filepath.Join(s.DataDir(), "*"))
	require.NoError(t, err)
	for _, path := range left {
		assert.Contains(t, []string{"backend.db", "backend.db-shm", "backend.db-wal", "goals", "inputs", "key", "lock", "process", "results", "signing.key", "work"}, filepath.Base(path))
	}
}
