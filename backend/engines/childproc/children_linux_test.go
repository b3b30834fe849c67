package childproc_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func config(t *testing.T, as string) childproc.Config {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return childproc.Config{
		Path: self, Env: []string{asChild + "=" + as}, Dir: t.TempDir(), Writes: []string{os.TempDir()}, Limits: sandbox.Limits{Memory: testkit.SmallLimit, Disk: testkit.SmallLimit, Processes: 20},
	}
}

func open(t *testing.T, cfg childproc.Config) *childproc.Children {
	t.Helper()
	children := childproc.New(cfg)
	t.Cleanup(func() {
		children.Close()
		left, err := os.ReadDir(cfg.Dir)
		require.NoError(t, err)
		assert.Empty(t, left, "folders of children are removed with them")
	})
	return children
}

// convert gives the content of the one output.
func convert(ctx context.Context, t *testing.T, children *childproc.Children, engine, stem string) (string, error) {
	t.Helper()
	out := t.TempDir()
	result, err := children.Convert(ctx, engine, engines.Request{OutDir: out, Stem: stem, Progress: func(percent int, message string) {
		assert.Equal(t, 40, percent)
		assert.Equal(t, "half", message)
	}})
	if err != nil {
		return "", err
	}
	require.Len(t, result.Files, 1)
	assert.Equal(t, engines.File{Path: filepath.Join(out, "result"), Filename: stem, Mimetype: "text/plain"}, result.Files[0])
	assert.Equal(t, []string{"best_effort: a bit"}, result.Warnings)
	data, err := os.ReadFile(result.Files[0].Path)
	require.NoError(t, err)
	return string(data), nil
}

func TestAChildStaysForManyConversions(t *testing.T) {
	children := open(t, config(t, "hostile"))
	first, err := convert(t.Context(), t, children, "pid", "a")
	require.NoError(t, err)
	for _, engine := range []string{"refuses", "fails", "panics"} {
		_, err = convert(t.Context(), t, children, engine, "a")
		require.Error(t, err)
	}
	second, err := convert(t.Context(), t, children, "pid", "b")
	require.NoError(t, err)
	assert.Equal(t, first, second)
}

func TestFailuresComeThrough(t *testing.T) {
	children := open(t, config(t, "hostile"))
	_, err := convert(t.Context(), t, children, "refuses", "a")
	assert.Equal(t, refusal(), err)
	_, err = convert(t.Context(), t, children, "fails", "a")
	_, ok := engines.AsError(err)
	assert.False(t, ok, "what the user cannot act on stays in the log")
	require.EqualError(t, err, "the disk of the service is full")
	_, err = convert(t.Context(), t, children, "panics", "a")
	require.ErrorContains(t, err, "engine panics panicked: poisoned")
	_, err = convert(t.Context(), t, children, "unheard-of", "a")
	require.ErrorContains(t, err, "there is no engine unheard-of")
}

// Each of these costs its conversion and nothing else: one that runs beside it ends well, and so does the next.
func TestHostileConversions(t *testing.T) {
	testkit.SkipIfShort(t, "it starts processes that take all they get")
	for engine, want := range map[string]string{
		"eats":     "the conversion needed more than " + testkit.SmallLimitText + " of memory and was stopped",
		"grabs":    "the conversion needed more than " + testkit.SmallLimitText + " of memory and was stopped",
		"litters":  "the conversion wrote more than " + testkit.SmallLimitText + " and was stopped",
		"recurses": "the conversion broke down on this file",
		"leaves":   "the conversion broke down on this file",
	} {
		t.Run(engine, func(t *testing.T) {
			if engine == "grabs" && testkit.RaceDetector {
				t.Skip("the race detector has an end of its own for this")
			}
			children := open(t, config(t, "hostile"))
			var beside sync.WaitGroup
			beside.Go(func() {
				for range 5 {
					said, err := convert(t.Context(), t, children, "polite", "beside")
					assert.NoError(t, err)
					assert.Equal(t, "beside", said)
				}
			})
			start := time.Now()
			_, err := convert(t.Context(), t, children, engine, "a")
			t.Logf("ended after %s", time.Since(start))
			e, ok := engines.AsError(err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, engines.CodeConversionFailed, e.Code)
			assert.Equal(t, want, e.Message)
			beside.Wait()
			said, err := convert(t.Context(), t, children, "polite", "next")
			require.NoError(t, err)
			assert.Equal(t, "next", said)
		})
	}
}

