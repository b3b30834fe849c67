package backend_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// tight is a service whose data is on a small disk of its own.
type tight struct {
	*testkit.Service
	disk string
}

func startTight(t *testing.T, size string, engine engines.Engine, options ...testkit.Option) *tight {
	t.Helper()
	disk := testkit.Mount(t, size)
	first := []testkit.Option{testkit.WithEngines(engine), func(c *backend.Config) { c.DataDir, c.Workers = disk, 1 }}
	return &tight{disk: disk, Service: testkit.StartService(t, append(first, options...)...)}
}

// fill takes all space but for so many bytes.
func (s *tight) fill(t *testing.T, leave int64) (release func()) {
	t.Helper()
	path := filepath.Join(s.disk, "ballast")
	file, err := os.Create(path)
	require.NoError(t, err)
	n, err := io.Copy(file, endless{})
	require.Error(t, err, "the disk has an end")
	require.NoError(t, file.Truncate(max(0, n-leave)))
	require.NoError(t, file.Close())
	return func() { require.NoError(t, os.Remove(path)) }
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// work is what lies half-made.
func (s *tight) work(t *testing.T) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(s.disk, "work"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, path)
		}
		return err
	}))
	return names
}

func (s *tight) upload(t *testing.T, size int64) (*client.File, error) {
	t.Helper()
	return s.Client.Files.Upload(t.Context(), client.UploadParams{Name: "a.md", Size: size, Body: bytes.NewReader(make([]byte, size))})
}

func TestAnUploadThatDoesNotFit(t *testing.T) {
	s := startTight(t, "16m", still("md", "html", "x"))
	release := s.fill(t, 4<<20)
	_, err := s.upload(t, 12<<20) // much more than it takes to notice
	var api *client.APIError
	require.ErrorAs(t, err, &api)
	assert.Equal(t, 507, api.Status)
	assert.Equal(t, "S3_HTTP_507", api.Code)
	assert.Equal(t, "InsufficientStorage: The disk of the service is full; it continues when there is space.", api.Message)
	assert.Empty(t, s.work(t))
	_, err = s.upload(t, 1<<20)
	require.NoError(t, err, "what fits is taken")
	release()
	_, err = s.upload(t, 12<<20)
	require.NoError(t, err)
}

func TestRecordsThatDoNotFit(t *testing.T) {
	s := startTight(t, "8m", still("md", "html", "x"))
	file, err := s.upload(t, 10)
	require.NoError(t, err)
	release := s.fill(t, 0)
	for range 3 {
		_, err = s.Client.Convert.Create(t.Context(), client.CreateParams{FileID: file.FileID, SourceFormat: "md", TargetFormat: "html"}, client.WithoutRetries())
		var api *client.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, 507, api.Status)
		assert.Equal(t, "DISK_FULL", api.Code)
		assert.Equal(t, "The disk of the service is full; it continues when there is space.", api.Message)
	}
	release()
	job, err := s.Client.Convert.Create(t.Context(), client.CreateParams{FileID: file.FileID, SourceFormat: "md", TargetFormat: "html"})
	require.NoError(t, err)
	_, err = s.Client.Convert.Wait(t.Context(), job.JobID, client.WaitOptions{})
	require.NoError(t, err)
}

// A conversion that finds no space has not failed: it is done when there is some.
func TestAConversionThatDoesNotFit(t *testing.T) {
	tried := make(chan error, 100)
	s := startTight(t, "8m", engines.Engine{
		Name: "grows", Routes: []engines.Route{{Source: "md", Target: "html"}},
		Convert: func(_ context.Context, in engines.Request) (engines.Result, error) {
			path := filepath.Join(in.OutDir, in.Stem+".html")
			err := os.WriteFile(path, make([]byte, 2<<20), 0o600)
			tried <- err
			return engines.Result{Files: []engines.File{{Path: path, Filename: in.Stem + ".html", Mimetype: "text/html"}}}, err
		},
	})
	file, err := s.upload(t, 10)
	require.NoError(t, err)
	release := s.fill(t, 1<<20)
	job, err := s.Client.Convert.Create(t.Context(), client.CreateParams{FileID: file.FileID, SourceFormat: "md", TargetFormat: "html"})
	require.NoError(t, err)
	require.Error(t, <-tried)
	s.Wake()
	require.Error(t, <-tried)
	now, err := s.Client.Convert.Retrieve(t.Context(), job.JobID)
	require.NoError(t, err)
	assert.False(t, now.Status.Terminal(), "%s", now.Status)
	release()
	s.Wake()
	done, err := s.Client.Convert.Wait(t.Context(), job.JobID, client.WaitOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, 2<<20, done.ResultFiles[0].Size)
}

// The end of a job that cannot be recorded is recorded when it can.
func TestAnEndThatDoesNotFit(t *testing.T) {
	g := newGate()
	core, logs := observer.New(zap.WarnLevel)
	s := startTight(t, "8m", g.engine(), func(c *backend.Config) { c.Logger = zap.New(core) })
	file, err := s.upload(t, 10)
	require.NoError(t, err)
	job, err := s.Client.Convert.Create(t.Context(), client.CreateParams{FileID: file.FileID, SourceFormat: "md", TargetFormat: "html"})
	require.NoError(t, err)
	<-g.entered
	release := s.fill(t, 0)
	close(g.open)
	logged := func(message string) func() bool {
		return func() bool { return logs.FilterMessage(message).Len() > 0 }
	}
	require.Eventually(t, logged("no space for a conversion; it is tried again"), testkit.Patience, time.Millisecond)
	s.Wake()
	require.Eventually(t, logged("record the end of a job"), testkit.Patience, time.Millisecond)
	now, err := s.Client.Convert.Retrieve(t.Context(), job.JobID)
	require.NoError(t, err)
	assert.Equal(t, client.JobProcessing, now.Status)
	release()
	s.Wake()
	_, err = s.Client.Convert.Wait(t.Context(), job.JobID, client.WaitOptions{})
	require.NoError(t, err)
}
