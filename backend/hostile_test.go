package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// hostile is an input made to do harm, and how the service must take it: as an ordinary file (want is empty), or with
// a refusal of this reason.
type hostile struct {
	name           string
	source, target string
	content        func() []byte
	want           string
	// late reports whether the time of a conversion may be up first, on a slow machine or always.
	late bool
}

// Bounds on every hostile input, in a process of its own. They are wide: a bomb that goes off misses them by far.
const (
	hostileTime   = 5 * time.Minute
	hostileJob    = 20 * time.Second // what the service gives a conversion; those that reach it must end then
	hostileMemory = 2304             // MB
	hostileSpace  = 10 << 30
)

// suffered is what a child says of its input.
type suffered struct {
	Code    string  `json:"code"` // empty for an output
	Reason  string  `json:"reason"`
	Message string  `json:"message"`
	Seconds float64 `json:"seconds"`
	PeakMB  int     `json:"peak_mb"`
}

const (
	hostileFile   = "CONVILYN_TEST_HOSTILE_FILE"
	hostileTarget = "CONVILYN_TEST_HOSTILE_TARGET"
	hostileMark   = "suffered: "
)

// One input of each format stands for all. CONVILYN_TEST_HOSTILE=all converts them all, which takes minutes.
func TestHostileInput(t *testing.T) {
	if testing.Short() || testkit.RaceDetector {
		t.Skip("each input takes a process, whose memory is measured")
	}
	var mu sync.Mutex
	var rows []string
	t.Cleanup(func() { t.Log("\n" + strings.Join(rows, "\n")) })
	tried := map[string]bool{}
	for _, h := range hostileInputs() {
		if tried[h.source] && os.Getenv("CONVILYN_TEST_HOSTILE") != "all" {
			continue
		}
		tried[h.source] = true
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			got := suffer(t, h)
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, fmt.Sprintf("%-42s %-9s %-5s %-36s %7.2f s %6d MB  %s", h.name, h.source, h.target, strings.Trim(got.Code+" "+got.Reason, " "), got.Seconds, got.PeakMB, got.Message))
			assert.NotContains(t, got.Message, "log says why", "a failure that has no name")
			assert.Less(t, got.PeakMB, hostileMemory)
			if h.late && strings.Contains(got.Message, "took longer") {
				return
			}
			if got.Reason == "" {
				got.Reason = got.Code
			}
			assert.Equal(t, h.want, got.Reason, "%+v", got)
		})
	}
}

// suffer converts a hostile input in a process of its own.
func suffer(t *testing.T, h hostile) suffered {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hostileTime)
	defer cancel()
	input := filepath.Join(t.TempDir(), "input."+h.source)
	require.NoError(t, os.WriteFile(input, h.content(), 0o600))
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHostileChild$", "-test.v")
	child.Env = append(os.Environ(), hostileFile+"="+input, hostileTarget+"="+h.target)
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	err := child.Run()
	require.NoError(t, ctx.Err(), "it took longer than %s", hostileTime)
	require.NoError(t, err, "%.4000s", out.String())
	_, said, found := strings.Cut(out.String(), hostileMark)
	require.True(t, found, out.String())
	var got suffered
	require.NoError(t, json.NewDecoder(strings.NewReader(said)).Decode(&got))
	return got
}

// TestHostileChild is the process of one input.
func TestHostileChild(t *testing.T) {
	path, target := os.Getenv(hostileFile), os.Getenv(hostileTarget)
	if path == "" {
		t.Skip("runs as a child of TestHostileInput")
	}
	// A bomb shall not take the machine along.
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: hostileSpace, Max: hostileSpace}))
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	s := testkit.StartService(t, testkit.WithEngines(text.New(), tables.New(), images.New(), pdf.New(filepath.Join(cache, "convilyn"))),
		func(c *backend.Config) { c.ConvertTimeout = hostileJob })
	source := strings.TrimPrefix(filepath.Ext(path), ".")
	input, err := os.Open(path)
	require.NoError(t, err)
	info, err := input.Stat()
	require.NoError(t, err)
	file, err := s.Client.Files.Upload(t.Context(), client.UploadParams{Name: info.Name(), Size: info.Size(), ContentType: client.ContentType(source), Body: input})
	require.NoError(t, err)
	require.NoError(t, input.Close())
	started := time.Now()
	job, err := s.Client.Convert.CreateAndWait(t.Context(), client.CreateParams{FileID: file.FileID, SourceFormat: source, TargetFormat: target},
		client.WaitOptions{Interval: 200 * time.Millisecond, Timeout: hostileTime})
	got := suffered{Seconds: time.Since(started).Seconds(), PeakMB: peakMemory(t)}
	var failed *client.JobFailedError
	switch {
	case errors.As(err, &failed):
		got.Code, got.Message = failed.Job.Error.Code, failed.Job.Error.Message
		if detail := failed.Job.Error.Detail; detail != nil {
			got.Reason = detail.Reason
		}
	default:
		require.NoError(t, err)
		require.NotEmpty(t, job.ResultFiles)
	}
	said, err := json.Marshal(got)
	require.NoError(t, err)
	t.Logf("%s%s\n", hostileMark, said)
}

// peakMemory is the most that this process ever had in memory, in MB.
func peakMemory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	require.True(t, found)
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kilobytes >> 10
}
