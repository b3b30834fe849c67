package backend_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// gate is an engine that converts md to html when it is let.
type gate struct {
	open    chan struct{}
	entered chan struct{}
	calls   atomic.Int32
	broken  atomic.Int32
}

func newGate() *gate {
	return &gate{open: make(chan struct{}), entered: make(chan struct{}, 100)}
}

func (g *gate) engine() engines.Engine {
	e := still("md", "html", "gate")
	convert := e.Convert
	e.Convert = func(ctx context.Context, in engines.Request) (engines.Result, error) {
		g.calls.Add(1)
		in.Progress(30, "at the gate")
		in.Progress(10, "never backwards")
		g.entered <- struct{}{}
		select {
		case <-g.open:
			return convert(ctx, in)
		case <-ctx.Done():
			g.broken.Add(1)
			return engines.Result{}, ctx.Err()
		}
	}
	return e
}

func TestProgressAndFileInUse(t *testing.T) {
	g := newGate()
	s := testkit.StartService(t, testkit.WithEngines(g.engine()))
	file := upload(t, s, "a.md", "a")
	job, err := s.Client.Convert.Create(t.Context(), params(file.FileID))
	require.NoError(t, err)
	<-g.entered
	running, err := s.Client.Convert.Retrieve(t.Context(), job.JobID)
	require.NoError(t, err)
	assert.Equal(t, client.JobProcessing, running.Status)
	assert.InDelta(t, 0.3, *running.Progress, 1e-9)
	assert.Equal(t, "never backwards", running.ProgressMessage)
	require.True(t, client.IsFileInUse(s.Client.Files.Delete(t.Context(), file.FileID)))
	s.Clock.Advance(2 * time.Hour)
	require.NoError(t, s.Sweep(t.Context()))
	close(g.open)
	done, err := s.Client.Convert.Wait(t.Context(), job.JobID, quick)
	require.NoError(t, err, "an input that a job needs outlives its hour")
	assert.Equal(t, "A", read(t, s, done))
	require.NoError(t, s.Client.Files.Delete(t.Context(), file.FileID))
}

func TestQueuedAndHalfDoneJobsGoOnAfterARestart(t *testing.T) {
	g := newGate()
	s := testkit.StartService(t, testkit.WithEngines(g.engine()), func(c *backend.Config) { c.Workers = 1 })
	file := upload(t, s, "a.md", "a")
	half, err := s.Client.Convert.Create(t.Context(), params(file.FileID))
	require.NoError(t, err)
	queued, err := s.Client.Convert.Create(t.Context(), params(file.FileID))
	require.NoError(t, err)
	<-g.entered
	s.Restart()
	close(g.open)
	for _, id := range []string{half.JobID, queued.JobID} {
		_, err = s.Client.Convert.Wait(t.Context(), id, quick)
		require.NoError(t, err)
	}
	assert.EqualValues(t, 1, g.broken.Load())
	assert.EqualValues(t, 3, g.calls.Load())
	s.Restart()
	again, err := s.Client.Convert.Retrieve(t.Context(), half.JobID)
	require.NoError(t, err)
	assert.Equal(t, "A", read(t, s, again))
	assert.EqualValues(t, 3, g.calls.Load(), "what is done is not done again")
}

func TestThingsExpire(t *testing.T) {
	s := testkit.StartService(t)
	file := upload(t, s, "a.md", "# A")
	job, err := s.Client.Convert.CreateAndWait(t.Context(), params(file.FileID), quick)
	require.NoError(t, err)
	link := job.ResultFiles[0]
	s.Clock.Advance(61 * time.Minute)
	require.NoError(t, s.Sweep(t.Context()))
	part := filepath.Join(t.TempDir(), "p")
	_, err = s.Client.Convert.Fetch(t.Context(), link, client.FetchOptions{PartPath: part})
	require.True(t, client.IsExpiredGrant(err), "%v", err)
	fresh, err := s.Client.Convert.Retrieve(t.Context(), job.JobID)
	require.NoError(t, err)
	_, err = s.Client.Convert.Fetch(t.Context(), fresh.ResultFiles[0], client.FetchOptions{PartPath: part})
	require.NoError(t, err, "asking again brings a fresh link")
	_, err = s.Client.Convert.Create(t.Context(), params(file.FileID))
	require.True(t, client.IsInputExpired(err), "%v", err)
	s.Clock.Advance(24 * time.Hour)
	require.NoError(t, s.Sweep(t.Context()))
	_, err = s.Client.Convert.Retrieve(t.Context(), job.JobID)
	require.True(t, client.IsNotFound(err))
	_, err = s.Client.Convert.Fetch(t.Context(), fresh.ResultFiles[0], client.FetchOptions{PartPath: part})
	require.True(t, client.IsStorage(err))
}

