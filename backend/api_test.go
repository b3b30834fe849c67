package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func upload(t *testing.T, s *testkit.Service, name, content string) *client.File {
	t.Helper()
	file, err := s.Client.Files.Upload(t.Context(), client.UploadParams{
		Name: name, Size: int64(len(content)), ContentType: "text/markdown", Body: strings.NewReader(content),
	})
	require.NoError(t, err)
	return file
}

func params(fileID string) client.CreateParams {
	return client.CreateParams{FileID: fileID, SourceFormat: "md", TargetFormat: "html"}
}

var quick = client.WaitOptions{Interval: 200 * time.Millisecond, Timeout: time.Minute}

func read(t *testing.T, s *testkit.Service, job *client.ConvertJob) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out")
	_, err := s.Client.Convert.Download(t.Context(), job.ResultFiles[0], client.DownloadOptions{Path: path})
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// raw sends a request as no client of ours would.
func raw(t *testing.T, s *testkit.Service, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+s.Key())
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(data)
}

func TestAFileBecomesAnother(t *testing.T) {
	s := testkit.StartService(t)
	file := upload(t, s, "report.md", "# Ærø\n\nText.")
	assert.Equal(t, "report.md", file.Filename)
	assert.True(t, file.IsInput)
	job, err := s.Client.Convert.CreateAndWait(t.Context(), params(file.FileID), quick)
	require.NoError(t, err)
	assert.InDelta(t, 1, *job.Progress, 0)
	assert.NotNil(t, job.StartedAt)
	assert.NotNil(t, job.CompletedAt)
	require.Len(t, job.ResultFiles, 1)
	assert.Equal(t, "report.html", job.ResultFiles[0].Filename)
	assert.Equal(t, "text/html", job.ResultFiles[0].Mimetype)
	content := read(t, s, job)
	assert.Contains(t, content, ">Ærø</h1>")
	assert.EqualValues(t, len(content), job.ResultFiles[0].Size)
	require.NoError(t, s.Client.Health(t.Context()))
}

// What the vendor's Python models refuse must not be on the wire.
func TestRepliesAreStrict(t *testing.T) {
	s := testkit.StartService(t)
	file := upload(t, s, "a.md", "# A")
	_, err := s.Client.Convert.CreateAndWait(t.Context(), params(file.FileID), quick)
	require.NoError(t, err)
	upload(t, s, "b.md", "# B")
	_, _, list := raw(t, s, "GET", "/api/v1/jobs", "")
	var page struct {
		Jobs               []map[string]any `json:"jobs"`
		Total, Page, Limit int
	}
	require.NoError(t, json.Unmarshal([]byte(list), &page))
	require.Len(t, page.Jobs, 1)
	assert.Equal(t, []int{1, 1, 20}, []int{page.Total, page.Page, page.Limit})
	for _, name := range []string{"jobId", "status", "processorType", "progress", "warnings", "retryCount", "createdAt", "updatedAt", "resultFiles"} {
		assert.NotNil(t, page.Jobs[0][name], name)
	}
	for _, name := range []string{"progressMessage", "error", "estimatedDuration"} {
		t.Run(name, func(t *testing.T) {
			value, present := page.Jobs[0][name]
			assert.True(t, present && value == nil, name)
		})
	}
	progress, ok := page.Jobs[0]["progress"].(float64)
	assert.True(t, ok && progress == 100)
	for _, name := range []string{"createdAt", "updatedAt", "startedAt", "completedAt"} {
		t.Run(name, func(t *testing.T) {
			_, err := time.Parse(time.RFC3339, page.Jobs[0][name].(string))
			assert.NoError(t, err, name)
		})
	}
}

