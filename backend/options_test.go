package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/finish"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// What a service lists for a pair it takes, and refuses what it does not list, before anything is queued.
func TestService_OptionsOfAJob(t *testing.T) {
	s := testkit.StartService(t, testkit.WithEngines(text.New(), finish.New()))
	list, err := s.Client.Support(t.Context(), client.FamilyDocument)
	require.NoError(t, err)
	ask := client.CreateParams{SourceFormat: "md", TargetFormat: "pdf", PageRange: "1", Options: option.Values{option.NameFooter: "sheet {page} of {pages}"}}
	require.NoError(t, list.CheckOptions(ask))
	require.Error(t, list.CheckOptions(client.CreateParams{SourceFormat: "md", TargetFormat: "html", PageRange: "1"}))

	file := upload(t, s, "a.md", strings.Repeat("word ", 3000))
	ask.FileID = file.FileID
	job, err := s.Client.Convert.CreateAndWait(t.Context(), ask, quick)
	require.NoError(t, err)
	assert.Contains(t, shownText(t, s, job), "sheet 1 of 1")
	var echo client.WireJobParams
	require.NoError(t, json.Unmarshal(job.Params, &echo))
	assert.Equal(t, ask.Options, echo.Options)

	for says, bad := range map[string]string{
		"md to html takes no option paper (it takes check)":  `{"source_file_id":"F","source_format":"md","target_format":"html","options":{"paper":"A4"}}`,
		"md to pdf takes no option fotter; did you mean foo": `{"source_file_id":"F","source_format":"md","target_format":"pdf","options":{"fotter":"x"}}`,
		"option header: it has a line break":                 `{"source_file_id":"F","source_format":"md","target_format":"pdf","options":{"header":"a\nb"}}`,
		"md to html takes no option pages":                   `{"source_file_id":"F","source_format":"md","target_format":"html","page_range":"1"}`,
		"page_range and the option pages are not the same":   `{"source_file_id":"F","source_format":"md","target_format":"pdf","page_range":"1","options":{"pages":"2"}}`,
	} {
		t.Run(says, func(t *testing.T) {
			status, _, body := raw(t, s, "POST", "/api/v1/jobs", `{"processor_type":"document_conversion","params":`+strings.ReplaceAll(bad, "F", file.FileID)+`}`)
			assert.Equal(t, 422, status)
			assert.Contains(t, body, says)
		})
	}
	page, err := s.Client.Convert.List(t.Context(), client.ListParams{})
	require.NoError(t, err)
	assert.Equal(t, 1, page.Total, "nothing else was queued")
}

// shownText is the text of the one PDF of a job.
func shownText(t *testing.T, s *testkit.Service, job *client.ConvertJob) string {
	t.Helper()
	body, err := s.Client.Convert.Open(context.WithoutCancel(t.Context()), job.ResultFiles[0])
	require.NoError(t, err)
	defer body.Close()
	var document bytes.Buffer
	_, err = document.ReadFrom(body)
	require.NoError(t, err)
	return testkit.PDFText(t, testkit.PDF(t), document.Bytes())
}
