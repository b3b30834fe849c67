package activities

import (
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// A dead process has noted down what it has up to this many bytes before its end: a stretch, and what one read gives.
const notedUpTo = (256 + 64) << 10

// The worker is killed in the middle of its download, again and again: what is on disk is not fetched again, but for
// the little that nothing vouches for.
func TestADownloadOutlivesItsProcess(t *testing.T) {
	const size, deaths = 24 << 20, 3
	b := newBench(t, testkit.WithEngines(copying()))
	source := filepath.Join(b.dir, "a.md")
	sum := writeRandom(t, source, size)
	first := b.fulfil(t, order{Source: source, Folder: filepath.Join(b.dir, "first")})
	require.Empty(t, first.Error)
	list, err := b.Client.Convert.List(t.Context(), client.ListParams{})
	require.NoError(t, err)
	require.Len(t, list.Jobs, 1)
	again := order{JobID: list.Jobs[0].JobID, Folder: filepath.Join(b.dir, "again")}

	var onDisk int64
	for death := range deaths {
		enough := onDisk + notedUpTo + rand.Int64N((size-onDisk)/int64(deaths+1-death))
		served := make(chan *stopping, 1)
		b.Around(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/storage/") {
					out := &stopping{ResponseWriter: w, gone: r.Context().Done(), left: enough - onDisk, sent: 0}
					defer func() { served <- out }()
					w = out
				}
				next.ServeHTTP(w, r)
			})
		})
		worker := startProcess(t, roleWorker)
		worker.tell(t, address{URL: b.URL, Key: b.Key()})
		worker.tell(t, again)
		require.Eventually(t, func() bool { return partSize(again.Folder) >= enough-notedUpTo }, testkit.Patience, 5*time.Millisecond)
		require.NoError(t, worker.cmd.Process.Kill())
		<-served
		_ = worker.cmd.Wait()
		onDisk = partSize(again.Folder)
		t.Logf("killed with %d bytes of %d on disk", onDisk, int64(size))
		assert.NoFileExists(t, filepath.Join(again.Folder, "out.txt"))
	}
	counted := countServed(b.Service)
	worker := startProcess(t, roleWorker)
	worker.tell(t, address{URL: b.URL, Key: b.Key()})
	worker.tell(t, again)
	var got done
	worker.answer(t, &got)
	require.Empty(t, got.Error)
	assert.Equal(t, sum, got.Results.Outputs[0].SHA256)
	assert.Equal(t, sum, fileSum(t, got.Results.Outputs[0].Path))
	assert.Equal(t, []string{"out.txt"}, namesIn(t, again.Folder))
	last := counted()
	t.Logf("%d bytes were served after the last death, %d were missing", last, size-onDisk)
	assert.LessOrEqual(t, last, size-onDisk+notedUpTo)
}

// stopping sends so many bytes and then waits for the client to be gone.
type stopping struct {
	http.ResponseWriter
	gone <-chan struct{}
	left int64
	sent int64
}

func (w *stopping) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(int64(len(p)), w.left)])
	w.sent, w.left = w.sent+int64(n), w.left-int64(n)
	if n < len(p) {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		<-w.gone
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// partSize is how much of its part a killed worker has left.
func partSize(folder string) (size int64) {
	found, _ := filepath.Glob(filepath.Join(folder, ".convilyn-*.part"))
	for _, path := range found {
		if info, err := os.Stat(path); err == nil {
			size += info.Size()
		}
	}
	return size
}

func namesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