func TestRefusals(t *testing.T) {
	s := testkit.StartService(t)
	file := upload(t, s, "a.md", "# A")
	presign := `{"fileName":"a","fileSize":%,"contentType":"x/y"}`
	for _, test := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/api/v1/jobs", `{"processorType":"document_conversion"}`, 400, "union_tag_not_found"},
		{"POST", "/api/v1/jobs", `not json`, 400, "BAD_REQUEST"},
		{"POST", "/api/v1/jobs", `[]`, 400, "BAD_REQUEST"},
		{"POST", "/api/v1/jobs", strings.Repeat(" ", 1<<20+1), 413, "PAYLOAD_TOO_LARGE"},
		{"POST", "/api/v1/jobs", `{"processor_type":"document_conversion","params":{}}`, 422, "INVALID_PARAMETERS"},
		{"POST", "/api/v1/jobs", `{"processor_type":"document_conversion","params":{"source_file_id":"nobody","source_format":"md","target_format":"pdf"}}`, 404, "NOT_FOUND"},
		{"POST", "/api/v1/jobs", `{"processor_type":"document_conversion","params":{"source_file_id":"` + file.FileID + `","source_format":"md","target_format":"epub"}}`, 422, "UNSUPPORTED_CONVERSION"},
		{"POST", "/api/v1/jobs", `{"processor_type":"document_conversion","params":{"source_file_id":"` + file.FileID + `","source_format":"md","target_format":"html","quality":"superb"}}`, 422, "INVALID_PARAMETERS"},
		{"POST", "/api/v1/jobs", `{"processor_type":"document_conversion","params":{"source_file_id":"` + file.FileID + `","source_format":"md","target_format":"html","page_range":"x"}}`, 422, "INVALID_PARAMETERS"},
		{"POST", "/api/v1/jobs", `{"processor_type":"image_conversion","params":{"file_id":"` + file.FileID + `","output_format":"png"}}`, 422, "UNSUPPORTED_CONVERSION"},
		{"GET", "/api/v1/jobs/job_nobody", ``, 404, "JOB_NOT_FOUND"},
		{"GET", "/api/v1/jobs?limit=0", ``, 422, "INVALID_PARAMETERS"},
		{"GET", "/api/v1/jobs?limit=101", ``, 422, "INVALID_PARAMETERS"},
		{"GET", "/api/v1/jobs?page=x", ``, 422, "INVALID_PARAMETERS"},
		{"GET", "/api/v1/jobs?status=odd", ``, 422, "INVALID_PARAMETERS"},
		{"POST", "/api/v1/upload/presign", strings.Replace(presign, "%", "0", 1), 422, "INVALID_PARAMETERS"},
		{"POST", "/api/v1/upload/presign", strings.Replace(presign, "%", "524288001", 1), 413, "FILE_TOO_LARGE"},
		{"POST", "/api/v1/upload/presign", `{"fileSize":1,"contentType":"x/y"}`, 422, "INVALID_PARAMETERS"},
		{"POST", "/api/v1/upload/confirm", `{"fileId":"nobody"}`, 404, "NOT_FOUND"},
		{"DELETE", "/api/v1/files/nobody", ``, 404, "NOT_FOUND"},
		{"GET", "/api/v1/elsewhere", ``, 404, "NOT_FOUND"},
		{"PUT", "/api/v1/jobs", ``, 404, "NOT_FOUND"},
	} {
		t.Run(fmt.Sprint(test.method, " ", test.path, " ", test.body), func(t *testing.T) {
			status, header, body := raw(t, s, test.method, test.path, test.body)
			var e client.WireError
			require.NoError(t, json.Unmarshal([]byte(body), &e), "%s %s: %s", test.method, test.path, body)
			assert.Equal(t, test.status, status, "%+v: %s", test, body)
			assert.Equal(t, test.code, e.Code, "%+v", test)
			assert.NotEmpty(t, e.Message)
			assert.NotEqual(t, http.StatusText(status), e.Message, "a message that says more than the status")
			assert.Equal(t, "application/json", header.Get("Content-Type"))
		})
	}
}

func TestKeys(t *testing.T) {
	s := testkit.StartService(t, func(c *backend.Config) { c.Keys = []string{"ck_one", "ck_two"} })
	file := upload(t, s, "a.md", "# A")
	job, err := s.Client.Convert.Create(t.Context(), params(file.FileID))
	require.NoError(t, err)
	other, err := client.New(s.URL, "ck_two")
	require.NoError(t, err)
	t.Cleanup(other.CloseIdleConnections)
	_, err = other.Convert.Retrieve(t.Context(), job.JobID)
	require.True(t, client.IsNotFound(err), "others' jobs do not exist: %v", err)
	require.True(t, client.IsNotFound(other.Files.Delete(t.Context(), file.FileID)))
	_, err = other.Convert.Create(t.Context(), params(file.FileID))
	require.True(t, client.IsNotFound(err))
	page, err := other.Convert.List(t.Context(), client.ListParams{})
	require.NoError(t, err)
	assert.Empty(t, page.Jobs)
	stranger, err := client.New(s.URL, "ck_three")
	require.NoError(t, err)
	t.Cleanup(stranger.CloseIdleConnections)
	_, err = stranger.Files.List(t.Context())
	require.True(t, client.IsAuth(err))
	status, _, _ := raw(t, s, "GET", "/api/v1/files", "", "Authorization", "")
	assert.Equal(t, 401, status)
}

func TestIdempotencyKeys(t *testing.T) {
	s := testkit.StartService(t)
	up := func(key, content string) (*client.File, error) {
		return s.Client.Files.Upload(t.Context(), client.UploadParams{Name: "a.md", Size: int64(len(content)), ContentType: "x/y", Body: strings.NewReader(content)}, client.WithIdempotencyKey(key))
	}
	first, err := up("u", "# A")
	require.NoError(t, err)
	again, err := up("u", "# A")
	require.NoError(t, err)
	assert.Equal(t, first, again, "the same upload, with the same reply")
	_, err = up("u", "# AB")
	require.ErrorContains(t, err, "IDEMPOTENCY_CONFLICT")

	one, err := s.Client.Convert.Create(t.Context(), params(first.FileID), client.WithIdempotencyKey("j"))
	require.NoError(t, err)
	s.Restart() // what a key has done is remembered over a restart
	same, err := s.Client.Convert.Create(t.Context(), params(first.FileID), client.WithIdempotencyKey("j"))
	require.NoError(t, err)
	assert.Equal(t, one.JobID, same.JobID)
	other, err := s.Client.Convert.Create(t.Context(), params(first.FileID), client.WithIdempotencyKey("k"))
	require.NoError(t, err)
	assert.NotEqual(t, one.JobID, other.JobID)
	for _, id := range []string{one.JobID, other.JobID} {
		_, err = s.Client.Convert.Wait(t.Context(), id, quick)
		require.NoError(t, err)
	}
	page, err := s.Client.Convert.List(t.Context(), client.ListParams{FileID: first.FileID})
	require.NoError(t, err)
	assert.Equal(t, 2, page.Total)

	require.NoError(t, s.Client.Files.Delete(t.Context(), first.FileID, client.WithIdempotencyKey("d")))
	require.NoError(t, s.Client.Files.Delete(t.Context(), first.FileID, client.WithIdempotencyKey("d")), "a repeated DELETE is answered as the first was")
	require.True(t, client.IsNotFound(s.Client.Files.Delete(t.Context(), first.FileID)))
}

