package backend_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// answered has the service answer a request; whatever was asked, the answer is whole, and no failure of the inside.
func answered(t *testing.T, s *testkit.Service, method, path string, body io.Reader, header map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/", body)
	r.URL.Path = path
	for name, value := range header {
		r.Header.Set(name, value)
	}
	if value, found := header["Content-Length"]; found && value == "chunked" {
		r.ContentLength = -1
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	response := w.Result()
	require.Less(t, response.StatusCode, 500, "%s %q: %s", method, path, w.Body)
	for name, values := range response.Header {
		for _, value := range values {
			require.NotContains(t, name+value, "\n")
			require.NotContains(t, name+value, "\r")
		}
	}
	return response
}

var jsonRoutes = []struct{ method, path string }{
	{http.MethodPost, client.PathUploadPresign},
	{http.MethodPost, client.PathUploadConfirm},
	{http.MethodPost, client.PathJobs},
	{http.MethodPost, client.PathGoals},
	{http.MethodPatch, client.PathGoals + "/x/slots"},
	{http.MethodPost, client.PathGoals + "/x/confirm"},
	{http.MethodPost, client.PathGoals + "/x/cancel"},
	{http.MethodPost, client.PathGoals + "/x/retry"},
	{http.MethodDelete, client.PathFiles + "/x"},
}

// FuzzRequest: any body under any key on any route gets an answer in the API's own form.
func FuzzRequest(f *testing.F) {
	s := testkit.StartService(f)
	for i := range jsonRoutes {
		f.Add(byte(i), []byte(`{}`), "")
	}
	f.Add(byte(0), []byte(`{"fileName":"a\u0000\r\n/../x","fileSize":9223372036854775807,"contentType":"text/plain\r\nX: y"}`), "key")
	f.Add(byte(0), []byte(`{"fileName":"a.md","fileSize":1,"contentType":"`+strings.Repeat("x", 255)+`"}`), strings.Repeat("k", 256))
	f.Add(byte(2), []byte(`{"processor_type":"document_conversion","params":{"source_file_id":"x","page_range":"1-,,"}}`), "\x00\xff")
	f.Add(byte(3), []byte(`{"workflowId":"image_set","fileIds":["x"],"slotAnswers":{"a":[[[[]]]]}}`), "")
	f.Add(byte(4), []byte(strings.Repeat("[", 20_000)), "")
	f.Fuzz(func(t *testing.T, route byte, body []byte, key string) {
		at := jsonRoutes[int(route)%len(jsonRoutes)]
		header := map[string]string{"Authorization": "Bearer " + s.Key()}
		if key != "" {
			header["Idempotency-Key"] = key
		}
		first := answered(t, s, at.method, at.path, bytes.NewReader(body), header)
		said, err := io.ReadAll(first.Body)
		require.NoError(t, err)
		if first.StatusCode >= 400 {
			var envelope client.WireError
			require.NoError(t, json.Unmarshal(said, &envelope), "%s", said)
			require.NotEmpty(t, envelope.Code)
			require.LessOrEqual(t, len(envelope.Message), 2000, "what was sent comes back whole")
		}
		if key == "" || len(key) > 255 || first.StatusCode >= 300 {
			return
		}
		again := answered(t, s, at.method, at.path, bytes.NewReader(body), header)
		require.Equal(t, first.StatusCode, again.StatusCode, "a repeat is answered as the first was")
		other := answered(t, s, at.method, at.path, bytes.NewReader(append(body, ' ')), header)
		require.Equal(t, http.StatusConflict, other.StatusCode)
	})
}

// FuzzStorageForm: without a grant, no form stores anything.
func FuzzStorageForm(f *testing.F) {
	s := testkit.StartService(f)
	const multi = "multipart/form-data; boundary=b"
	f.Add(multi, []byte("--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nv\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../x\"\r\n\r\ndata\r\n--b--\r\n"))
	f.Add(multi, []byte("--b\r\n"+strings.Repeat("X-A: b\r\n", 500)+"\r\nv\r\n--b--"))
	f.Add("multipart/form-data", []byte("--b"))
	f.Add(multi, []byte(strings.Repeat("--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n", 40)))
	f.Add("multipart/form-data; boundary=\"\"; boundary=x", []byte("--\r\n\r\n"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		response := answered(t, s, http.MethodPost, "/storage/upload", bytes.NewReader(body), map[string]string{"Content-Type": kind})
		require.GreaterOrEqual(t, response.StatusCode, 400)
		var said struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
		}
		require.NoError(t, xml.NewDecoder(response.Body).Decode(&said))
		require.NotEmpty(t, said.Code)
	})
}

// FuzzPath: no path and no query lead to a file or past the key.
func FuzzPath(f *testing.F) {
	s := testkit.StartService(f)
	for _, seed := range []string{"/storage/results/../../key/0", "/storage/results/job_1/0", "/api/v1/jobs/..%2f..%2fkey", "/api/v1//jobs", "/api/v1/jobs/goal/%00", "/storage/goals/x/y", "//", "/api/v1/files/\x00", "/ws"} {
		f.Add(seed, "expires=1&signature=00")
	}
	f.Add("/api/v1/jobs", "page=99999999999999999999&limit=-1&status=x'--")
	f.Fuzz(func(t *testing.T, path, query string) {
		for _, key := range []string{"", "Bearer " + s.Key()} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL.Path, r.URL.RawQuery = path, query
			r.Header.Set("Authorization", key)
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			require.Less(t, w.Code, 500, "%q?%q: %s", path, query, w.Body)
			require.NotContains(t, w.Body.String(), s.Key())
			if strings.HasPrefix(path, "/storage/") {
				require.NotEqual(t, http.StatusOK, w.Code, "%q?%q", path, query)
			}
		}
	})
}
