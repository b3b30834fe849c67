package client

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/option"
)

func TestNormalizeFormat(t *testing.T) {
	for text, want := range map[string]string{
		" .PDF ": "pdf", "..jpeg": "jpg", "htm": "html", ".DOCM": "docx", "ppsx": "pptx", "xltm": "xlsx", "fods": "ods", "TIF": "tiff", "heif": "heic", "dib": "bmp", "j2k": "jp2", "": "", "odd": "odd",
		"jps": "jpg", "pnm": "ppm", "rgbe": "hdr", "targa": "tga", "cur": "ico", "rgba": "sgi",
	} {
		t.Run(text, func(t *testing.T) {
			assert.Equal(t, want, NormalizeFormat(text), text)
		})
	}
	for _, token := range aliases {
		assert.NotEmpty(t, Families(token), "alias of a known token")
	}
}

func TestFamilyFor(t *testing.T) {
	for pair, want := range map[string]Family{
		"gif png": FamilyImage, "gif mp4": FamilyMedia, "png pdf": FamilyImage, "pdf docx": FamilyDocument, "pdf png": FamilyImage, "pptx png": FamilyImage, "png txt": FamilyImage, "pdf txt": FamilyDocument, "wav mp3": FamilyMedia,
	} {
		t.Run(pair, func(t *testing.T) {
			source, target, _ := strings.Cut(pair, " ")
			got, err := FamilyFor(source, target)
			require.NoError(t, err, pair)
			assert.Equal(t, want, got, pair)
		})
	}
	for pair, says := range map[string]string{
		"pdf pdf": "nothing to convert", "docx png": "docx (document) does not convert to png (image)", "mp3 pdf": "does not convert",
		"md png": "md (document) does not convert to png (image)", "png pptx": "png (image) does not convert to pptx (document)",
		"foo pdf": "--from", "pdf foo": `target format "foo" is not known`, " pdf": "source format",
	} {
		t.Run(pair, func(t *testing.T) {
			source, target, _ := strings.Cut(pair, " ")
			_, err := FamilyFor(source, target)
			var e *PairError
			require.ErrorAs(t, err, &e, pair)
			assert.Contains(t, e.Error(), says)
		})
	}
}

func TestValidateParams(t *testing.T) {
	for _, good := range []CreateParams{
		{FileID: "f", SourceFormat: "docx", TargetFormat: "pdf"},
		{FileID: "f", SourceFormat: "docx", TargetFormat: "pdf", Quality: "high", PageRange: "2-"},
		{FileID: "f", SourceFormat: "pdf", TargetFormat: "txt", PageRange: "1,3-5,9-"},
		{FileID: "f", SourceFormat: "pdf", TargetFormat: "png", PageRange: "1"}, // the local service takes it
		{FileID: "f", SourceFormat: "docx", TargetFormat: "pdf", Options: option.Values{"paper": "a4"}},
		{FileID: "f", SourceFormat: "png", TargetFormat: "jpg", Quality: "100"},
		{FileID: "f", SourceFormat: "wav", TargetFormat: "mp3", Quality: "whatever the server knows"},
	} {
		assert.NoError(t, ValidateParams(good), "%+v", good)
	}
	for says, bad := range map[string]CreateParams{
		"file_id":      {SourceFormat: "docx", TargetFormat: "pdf"},
		"quality: \"0": {FileID: "f", SourceFormat: "png", TargetFormat: "jpg", Quality: "0"},
		"\"101\"":      {FileID: "f", SourceFormat: "png", TargetFormat: "jpg", Quality: "101"},
		"\"high\"":     {FileID: "f", SourceFormat: "png", TargetFormat: "jpg", Quality: "high"},
		"standard or":  {FileID: "f", SourceFormat: "docx", TargetFormat: "pdf", Quality: "80"},
		"no pages":     {FileID: "f", SourceFormat: "png", TargetFormat: "jpg", PageRange: "1"},
		"no option pa": {FileID: "f", SourceFormat: "docx", TargetFormat: "pdf", Options: option.Values{"papre": "A4"}},
		"A99":          {FileID: "f", SourceFormat: "docx", TargetFormat: "pdf", Options: option.Values{"paper": "A99"}},
		"not a range":  {FileID: "f", SourceFormat: "pdf", TargetFormat: "txt", PageRange: "a-b"},
		"nothing to":   {FileID: "f", SourceFormat: "pdf", TargetFormat: "pdf"},
	} {
		t.Run(says, func(t *testing.T) {
			assert.ErrorContains(t, ValidateParams(bad), says)
		})
	}
}