func TestManyCallsUnderOneKeyMakeOneJob(t *testing.T) {
	s := testkit.StartService(t)
	file := upload(t, s, "a.md", "# A")
	ids := make(chan string, 8)
	for range cap(ids) {
		go func() {
			job, err := s.Client.Convert.Create(t.Context(), params(file.FileID), client.WithIdempotencyKey("same"))
			if assert.NoError(t, err) {
				ids <- job.JobID
			} else {
				ids <- ""
			}
		}()
	}
	first := <-ids
	for range cap(ids) - 1 {
		assert.Equal(t, first, <-ids)
	}
	page, err := s.Client.Convert.List(t.Context(), client.ListParams{})
	require.NoError(t, err)
	assert.Equal(t, 1, page.Total)
	_, err = s.Client.Convert.Wait(t.Context(), first, quick)
	require.NoError(t, err)
}

func TestListFiltersAndPages(t *testing.T) {
	s := testkit.StartService(t)
	file := upload(t, s, "a.md", "# A")
	var ids []string
	for range 5 {
		job, err := s.Client.Convert.CreateAndWait(t.Context(), params(file.FileID), quick)
		require.NoError(t, err)
		ids = append(ids, job.JobID)
	}
	page, err := s.Client.Convert.List(t.Context(), client.ListParams{Page: 2, Limit: 2})
	require.NoError(t, err)
	assert.Equal(t, 5, page.Total)
	require.Len(t, page.Jobs, 2)
	assert.Equal(t, []string{ids[2], ids[1]}, []string{page.Jobs[0].JobID, page.Jobs[1].JobID}, "newest first")
	for filter, want := range map[*client.ListParams]int{
		{Status: client.JobCompleted}: 5, {Status: client.JobFailed}: 0, {ProcessorType: client.ProcessorImage}: 0, {FileID: "nobody"}: 0,
	} {
		page, err = s.Client.Convert.List(t.Context(), *filter)
		require.NoError(t, err)
		assert.Equal(t, want, page.Total, "%+v", filter)
	}
}

func TestSupportLists(t *testing.T) {
	missing := engines.Engine{
		Name: "office", Package: "libreoffice", Version: func(context.Context) (string, error) { return "", errors.New("not here") },
		Routes: []engines.Route{{Source: "odt", Target: "pdf", Quality: engines.BestEffort}, {Source: "md", Target: "html", Quality: engines.Exact}},
	}
	s := testkit.StartService(t, testkit.WithEngines(missing, still("md", "html", "one"), still("md", "html", "two"), still("png", "jpg", "one")))
	list, err := s.Client.Support(t.Context(), client.FamilyDocument)
	require.NoError(t, err)
	assert.Equal(t, []client.Route{{Source: "md", Target: "html", QualityMode: "exact", Engine: "one", Options: option.Of(option.NameCheck)}}, list.Routes, "each pair once, with the engine that serves it")
	assert.Equal(t, []client.UnavailableRoute{{Source: "odt", Target: "pdf", Install: "libreoffice"}}, list.Unavailable)
	list, err = s.Client.Support(t.Context(), client.FamilyImage)
	require.NoError(t, err)
	assert.Len(t, list.Routes, 1)
	file := upload(t, s, "a.odt", "x")
	_, err = s.Client.Convert.Create(t.Context(), client.CreateParams{FileID: file.FileID, SourceFormat: "odt", TargetFormat: "pdf"})
	require.ErrorContains(t, err, "installing libreoffice")
}

// still is an engine of one route that copies.
func still(source, target, name string) engines.Engine {
	return engines.Engine{
		Name: name, Routes: []engines.Route{{Source: source, Target: target, Quality: engines.Exact}},
		Convert: func(_ context.Context, in engines.Request) (engines.Result, error) {
			data, err := os.ReadFile(in.InputPath)
			if err != nil {
				return engines.Result{}, err
			}
			path := filepath.Join(in.OutDir, "out")
			return engines.Result{Files: []engines.File{{Path: path, Filename: in.Stem + "." + target, Mimetype: "x/y"}}}, os.WriteFile(path, bytes.ToUpper(data), 0o600)
		},
	}
}
