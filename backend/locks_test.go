package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// A job takes passwords, uses them before and after the engines, and keeps them nowhere: not in what it says of itself, and
// not in the data folder, while it waits or afterwards.
func TestService_PasswordsOfAJob(t *testing.T) {
	s := testkit.StartService(t, testkit.WithEngines(text.New(), tables.New(), testkit.NewPDF()))
	const in, out = "canary-of-the-input", "canary-of-the-output"
	closed, err := excelize.Encrypt(testkit.Examples(t, "budget.xlsx"), &excelize.Options{Password: in})
	require.NoError(t, err)

	file := upload(t, s, "locked.xlsx", string(closed))
	ask := client.CreateParams{FileID: file.FileID, SourceFormat: "xlsx", TargetFormat: "csv", Options: option.Values{"password": in, "check": "warn"}}
	job, err := s.Client.Convert.CreateAndWait(t.Context(), ask, quick)
	require.NoError(t, err)
	assert.Contains(t, string(resultOf(t, s, job)), "Svendborg")
	require.NotNil(t, job.Check)
	assert.Empty(t, job.Check.Skipped, "what is opened is compared")
	assert.NotContains(t, string(job.Params), in)

	for says, bad := range map[string]option.Values{"UNSUPPORTED_INPUT": nil, "WRONG_PASSWORD": {"password": "canary-of-the-wrong"}} {
		ask.Options = bad
		_, err = s.Client.Convert.CreateAndWait(t.Context(), ask, quick)
		var failed *client.JobFailedError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, says, failed.Job.Error.Code)
		assert.NotContains(t, err.Error(), "canary")
	}

	note := upload(t, s, "a.md", "# Title\n\nsome words")
	job, err = s.Client.Convert.CreateAndWait(t.Context(), client.CreateParams{
		FileID: note.FileID, SourceFormat: "md", TargetFormat: "pdf", Options: option.Values{"encrypt": out},
	}, quick)
	require.NoError(t, err)
	made := resultOf(t, s, job)
	assert.Contains(t, string(made), "/Encrypt")
	assert.NotContains(t, string(made), "some words")

	require.NoError(t, filepath.WalkDir(s.DataDir(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range []string{in, out, "canary-of-the-wrong"} {
			assert.NotContains(t, string(data), secret, path)
		}
		return err
	}))

	status, _, body := raw(t, s, "POST", "/api/v1/jobs", `{"processor_type":"document_conversion","params":{"source_file_id":"`+note.FileID+
		`","source_format":"md","target_format":"html","options":{"encrypt":"canary-of-the-refused"}}}`)
	assert.Equal(t, 422, status)
	assert.Contains(t, body, "md to html takes no option encrypt")
	assert.NotContains(t, body, "canary")
}

// resultOf is the one result of a job.
func resultOf(t *testing.T, s *testkit.Service, job *client.ConvertJob) []byte {
	t.Helper()
	body, err := s.Client.Convert.Open(context.WithoutCancel(t.Context()), job.ResultFiles[0])
	require.NoError(t, err)
	defer body.Close()
	var data bytes.Buffer
	_, err = data.ReadFrom(body)
	require.NoError(t, err)
	return data.Bytes()
}

// What waited when the service died has its passwords when it goes on.
func TestService_PasswordsOutliveIt(t *testing.T) {
	s := testkit.StartService(t, testkit.WithEngines(tables.New()))
	const in = "canary-of-the-input"
	closed, err := excelize.Encrypt(testkit.Examples(t, "budget.xlsx"), &excelize.Options{Password: in})
	require.NoError(t, err)
	file := upload(t, s, "locked.xlsx", string(closed))
	job, err := s.Client.Convert.Create(t.Context(), client.CreateParams{
		FileID: file.FileID, SourceFormat: "xlsx", TargetFormat: "csv", Options: option.Values{"password": in},
	})
	require.NoError(t, err)
	s.Restart()
	done, err := s.Client.Convert.Wait(t.Context(), job.JobID, quick)
	require.NoError(t, err)
	assert.Contains(t, string(resultOf(t, s, done)), "Svendborg")
	var echo client.WireJobParams
	require.NoError(t, json.Unmarshal(done.Params, &echo))
	assert.Empty(t, echo.Options)
}