func TestABadConversionSendsNothing(t *testing.T) {
	a := newAPI(t, answer(500, ``))
	c, _ := newTestClient(t, a)
	_, err := c.Convert.Create(t.Context(), CreateParams{FileID: "f", SourceFormat: "docx", TargetFormat: "png"})
	require.Error(t, err)
	_, err = c.Convert.Retrieve(t.Context(), "")
	require.Error(t, err)
	assert.Empty(t, a.requests())
}

func TestCadence(t *testing.T) {
	looks := func(c Cadence, percents ...int) (waits []time.Duration) {
		for _, p := range percents {
			waits = append(waits, c.Next(p))
		}
		return waits
	}
	const s = time.Second
	assert.Equal(t, []time.Duration{s, s, s, 3 * s / 2, 9 * s / 4, 27 * s / 8, 5 * s, 5 * s}, looks(Cadence{}, 0, 0, 0, 0, 0, 0, 0, 0), "slower while nothing moves, 5 s at most")
	assert.Equal(t, []time.Duration{s, s, s, s, s}, looks(Cadence{}, 0, 1, 2, 3, 4))
	assert.Equal(t, []time.Duration{200 * time.Millisecond}, looks(Cadence{Interval: time.Millisecond}, 0), "the contract's floor")
	assert.Equal(t, []time.Duration{s / 2, s / 2}, looks(Cadence{Interval: s / 2}, 0, 0))
}

func TestCadence_FollowsTheService(t *testing.T) {
	suggests := func(d time.Duration) *ConvertJob { return &ConvertJob{SuggestedPoll: &d} }
	const s, ms = time.Second, time.Millisecond
	for name, tt := range map[string]struct {
		chosen time.Duration
		looks  []*ConvertJob
		want   []time.Duration
	}{
		"shorter":                      {0, []*ConvertJob{suggests(300 * ms)}, []time.Duration{300 * ms}},
		"longer":                       {0, []*ConvertJob{suggests(3 * s)}, []time.Duration{3 * s}},
		"within bounds":                {0, []*ConvertJob{suggests(0), suggests(time.Minute)}, []time.Duration{200 * ms, 5 * s}},
		"then none, from the last one": {0, []*ConvertJob{suggests(400 * ms), {}, {}, {}}, []time.Duration{400 * ms, 400 * ms, 400 * ms, 600 * ms}},
		"each begins the count again":  {0, []*ConvertJob{{}, {}, suggests(s), {}, {}, {}}, []time.Duration{s, s, s, s, s, s * 3 / 2}},
		"the default, chosen":          {s, []*ConvertJob{suggests(300 * ms)}, []time.Duration{300 * ms}},
		"another, chosen":              {2 * s, []*ConvertJob{suggests(300 * ms)}, []time.Duration{2 * s}},
		"after a reply that was held":  {0, []*ConvertJob{{held: true}, {}}, []time.Duration{0, s}},
	} {
		t.Run(name, func(t *testing.T) {
			c := Cadence{Interval: tt.chosen}
			var waits []time.Duration
			for _, job := range tt.looks {
				waits = append(waits, c.NextFor(job))
			}
			assert.Equal(t, tt.want, waits)
		})
	}
}

func job(status string, more string) string {
	return `{"jobId":"job_1","status":"` + status + `","createdAt":"2026-06-01T08:00:00Z","updatedAt":"2026-06-01T08:00:00Z"` + more + `}`
}

