package client

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func decodeJob(t *testing.T, text string) ConvertJob {
	t.Helper()
	var job ConvertJob
	require.NoError(t, json.Unmarshal([]byte(text), &job))
	return job
}

// The old page wrote progress as a fraction, today's wire writes percent. The token tells which.
func TestProgressOfBothWires(t *testing.T) {
	for token, want := range map[string]float64{
		"0": 0, "1": 0.01, "42": 0.42, "100": 1, "0.42": 0.42, "1.0": 1, "0.0": 0, "42.0": 0.42, "1e0": 1, "4.2e-1": 0.42,
		"150": 1, "-3": 0, `"42"`: 0.42,
	} {
		t.Run(token, func(t *testing.T) {
			job := decodeJob(t, `{"jobId":"j","status":"processing","progress":`+token+`}`)
			require.NotNil(t, job.Progress, token)
			assert.InDelta(t, want, *job.Progress, 1e-9, token)
		})
	}
	for _, text := range []string{`{"jobId":"j","status":"queued"}`, `{"jobId":"j","status":"queued","progress":null}`} {
		t.Run(text, func(t *testing.T) {
			assert.Nil(t, decodeJob(t, text).Progress, text)
		})
	}
	completed := decodeJob(t, `{"jobId":"j","status":"completed","progress":3}`)
	assert.InDelta(t, 1.0, *completed.Progress, 0, "a completed job is all done, whatever it says")
}

func TestConvertJobRowsOfTheContract(t *testing.T) {
	const today = `{"jobId":"job_31","userId":"user_5","status":"processing","processorType":"document_conversion","progress":42,
		"progressMessage":"page 3","params":{"target_format":"pdf"},"resultFiles":null,"warnings":["best_effort: fonts"],
		"error":null,"retryCount":2,"createdAt":"2026-06-01T08:00:01Z","updatedAt":"2026-06-01T08:00:02.5+02:00",
		"startedAt":"2026-06-01T08:00:01","completedAt":null,"estimatedDuration":12,"suggestedPollIntervalMs":5}`
	job := decodeJob(t, today)
	assert.Equal(t, "job_31", job.JobID)
	assert.Equal(t, JobProcessing, job.Status)
	assert.Equal(t, ProcessorDocument, job.ProcessorType)
	assert.Equal(t, "page 3", job.ProgressMessage)
	assert.Equal(t, "user_5", job.UserID)
	assert.JSONEq(t, `{"target_format":"pdf"}`, string(job.Params))
	assert.Equal(t, []string{"best_effort: fonts"}, job.Warnings)
	assert.Equal(t, 2, job.RetryCount)
	assert.Equal(t, 12, *job.EstimatedDuration)
	assert.Equal(t, 5*time.Millisecond, *job.SuggestedPoll)
	assert.Equal(t, []ResultFile{}, job.ResultFiles, "null is an empty list")
	assert.Nil(t, job.Error)
	assert.Nil(t, job.CompletedAt)
	assert.Equal(t, time.Date(2026, 6, 1, 8, 0, 1, 0, time.UTC), *job.StartedAt, "a time without offset is UTC")
	assert.Equal(t, time.Date(2026, 6, 1, 6, 0, 2, 5e8, time.UTC), job.UpdatedAt, "times are UTC")
	assert.Equal(t, time.UTC, job.UpdatedAt.Location())

	const page = `{"job_id":"job_1","status":"completed","processor_type":"image_conversion","progress":1.0,
		"result_files":[{"filename":"a.png","size":3,"mimetype":"image/png","url":"https://x/y?sig=1"}],
		"created_at":"2026-06-01T08:00:00Z","updated_at":"2026-06-01T08:00:00Z","estimated_duration":null}`
	job = decodeJob(t, page)
	assert.Equal(t, "job_1", job.JobID)
	assert.Equal(t, ProcessorImage, job.ProcessorType)
	assert.Equal(t, []ResultFile{{Filename: "a.png", Size: 3, Mimetype: "image/png", URL: "https://x/y?sig=1"}}, job.ResultFiles)
	assert.False(t, job.CreatedAt.IsZero())
}

