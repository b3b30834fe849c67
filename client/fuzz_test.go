package client

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"
)

var seeds = []string{
	`{}`, `null`, `[]`, `"x"`, `7`, ``, `{"jobId":"j","status":"completed","progress":1.0,"resultFiles":null,"warnings":null}`,
	`{"job_id":"j","status":"?","progress":"42","created_at":"2026-06-01T08:00:00+14:00","params":{"file_id":"f"}}`,
	`{"fileId":"f","fileName":"n","fileSize":7,"mimeType":"a/b","createdAt":"0001-01-01T00:00:00+23:59"}`,
	`{"files":[{"file_id":"f","file_size":1e3}],"usage":{"used_bytes":1}}`, `{"jobs":[{"jobId":"j","status":"queued"}],"total":9}`,
	`{"routes":[{"source":"a","target":"b","qualityMode":"exact"}],"unavailable":[{"install":"x"}]}`,
	`{"detail":{"code":"QUOTA_EXCEEDED","estimatedMicroU":"1"}}`, `{"detail":[{"loc":[]}]}`, `{"code":"X","message":"m","details":{"requiredCredits":0}}`,
	`{"uploadUrl":"https://h/?s","fields":{"key":"k"},"fileId":"f","s3Key":"k","expiresIn":900}`,
}

// roundTrip: what decodes also encodes, and decodes to the same again.
func roundTrip[T any](t *testing.T, data []byte) *T {
	t.Helper()
	first := new(T)
	if json.Unmarshal(data, first) != nil {
		return nil
	}
	encoded, err := json.Marshal(first)
	if err != nil {
		t.Fatalf("decoded but cannot be encoded: %v", err)
	}
	second := new(T)
	if err := json.Unmarshal(encoded, second); err != nil {
		t.Fatalf("own encoding %s: %v", encoded, err)
	}
	again, err := json.Marshal(second)
	if err != nil || string(again) != string(encoded) {
		t.Fatalf("first %s, then %s (%v)", encoded, again, err)
	}
	return first
}

func FuzzConvertJob(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		job := roundTrip[ConvertJob](t, data)
		if job == nil {
			return
		}
		if job.Progress != nil && (*job.Progress < 0 || *job.Progress > 1) {
			t.Fatalf("progress %v", *job.Progress)
		}
		if job.ResultFiles == nil || job.Warnings == nil {
			t.Fatal("nil lists")
		}
		for _, at := range []time.Time{job.CreatedAt, job.UpdatedAt} {
			if at.Location() != time.UTC {
				t.Fatalf("%v is not UTC", at)
			}
		}
		for _, result := range job.ResultFiles {
			if result.Size < 0 {
				t.Fatal("negative size")
			}
		}
	})
}

func FuzzGoals(f *testing.F) {
	addSeeds(f)
	for _, seed := range []string{
		goal(GoalFailed, `,"progress":42,"errorDetail":{"reason":"R","limit":null},"suggestedAction":"retry","fileIds":null,"filledSlots":{"a":[1]}`),
		goal("running", `,"progress":0.42,"pendingSlots":[{"slotId":"s","options":["a",{"id":"b","name":"B"}],"suggestedValue":null}],"pendingInterrupts":[{}]`),
		`{"type":"progress","schemaVersion":2,"jobSpecId":"g","emittedAt":"2026-06-01T08:01:02Z","seq":7,"data":{"progress":40}}`,
		`{"type":"slot_pending","timestamp":"2026-06-01T08:01:02","seq":"9","job":{"status":"partial"}}`, `{"workflows":[{"specId":"w","maxInputSizeBytes":1e9}]}`,
		`{"artifactId":"a","sizeBytes":-1,"downloadUrl":"https://h/?s"}`, `{"suggestedPollIntervalMs":9e15,"status":"pending"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if job := roundTrip[GoalJob](t, data); job != nil {
			if percent := job.Percent(); percent < 0 || percent > 100 {
				t.Fatalf("%d %%", percent)
			}
			if job.ResultFiles == nil || job.PendingSlots == nil || job.FileIDs == nil || job.FilledSlots == nil || job.PendingInterrupts == nil {
				t.Fatal("nil collections")
			}
			if job.Status == GoalFailed && job.Error == nil {
				t.Fatal("a failure without an error")
			}
		}
		if event := roundTrip[GoalEvent](t, data); event != nil && !json.Valid(event.Data) {
			t.Fatalf("data %q", event.Data)
		}
		roundTrip[Artifact](t, data)
		roundTrip[Catalog](t, data)
		var status GoalJobStatus
		if json.Unmarshal(data, &status) == nil && status.SuggestedPollInterval < 0 {
			t.Fatalf("%+v", status)
		}
	})
}

func FuzzModels(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip[File](t, data)
		roundTrip[FileList](t, data)
		roundTrip[JobPage](t, data)
		roundTrip[SupportList](t, data)
		roundTrip[WirePresignReply](t, data)
	})
}

func FuzzAPIError(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, status := range []int{400, 402, 422, 503, 599} {
			e := decodeAPIError(status, http.Header{}, data)
			if e.Code == "" || e.Message == "" || e.Details == nil || e.Status != status || len(e.RawBody) > 3*rawBodyLimit {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func FuzzNormalizeFormat(f *testing.F) {
	for _, seed := range []string{".PDF", "jpeg", " tif ", "İ", "..", "a.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := NormalizeFormat(text)
		if twice := NormalizeFormat(once); twice != once && !reflect.DeepEqual(Families(once), Families(twice)) {
			t.Fatalf("%q becomes %q, then %q", text, once, twice)
		}
	})
}

func addSeeds(f *testing.F) {
	f.Helper()
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
}