func TestWait(t *testing.T) {
	a := newAPI(t, answer(202, job("queued", "")), answer(200, job("queued", "")), answer(200, job("processing", `,"progress":50`)), answer(200, job("completed", "")))
	c, slept := newTestClient(t, a)
	var seen []JobStatus
	done, err := c.Convert.CreateAndWait(t.Context(), aConversion, WaitOptions{OnProgress: func(j *ConvertJob) { seen = append(seen, j.Status) }})
	require.NoError(t, err)
	assert.Equal(t, JobCompleted, done.Status)
	assert.Equal(t, []JobStatus{JobQueued, JobProcessing, JobCompleted}, seen)
	assert.Equal(t, []time.Duration{time.Second, time.Second}, *slept, "the first look comes at once")
}

func TestWait_AsksForHeldReplies(t *testing.T) {
	var passed atomic.Int64
	held := func(status string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			passed.Add(int64(time.Second))
			answer(200, job(status, ""), "Preference-Applied", "wait=1")(w, r)
		}
	}
	a := newAPI(t, held("queued"), held("processing"), held("completed"))
	c, slept := newTestClient(t, a, withClock(func() time.Time { return time.Unix(0, passed.Load()) }))

	done, err := c.Convert.Wait(t.Context(), "job_1", WaitOptions{})

	require.NoError(t, err)
	assert.Equal(t, JobCompleted, done.Status)
	assert.Equal(t, []time.Duration{0, 0}, *slept)
	for _, r := range a.requests() {
		assert.Equal(t, "wait=1", r.header.Get("Prefer"))
	}
}

// A service that claims to wait, and does not, is not asked without end.
func TestWait_MeasuresWhatWasHeld(t *testing.T) {
	a := newAPI(t, answer(200, job("queued", ""), "Preference-Applied", "wait=1"), answer(200, job("completed", "")))
	c, slept := newTestClient(t, a)
	_, err := c.Convert.Wait(t.Context(), "job_1", WaitOptions{})
	require.NoError(t, err)
	assert.Equal(t, []time.Duration{time.Second}, *slept)
}

// Proxies cut requests that take long.
func TestWait_WhereHeldRequestsAreCut(t *testing.T) {
	for name, cut := range map[string]http.HandlerFunc{"hangs up": hangUp, "504": answer(504, ""), "502": answer(502, ""), "408": answer(408, "")} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, cut, answer(200, job("queued", "")), answer(200, job("completed", "")))
			c, slept := newTestClient(t, a)
			_, err := c.Convert.Wait(t.Context(), "job_1", WaitOptions{})
			require.NoError(t, err)
			assert.Equal(t, []time.Duration{time.Second}, *slept, "the look after the one that was cut comes at once")
			var asked []string
			for _, r := range a.requests() {
				asked = append(asked, r.header.Get("Prefer"))
			}
			assert.Equal(t, []string{"wait=1", "", ""}, asked)
		})
	}
}

func TestWaitForAFailure(t *testing.T) {
	a := newAPI(t, answer(200, job("failed", `,"error":{"code":"CONVERSION_FAILED","message":"broken"}`)), answer(200, job("failed", `,"error":null`)))
	c, _ := newTestClient(t, a)
	_, err := c.Convert.Wait(t.Context(), "job_1", WaitOptions{})
	var failed *JobFailedError
	require.ErrorAs(t, err, &failed)
	require.EqualError(t, err, "job job_1 failed: CONVERSION_FAILED: broken")
	_, err = c.Convert.Wait(t.Context(), "job_1", WaitOptions{})
	require.ErrorContains(t, err, "UNKNOWN")
}

func TestWaitGivesUpWithoutTheJob(t *testing.T) {
	a := newAPI(t, answer(200, job("processing", "")))
	c, slept := newTestClient(t, a)
	_, err := c.Convert.Wait(t.Context(), "job_1", WaitOptions{Timeout: 10 * time.Second})
	require.ErrorIs(t, err, ErrWaitTimeout)
	var waited time.Duration
	for _, d := range *slept {
		waited += d
	}
	assert.LessOrEqual(t, waited, 10*time.Second)
}