func TestSuggestedPoll(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`1500`: 1500 * time.Millisecond, `"1500"`: 1500 * time.Millisecond, `1500.5`: 1501 * time.Millisecond,
		`-3`: 0, `1e300`: -1, `"soon"`: -1, `null`: -1, `[]`: -1, `9007199254740991`: time.Minute,
	} {
		t.Run(text, func(t *testing.T) {
			job := decodeJob(t, `{"jobId":"j","status":"queued","suggestedPollIntervalMs":`+text+`}`)
			if want < 0 {
				assert.Nil(t, job.SuggestedPoll)
				return
			}
			assert.Equal(t, &want, job.SuggestedPoll)
		})
	}
}

func TestUnknownStatusAndFieldsPass(t *testing.T) {
	job := decodeJob(t, `{"jobId":"j","status":"on_the_moon","processorType":"teleport","new":{"a":[1]},"warnings":null}`)
	assert.Equal(t, JobStatus("on_the_moon"), job.Status)
	assert.False(t, job.Status.Terminal())
	assert.Equal(t, []string{}, job.Warnings)
}

func TestJobErrorDetail(t *testing.T) {
	job := decodeJob(t, `{"jobId":"j","status":"failed","resultFiles":[{"filename":"x","size":0,"mimetype":"","url":""}],
		"error":{"code":"UNSUPPORTED_INPUT","message":"Input not supported.",
		"detail":{"reason":"MULTI_SHEET_WORKBOOK","sheetCount":4,"faithfulTargets":["ods","pdf"]}}}`)
	require.NotNil(t, job.Error)
	four := 4
	assert.Equal(t, &JobErrorDetail{Reason: "MULTI_SHEET_WORKBOOK", SheetCount: &four, FaithfulTargets: []string{"ods", "pdf"}}, job.Error.Detail)
	for _, detail := range []string{"null", `"text"`, "[]", "7"} {
		job = decodeJob(t, `{"jobId":"j","status":"failed","error":{"code":"C","message":"m","detail":`+detail+`}}`)
		assert.Nil(t, job.Error.Detail, detail)
		assert.Equal(t, "C", job.Error.Code)
	}
}

func TestResultFileSpellings(t *testing.T) {
	for _, text := range []string{
		`{"filename":"a b.pdf","size":7,"mimetype":"application/pdf","url":"u"}`,
		`{"fileName":"a b.pdf","size":7.0,"mimeType":"application/pdf","url":"u"}`,
		`{"file_name":"a b.pdf","size":"7","mime_type":"application/pdf","downloadUrl":"u"}`,
	} {
		t.Run(text, func(t *testing.T) {
			var file ResultFile
			require.NoError(t, json.Unmarshal([]byte(text), &file))
			assert.Equal(t, ResultFile{Filename: "a b.pdf", Size: 7, Mimetype: "application/pdf", URL: "u"}, file, text)
		})
	}
}

