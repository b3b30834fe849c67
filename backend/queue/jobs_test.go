package queue_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/queue"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// asked are engines that hand over what they are asked for, and make nothing of it.
type asked chan engines.Request

func (a asked) Options(string, string) []option.Option { return option.Known() }

func (a asked) Find(string, string, ...string) (engines.Engine, engines.Route, error) {
	return engines.Engine{Convert: func(_ context.Context, in engines.Request) (engines.Result, error) {
		a <- in
		return engines.Result{}, engines.Errorf(engines.CodeConversionFailed, "nothing is made here")
	}}, engines.Route{}, nil
}

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dir, time.Now)
	require.NoError(t, err)
	return s
}

func startJobs(t *testing.T, s *store.Store, found queue.Engines) *queue.Jobs {
	t.Helper()
	jobs := queue.NewJobs(queue.Config{Store: s, Engines: found, Workers: 1, Timeout: time.Minute, Logger: zap.NewNop(), Now: time.Now})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	require.NoError(t, jobs.Start(ctx))
	t.Cleanup(func() {
		stop()
		<-jobs.Stopped()
		require.NoError(t, s.Close())
	})
	return jobs
}

// Each way of asking, as it came over HTTP, and as an engine gets it.
var ways = map[string]struct {
	processor string
	family    client.Family
	file      string
	params    client.WireJobParams
	want      engines.Request
}{
	"document": {
		client.ProcessorDocument, client.FamilyDocument, "a report.docx",
		client.WireJobParams{SourceFormat: "docx", TargetFormat: "pdf", PageRange: "2-3", Quality: json.RawMessage(`"high"`)},
		engines.Request{Source: "docx", Target: "pdf", Stem: "a report", Preset: "high", Pages: engines.PageRange{{First: 2, Last: 3}}},
	},
	"image": {
		client.ProcessorImage, client.FamilyImage, "photo.png",
		client.WireJobParams{OutputFormat: "jpg", Quality: json.RawMessage(`70`)},
		engines.Request{Source: "png", Target: "jpg", Stem: "photo", ImageQuality: 70},
	},
}

func assertAsked(t *testing.T, want, got engines.Request) {
	t.Helper()
	want.Owner = "a" // of the job, not of its record
	assert.NotEmpty(t, got.InputPath)
	assert.NotEmpty(t, got.OutDir)
	assert.NotNil(t, got.Progress)
	got.InputPath, got.OutDir, got.Progress = "", "", nil
	assert.Equal(t, want, got)
}

func insertFile(t *testing.T, s *store.Store, name string) store.File {
	t.Helper()
	file := store.File{ID: "f", Account: "a", Name: name, State: store.FileConfirmed, Created: time.Now()}
	require.NoError(t, s.InsertFile(t.Context(), file))
	return file
}

func TestSubmit_HandsTheParsedRequestToTheEngine(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			file := insertFile(t, s, way.file)
			engine := make(asked, 1)
			jobs := startJobs(t, s, engine)
			job := store.Job{ID: "j", Account: "a", FileID: "f", Processor: way.processor, Params: way.params, Created: time.Now()}
			queued, err := jobs.Submit(t.Context(), job, file, way.family)
			require.NoError(t, err)
			assert.Equal(t, way.want, queued.Request)
			assertAsked(t, way.want, <-engine)
		})
	}
}

// A job that the version before queued has no request in its record.
func TestStart_ParsesJobsOfAnEarlierVersion(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir)
			insertFile(t, s, way.file)
			require.NoError(t, s.InsertJob(t.Context(), store.Job{
				ID: "j", Account: "a", FileID: "f", Processor: way.processor, Params: way.params, Created: time.Now(),
				Request: engines.Request{Source: way.want.Source, Target: way.want.Target},
			}))
			require.NoError(t, s.Close())
			before, err := sql.Open("sqlite", filepath.Join(dir, "backend.db"))
			require.NoError(t, err)
			_, err = before.ExecContext(t.Context(), `ALTER TABLE jobs DROP COLUMN request`)
			require.NoError(t, err)
			require.NoError(t, before.Close())

			engine := make(asked, 1)
			startJobs(t, openStore(t, dir), engine)
			assertAsked(t, way.want, <-engine)
		})
	}
}
