package backend_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// fetched is a reply of the storage, as it is.
func fetched(t *testing.T, link client.PresignedURL, header ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, string(link), http.NoBody)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, data
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func TestDownloadsCarryTheDigestOfTheWhole(t *testing.T) {
	s := testkit.StartService(t)
	link := converted(t, s).ResultFiles[0].URL
	whole, data := fetched(t, link)
	assert.Equal(t, digest(data), whole.Header.Get("Repr-Digest"))
	some, piece := fetched(t, link, "Range", "bytes=5-9")
	assert.Equal(t, http.StatusPartialContent, some.StatusCode)
	assert.Equal(t, data[5:10], piece)
	assert.Equal(t, digest(data), some.Header.Get("Repr-Digest"), "of the whole, whatever is sent of it")
	for status, reply := range map[int]func() (*http.Response, []byte){
		http.StatusRequestedRangeNotSatisfiable: func() (*http.Response, []byte) { return fetched(t, link, "Range", "bytes=1000000-") },
		http.StatusForbidden: func() (*http.Response, []byte) {
			return fetched(t, client.PresignedURL(strings.Replace(string(link), "/0?", "/1?", 1)))
		},
	} {
		t.Run(fmt.Sprintf("status %v", status), func(t *testing.T) {
			response, _ := reply()
			assert.Equal(t, status, response.StatusCode)
			assert.Empty(t, response.Header.Values("Repr-Digest"), "an error is not the file")
		})
	}
}

func TestACorruptReplyIsNoOutput(t *testing.T) {
	s := testkit.StartService(t, testkit.WithFaults(t, "rules: [{route: 'GET /storage/**', count: 2, answer: {corrupt_body: true}}]"))
	file := converted(t, s).ResultFiles[0]
	response, corrupt := fetched(t, file.URL)
	assert.Len(t, corrupt, int(file.Size))
	assert.NotEqual(t, digest(corrupt), response.Header.Get("Repr-Digest"))
	part := filepath.Join(t.TempDir(), "a.part")
	_, err := impatient(t, s).Convert.Fetch(t.Context(), file, client.FetchOptions{PartPath: part})
	require.ErrorIs(t, err, client.ErrMismatch)
	_, err = impatient(t, s).Convert.Fetch(t.Context(), file, client.FetchOptions{PartPath: part})
	require.NoError(t, err)
	data, err := os.ReadFile(part)
	require.NoError(t, err)
	assert.Equal(t, response.Header.Get("Repr-Digest"), digest(data))
}

func TestCorruptionRepeatsItself(t *testing.T) {
	corrupt := func(seed string) []byte {
		s := testkit.StartService(t, testkit.WithFaults(t, "seed: "+seed+"\nrules: [{route: 'GET /storage/**', count: 1, answer: {corrupt_body: true}}]"))
		_, data := fetched(t, converted(t, s).ResultFiles[0].URL)
		return data
	}
	once, again := corrupt("7"), corrupt("7")
	assert.Equal(t, once, again)
	assert.NotEqual(t, once, corrupt("8"))
}

func TestWrongSizes(t *testing.T) {
	s := testkit.StartService(t, testkit.WithFaults(t, `
rules:
  - {route: POST /api/v1/upload/confirm, nth: 2, answer: {wrong_size: -1}}
  - {route: "GET /api/v1/jobs/*", nth: 1, answer: {wrong_size: 7}}
  - {job: md txt, count: 1, answer: {wrong_size: 1}}
`))
	up := upload(t, s, "a.md", "# A")
	_, err := s.Client.Files.Upload(t.Context(), client.UploadParams{Name: "a.md", Size: 3, Body: strings.NewReader("# A")})
	require.ErrorContains(t, err, "3 bytes were sent and the service has 2")

	job, err := s.Client.Convert.CreateAndWait(t.Context(), params(up.FileID), quick)
	require.NoError(t, err)
	right, err := s.Client.Convert.Retrieve(t.Context(), job.JobID)
	require.NoError(t, err)
	_, data := fetched(t, right.ResultFiles[0].URL)
	assert.EqualValues(t, len(data), right.ResultFiles[0].Size, "the fault was of one reply")

	text := params(up.FileID)
	text.TargetFormat = "txt"
	job, err = s.Client.Convert.CreateAndWait(t.Context(), text, quick)
	require.NoError(t, err)
	for range 2 {
		job, err = s.Client.Convert.Retrieve(t.Context(), job.JobID)
		require.NoError(t, err)
		_, data = fetched(t, job.ResultFiles[0].URL)
		assert.EqualValues(t, len(data)+1, job.ResultFiles[0].Size, "the fault is of the job, for ever")
	}
}
