package activities

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
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

// The most that a process may grow while the largest file goes through it.
const mayGrow = 32 << 20 // bytes

// largest is the size of the file that goes up and comes down again.
func largest() int64 {
	if testkit.RaceDetector {
		return 48 << 20
	}
	return client.MaxUploadBytes
}

// writeRandom writes so many bytes that no one could guess or compress, and tells their SHA-256.
func writeRandom(t *testing.T, path string, size int64) string {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	hash := sha256.New()
	var seed [32]byte
	copy(seed[:], "any seed does, as long as it's one")
	_, err = io.CopyN(io.MultiWriter(file, hash), rand.NewChaCha8(seed), size)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return hex.EncodeToString(hash.Sum(nil))
}

func fileSum(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	require.NoError(t, err)
	return hex.EncodeToString(hash.Sum(nil))
}

// The service and the worker are processes of their own: what they take is what the kernel says.
func TestHalfAGigabyteTakesLittleMemory(t *testing.T) {
	testkit.SkipLong(t, "it moves half a gigabyte")
	dir := t.TempDir()
	service, worker := startProcess(t, roleService), startProcess(t, roleWorker)
	var at address
	service.answer(t, &at)
	worker.tell(t, at)

	// A small file first: what any file at all takes is no growth with its size.
	small := order{Source: filepath.Join(dir, "small.md"), Folder: filepath.Join(dir, "out")}
	writeRandom(t, small.Source, 1<<20)
	var got done
	worker.tell(t, small)
	worker.answer(t, &got)
	require.Empty(t, got.Error)

	large := order{Source: filepath.Join(dir, "large.md"), Folder: filepath.Join(dir, "out")}
	sum := writeRandom(t, large.Source, largest())
	before := map[string]int64{}
	all := map[string]*process{"service": service, "worker": worker}
	for name, p := range all {
		p.forgetPeak(t)
		before[name] = p.memory(t, "VmRSS")
	}
	curves := watchMemory(t, all)
	worker.tell(t, large)
	worker.answer(t, &got)
	lines := curves()
	require.Empty(t, got.Error)
	assert.Equal(t, largest(), got.Upload.Size)
	assert.Equal(t, sum, got.Upload.SHA256)
	require.Len(t, got.Results.Outputs, 1)
	assert.Equal(t, sum, got.Results.Outputs[0].SHA256)
	assert.Equal(t, sum, fileSum(t, got.Results.Outputs[0].Path))

	for name, p := range all {
		t.Run(name, func(t *testing.T) {
			grown := p.memory(t, "VmHWM") - before[name]
			t.Logf("%s: %.1f MiB before, grown by %.1f MiB at most while %d MiB went through it; MiB every %v: %s",
				name, mib(before[name]), mib(grown), largest()>>20, lookEvery, lines[name])
			if !testkit.RaceDetector { // which keeps a record of every word of every buffer
				assert.Less(t, grown, int64(mayGrow), name)
			}
		})
	}
}

const lookEvery = 250 * time.Millisecond

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// watchMemory looks at processes until its result is asked for: a curve each, in MiB.
func watchMemory(t *testing.T, all map[string]*process) (curves func() map[string]string) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan map[string]string)
	go func() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		seen := map[string]*strings.Builder{}
		for name := range all {
			seen[name] = &strings.Builder{}
		}
		for {
			for name, p := range all {
				_, _ = fmt.Fprintf(seen[name], " %.0f", mib(p.memory(t, "VmRSS")))
			}
			select {
			case <-ticker.C:
			case <-stop:
				out := map[string]string{}
				for name, line := range seen {
					out[name] = strings.TrimSpace(line.String())
				}
				stopped <- out
				return
			}
		}
	}()
	return func() map[string]string {
		close(stop)
		return <-stopped
	}
}