func TestFileSpellings(t *testing.T) {
	want := File{FileID: "file_1", Filename: "a.pdf", Size: 7710, ContentType: "application/pdf", CreatedAt: time.Date(2026, 7, 3, 6, 20, 0, 0, time.UTC), IsInput: true}
	for name, text := range map[string]string{
		"confirmed": `{"fileId":"file_1","fileName":"a.pdf","fileSize":7710,"mimeType":"application/pdf","isInput":true,"jobId":null,"createdAt":"2026-07-03T06:20:00Z"}`,
		"listed":    `{"file_id":"file_1","file_name":"a.pdf","file_size":7710,"mime_type":"application/pdf","file_extension":"pdf","created_at":"2026-07-03T06:20:00Z"}`,
		"page":      `{"file_id":"file_1","filename":"a.pdf","size":7710,"content_type":"application/pdf","created_at":"2026-07-03T06:20:00Z","job_id":null,"is_input":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			var file File
			require.NoError(t, json.Unmarshal([]byte(text), &file), name)
			assert.Equal(t, want, file, name)
		})
	}
}

func TestFileListOfNothing(t *testing.T) {
	for _, text := range []string{`{"files":null}`, `{}`, `{"files":[],"usage":null}`} {
		t.Run(text, func(t *testing.T) {
			var list FileList
			require.NoError(t, json.Unmarshal([]byte(text), &list))
			assert.Equal(t, FileList{Files: []File{}}, list, text)
		})
	}
}

func TestJobPageShapes(t *testing.T) {
	for _, text := range []string{
		`{"jobs":[{"jobId":"j","status":"queued"}],"total":1,"page":1,"limit":20}`,
		`{"items":[{"jobId":"j","status":"queued"}],"total":1}`, `[{"job_id":"j","status":"queued"}]`,
	} {
		t.Run(text, func(t *testing.T) {
			var page JobPage
			require.NoError(t, json.Unmarshal([]byte(text), &page), text)
			require.Len(t, page.Jobs, 1, text)
			assert.Equal(t, "j", page.Jobs[0].JobID)
			assert.Equal(t, 1, page.Total)
		})
	}
}

// The public models go out under the names of the user's document, and come back as they were.
func TestModelsMarshalUnderDocumentedNames(t *testing.T) {
	half := 0.5
	at := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	jobID := "job_1"
	job := ConvertJob{
		JobID: jobID, Status: JobProcessing, ProcessorType: ProcessorImage, Progress: &half,
		ResultFiles: []ResultFile{{Filename: "a.png", Size: 3, Mimetype: "image/png", URL: "https://h/a?sig=s"}},
		Warnings:    []string{}, CreatedAt: at, UpdatedAt: at,
	}
	encoded, err := json.Marshal(job)
	require.NoError(t, err)
	assert.JSONEq(t, `{"job_id":"job_1","status":"processing","processor_type":"image_conversion","progress":0.5,
		"result_files":[{"filename":"a.png","size":3,"mimetype":"image/png","url":"https://h/a?sig=s"}],"warnings":[],"error":null,
		"retry_count":0,"created_at":"2026-06-01T08:00:00Z","updated_at":"2026-06-01T08:00:00Z","started_at":null,"completed_at":null,
		"estimated_duration":null}`, string(encoded))
	assert.Equal(t, job, decodeJob(t, string(encoded)))

	encoded, err = json.Marshal(File{FileID: "f", Filename: "n", Size: 1, ContentType: "c", CreatedAt: at, JobID: &jobID})
	require.NoError(t, err)
	assert.JSONEq(t, `{"file_id":"f","filename":"n","size":1,"content_type":"c","created_at":"2026-06-01T08:00:00Z","job_id":"job_1","is_input":false}`, string(encoded))
}

// One percent as a fraction is 0.01, and all of it is 1.0: never 1, which a reader would take for one percent.
func TestProgressGoesOutWithADecimalPoint(t *testing.T) {
	for value, want := range map[float64]string{0: "0.0", 0.01: "0.01", 1: "1.0"} {
		assert.JSONEq(t, want, string(fractionJSON(&value)))
		assert.Contains(t, string(fractionJSON(&value)), ".")
	}
}

func TestConvertsFile(t *testing.T) {
	job := decodeJob(t, `{"jobId":"j","status":"queued","params":{"source_file_id":"f","target_format":"pdf"}}`)
	assert.True(t, job.ConvertsFile("f", "pdf"))
	assert.False(t, job.ConvertsFile("f", "html"))
	assert.False(t, job.ConvertsFile("g", "pdf"))
	job = decodeJob(t, `{"jobId":"j","status":"queued","params":{"file_id":"f","output_format":"jpg"}}`)
	assert.True(t, job.ConvertsFile("f", "jpg"))
	job = decodeJob(t, `{"jobId":"j","status":"queued","params":[1]}`)
	assert.False(t, job.ConvertsFile("f", "jpg"))
}