// The kernel refuses to make a file larger than the limit; that is told as what others catch.
func TestOneLargeFile(t *testing.T) {
	children := open(t, config(t, "hostile"))
	_, err := convert(t.Context(), t, children, "writes", "a")
	e, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "the conversion wrote more than "+testkit.SmallLimitText+" and was stopped", e.Message)
	require.ErrorIs(t, err, sandbox.ErrLimit)
}

func TestTimeIsUp(t *testing.T) {
	children := open(t, config(t, "hostile"))
	before, err := convert(t.Context(), t, children, "pid", "a")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = convert(ctx, t, children, "spins", "a")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Zero(t, testkit.ProcessOf(t, before), "the child has ended with its conversion")
	_, err = convert(ctx, t, children, "polite", "a")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = convert(t.Context(), t, children, "polite", "a")
	require.NoError(t, err)
}

func TestNoNetwork(t *testing.T) {
	testkit.Confined(t, "no network")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, err = convert(t.Context(), t, open(t, config(t, "hostile")), "dials", listener.Addr().String())
	require.ErrorContains(t, err, "network is unreachable")
}

func TestChildrenThatAreNone(t *testing.T) {
	_, err := convert(t.Context(), t, open(t, config(t, "babbles")), "polite", "a")
	e, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "the conversion broke down on this file", e.Message)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = convert(ctx, t, open(t, config(t, "mute")), "polite", "a")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	missing := config(t, "hostile")
	missing.Path = "no-such-program"
	_, err = convert(t.Context(), t, open(t, missing), "polite", "a")
	require.ErrorIs(t, err, exec.ErrNotFound)
}

// A child that keeps much memory, and one that was killed between conversions, are replaced.
func TestSpoiledChildrenAreReplaced(t *testing.T) {
	children := open(t, config(t, "hostile"))
	for _, spoil := range []func(call string){
		func(string) {
			_, err := convert(t.Context(), t, children, "keeps", "a")
			require.NoError(t, err)
		},
		func(call string) {
			require.NoError(t, syscall.Kill(testkit.ProcessOf(t, call), syscall.SIGKILL))
			gone(t, call)
		},
	} {
		before, err := convert(t.Context(), t, children, "pid", "a")
		require.NoError(t, err)
		spoil(before)
		after, err := convert(t.Context(), t, children, "pid", "a")
		require.NoError(t, err)
		assert.NotEqual(t, before, after)
	}
}

// A child that dies while it rests is not always seen to be dead before it gets a request.
func TestARequestThatARestingChildDoesNotTakeGoesToTheNext(t *testing.T) {
	children := open(t, config(t, "hostile"))
	before, err := convert(t.Context(), t, children, "deafens", "a")
	require.NoError(t, err)
	after, err := convert(t.Context(), t, children, "pid", "a")
	require.NoError(t, err)
	assert.NotEqual(t, before, after)
	gone(t, before)
}

func gone(t *testing.T, call string) {
	t.Helper()
	require.Eventually(t, func() bool { return testkit.ProcessOf(t, call) == 0 }, testkit.Patience, 5*time.Millisecond, "process %s has ended", call)
}

func TestIdleChildrenEnd(t *testing.T) {
	cfg := config(t, "hostile")
	cfg.Idle = time.Millisecond
	children := open(t, cfg)
	pid, err := convert(t.Context(), t, children, "pid", "a")
	require.NoError(t, err)
	gone(t, pid)
	_, err = convert(t.Context(), t, children, "polite", "a")
	require.NoError(t, err)
}

func TestNothingOutlivesAKilledParent(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.Command(self, dir)
	cmd.Env = append(os.Environ(), asChild+"=parent")
	require.NoError(t, cmd.Start())
	var pid []byte
	require.Eventually(t, func() bool {
		pid, err = os.ReadFile(filepath.Join(dir, "result"))
		return err == nil
	}, testkit.Patience, 5*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	gone(t, string(pid))
}