func TestFailuresOfEngines(t *testing.T) {
	fail := func(f func(in engines.Request) (engines.Result, error)) engines.Engine {
		return engines.Engine{
			Name: "odd", Routes: []engines.Route{{Source: "md", Target: "html", Quality: engines.Exact}},
			Convert: func(_ context.Context, in engines.Request) (engines.Result, error) { return f(in) },
		}
	}
	write := func(in engines.Request, name, content string) engines.Result {
		path := filepath.Join(in.OutDir, name)
		_ = os.WriteFile(path, []byte(content), 0o600)
		return engines.Result{Files: []engines.File{{Path: path, Filename: "x.html", Mimetype: "x/y"}}}
	}
	three := 3
	for name, test := range map[string]struct {
		engine engines.Engine
		want   client.JobError
	}{
		"panics": {fail(func(engines.Request) (engines.Result, error) { panic("with a secret") }), client.JobError{Code: "CONVERSION_FAILED", Message: "The conversion failed; the service's log says why."}},
		"fails":  {fail(func(engines.Request) (engines.Result, error) { return engines.Result{}, os.ErrInvalid }), client.JobError{Code: "CONVERSION_FAILED", Message: "The conversion failed; the service's log says why."}},
		"exits 0 and makes nothing": {
			fail(func(engines.Request) (engines.Result, error) { return engines.Result{}, nil }),
			client.JobError{Code: "CONVERSION_FAILED", Message: "the engine made no output"},
		},
		"makes an empty file": {fail(func(in engines.Request) (engines.Result, error) { return write(in, "x", ""), nil }), client.JobError{Code: "CONVERSION_FAILED", Message: "the engine made an empty output"}},
		"writes elsewhere": {
			fail(func(in engines.Request) (engines.Result, error) { return write(in, "../x", "x"), nil }),
			client.JobError{Code: "CONVERSION_FAILED", Message: "The conversion failed; the service's log says why."},
		},
		"refuses": {
			fail(func(engines.Request) (engines.Result, error) {
				return engines.Result{}, &engines.Error{Code: "UNSUPPORTED_INPUT", Message: "m", Reason: "MULTI", SheetCount: 3, FaithfulTargets: []string{"ods"}}
			}),
			client.JobError{Code: "UNSUPPORTED_INPUT", Message: "m", Detail: &client.JobErrorDetail{Reason: "MULTI", SheetCount: &three, FaithfulTargets: []string{"ods"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := testkit.StartService(t, testkit.WithEngines(test.engine))
			file := upload(t, s, "a.md", "a")
			job, err := s.Client.Convert.CreateAndWait(t.Context(), params(file.FileID), quick)
			var failed *client.JobFailedError
			require.ErrorAs(t, err, &failed, name)
			assert.Equal(t, &test.want, job.Error, name)
			assert.Empty(t, job.ResultFiles, name)
		})
	}
}

func TestAConversionThatTakesTooLong(t *testing.T) {
	g := newGate()
	s := testkit.StartService(t, testkit.WithEngines(g.engine()), func(c *backend.Config) { c.ConvertTimeout = time.Millisecond })
	file := upload(t, s, "a.md", "a")
	_, err := s.Client.Convert.CreateAndWait(t.Context(), params(file.FileID), quick)
	require.ErrorContains(t, err, "took longer than 1ms")
}

func TestStorageGrants(t *testing.T) {
	s := testkit.StartService(t)
	grant := func(size string) (fields map[string]string, id, key string) {
		status, _, body := raw(t, s, "POST", "/api/v1/upload/presign", `{"fileName":"../a b.md","fileSize":`+size+`,"contentType":"text/markdown"}`)
		require.Equal(t, 200, status, body)
		reply := decode[client.WirePresignReply](t, body)
		assert.NotContains(t, strings.TrimPrefix(reply.S3Key, "input/"+reply.FileID+"/"), "/", "a name is no path")
		return reply.Fields, reply.FileID, reply.S3Key
	}
	form := func(fields map[string]string, file string) (body, contentType string) {
		var b strings.Builder
		for name, value := range fields {
			b.WriteString("--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n")
		}
		b.WriteString("--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n" + file + "\r\n--B--\r\n")
		return b.String(), "multipart/form-data; boundary=B"
	}
	send := func(fields map[string]string, file string) (int, string) {
		body, contentType := form(fields, file)
		status, _, reply := raw(t, s, "POST", "/storage/upload", body, "Content-Type", contentType, "Authorization", "")
		return status, reply
	}
	confirm := func(id, key, size string) (int, string) {
		status, _, body := raw(t, s, "POST", "/api/v1/upload/confirm", `{"fileId":"`+id+`","fileName":"a","fileSize":`+size+`,"contentType":"x/y","s3Key":"`+key+`"}`)
		return status, body
	}

	fields, id, key := grant("5")
	status, body := confirm(id, key, "5")
	assert.Equal(t, 422, status, "nothing was uploaded: %s", body)
	for name := range fields {
		altered := map[string]string{}
		for k, v := range fields {
			altered[k] = v
		}
		altered[name] += "x"
		status, body = send(altered, "hello")
		if name == "Content-Type" || status == 204 {
			continue // not signed
		}
		assert.Equal(t, 403, status, "%s altered: %s", name, body)
	}
	status, body = send(fields, "hello!")
	assert.Equal(t, 400, status, body)
	assert.Contains(t, body, "EntityTooLarge")
	status, body = send(fields, "")
	assert.Equal(t, 400, status, body)
	status, body = send(fields, "hell")
	assert.Equal(t, 204, status, body)
	status, body = confirm(id, key, "5")
	assert.Equal(t, 422, status)
	assert.Contains(t, body, "SIZE_MISMATCH")
	status, _ = send(fields, "hello")
	assert.Equal(t, 204, status, "until it is confirmed, the last upload counts")
	status, body = confirm(id, "input/other/key", "5")
	assert.Equal(t, 422, status)
	assert.Contains(t, body, "BAD_KEY")
	status, body = confirm(id, key, "5")
	assert.Equal(t, 200, status, body)
	status, _ = send(fields, "HELLO")
	assert.Equal(t, 204, status, "a repeat is welcome, and changes nothing")
	job, err := s.Client.Convert.CreateAndWait(t.Context(), params(id), quick)
	require.NoError(t, err)
	assert.Contains(t, read(t, s, job), "hello")

	fields, _, _ = grant("5")
	s.Clock.Advance(16 * time.Minute)
	status, body = send(fields, "hello")
	assert.Equal(t, 403, status, "a grant expires: %s", body)
	for _, bad := range []string{"/storage/results/" + job.JobID + "/0", "/storage/results/" + job.JobID + "/0?expires=99999999999&signature=00"} {
		status, _, body = raw(t, s, "GET", bad, "")
		assert.Equal(t, 403, status, body)
	}
	status, _, body = raw(t, s, "POST", "/storage/upload", "x")
	assert.Equal(t, 412, status, body)
}

func TestOneServiceAFolder(t *testing.T) {
	t.Parallel()
	s := testkit.StartService(t)
	config := backend.Config{DataDir: s.DataDir(), Registry: engines.NewRegistry(t.Context())}
	_, err := backend.Open(t.Context(), config)
	require.ErrorContains(t, err, "another service runs on "+s.DataDir())
	s.Restart() // an end lets go of it
}
