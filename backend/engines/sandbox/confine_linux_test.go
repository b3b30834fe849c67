package sandbox_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

func hostile(t *testing.T, as string, args ...string) sandbox.Command {
	t.Helper()
	return sandbox.Command{
		Name: self(t), Title: "Hostile", Home: t.TempDir(), Args: args, Env: []string{role + "=" + as},
		Limits: sandbox.Limits{Memory: testkit.SmallLimit, Disk: testkit.SmallLimit, Processes: 20},
	}
}

// bothWays runs a test with what this system allows, and as on one that allows no namespaces.
func bothWays(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run("as allowed", test)
	t.Run("no namespaces", func(t *testing.T) {
		sandbox.WithoutNamespaces(t)
		test(t)
	})
}

// free is true when no process holds the lock of wait any more.
func free(t *testing.T, path string) bool {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, testkit.Patience, 5*time.Millisecond, what)
}

func TestWhatAProgramNeedsTooMuchOf(t *testing.T) {
	testkit.SkipIfShort(t, "it starts programs")
	for name, want := range map[string]string{
		"eats":    "Hostile needed more than " + testkit.SmallLimitText + " of memory and was stopped",
		"shares":  "Hostile needed more than " + testkit.SmallLimitText + " of memory and was stopped",
		"litters": "Hostile wrote more than " + testkit.SmallLimitText + " and was stopped",
		"writes":  "Hostile wrote more than " + testkit.SmallLimitText + " and was stopped",
		"forks":   "Hostile started more than 20 processes and was stopped",
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T) {
				t.Helper()
				command := hostile(t, name)
				lock := filepath.Join(command.Home, "lock")
				command.Args = []string{lock}
				start := time.Now()
				said, err := sandbox.Run(t.Context(), command)
				t.Logf("ended after %s; the largest process of all tests so far held %d MB", time.Since(start), largest(t)>>20)
				e, ok := engines.AsError(err)
				if name == "forks" && !ok { // the kernel was first, as it is for those who are not root
					assert.Contains(t, said, "resource temporarily unavailable")
					return
				}
				require.True(t, ok, "%v", err)
				assert.Equal(t, engines.CodeConversionFailed, e.Code)
				assert.Equal(t, want, e.Message)
				if name == "forks" {
					assert.True(t, free(t, lock), "nothing of it lives")
				}
			})
		})
	}
}

// largest is the most that a child of this process has held, in bytes.
func largest(t *testing.T) int64 {
	t.Helper()
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage))
	return usage.Maxrss << 10
}

func TestTimeIsUp(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := sandbox.Run(ctx, hostile(t, "spins"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// The deadline is kept by this process; processor time is what the kernel takes care of without it.
func TestProcessorTimeIsBounded(t *testing.T) {
	testkit.SkipIfShort(t, "it starts programs")
	bothWays(t, func(t *testing.T) {
		t.Helper()
		p, err := sandbox.StartFor(hostile(t, "spins"), time.Second)
		require.NoError(t, err)
		<-p.Ended()
		require.ErrorContains(t, p.Verdict(), "Hostile needed more processor time than it may and was stopped")
	})
}

func TestLimitsHoldFromTheFirstInstruction(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		t.Helper()
		said, err := sandbox.Run(t.Context(), hostile(t, "limits"))
		require.NoError(t, err)
		for name, most := range map[string]string{"Max data size": strconv.Itoa(2 * testkit.SmallLimit), "Max file size": strconv.Itoa(testkit.SmallLimit), "Max core file size": "0", "Max open files": "4096"} {
			_, rest, found := strings.Cut(said, name)
			require.True(t, found, said)
			assert.Equal(t, []string{most, most}, strings.Fields(rest)[:2], name)
		}
	})
}

// Grandchildren in sessions of their own, whose parent has ended, are out of the group.
func TestNothingEscapes(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		t.Helper()
		command := hostile(t, "escapes")
		dir := command.Home
		command.Args = []string{dir}
		_, err := sandbox.Run(t.Context(), command)
		require.NoError(t, err)
		for _, name := range []string{"first", "second"} {
			eventually(t, func() bool { return free(t, filepath.Join(dir, name)) }, name)
		}
	})
}

func TestNoNetwork(t *testing.T) {
	testkit.Confined(t, "no network")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	command := hostile(t, "dials", listener.Addr().String())
	said, err := sandbox.Run(t.Context(), command)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Contains(t, said, "network is unreachable")
	sandbox.WithoutNamespaces(t)
	_, err = sandbox.Run(t.Context(), command)
	require.NoError(t, err, "it is the namespace that keeps it away")
}

func TestNothingOutlivesAKilledParent(t *testing.T) {
	for child, lock := range map[string]string{"waits": "lock", "escapes": "lock/first"} {
		t.Run(child, func(t *testing.T) {
			if child == "escapes" {
				testkit.Confined(t, "no process outlives")
			}
			dir := t.TempDir()
			if child == "escapes" {
				require.NoError(t, os.Mkdir(filepath.Join(dir, "lock"), 0o700))
			}
			cmd := exec.Command(self(t), dir, child)
			cmd.Env = append(os.Environ(), role+"=parent")
			require.NoError(t, cmd.Start())
			held := filepath.Join(dir, lock)
			eventually(t, func() bool { _, err := os.Stat(held); return err == nil }, "it runs")
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, cmd.Wait())
			eventually(t, func() bool { return free(t, held) }, "it has ended")
		})
	}
}

func TestEnvironmentStaysOurs(t *testing.T) {
	t.Setenv("CONVILYN_API_KEY", "a-key-that-nobody-sees")
	home := t.TempDir()
	said, err := sandbox.Run(t.Context(), sandbox.Command{Name: "env", Home: home, Env: []string{"ONE=1"}})
	require.NoError(t, err)
	assert.NotContains(t, said, "a-key-that-nobody-sees")
	for _, part := range []string{"ONE=1\n", "HOME=" + home + "\n", "TMPDIR=" + home + "\n"} {
		assert.Contains(t, said, part)
	}
}

func TestOrdinaryEnds(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		t.Helper()
		said, err := sandbox.Run(t.Context(), sandbox.Command{Name: "sh", Home: t.TempDir(), Args: []string{"-c", "echo said; echo wrong >&2; exit 3"}})
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		assert.Equal(t, 3, exit.ExitCode())
		assert.Equal(t, "said\nwrong\n", said)
		said, err = sandbox.Run(t.Context(), sandbox.Command{Name: "sh", Home: t.TempDir(), Args: []string{"-c", "yes | head -c 100000; echo last"}})
		require.NoError(t, err)
		assert.Len(t, said, 4096)
		assert.True(t, strings.HasSuffix(said, "last\n"))
		_, err = sandbox.Run(t.Context(), sandbox.Command{Name: "no-such-program", Home: t.TempDir()})
		require.ErrorIs(t, err, exec.ErrNotFound)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = sandbox.Run(gone, sandbox.Command{Name: "true", Home: t.TempDir()})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// A program finds what it was given, and else only what belongs to the system.
func TestRun_ShowsAProgramNothingElse(t *testing.T) {
	testkit.Confined(t, "no files but their own")
	secret, reads, writes, folder := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	for _, dir := range []string{secret, reads, writes, folder} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "inside"), nil, 0o600))
	}
	command := hostile(t, "lists", secret, reads, writes, folder, "/home", "/root", "/etc/ssh", "/var/lib", "/sys", "/usr/bin", "/proc", "/tmp", "/dev", "/")
	command.Reads, command.Writes, command.Folders = []string{reads}, []string{writes}, []string{folder}
	said, err := sandbox.Run(t.Context(), command)
	require.NoError(t, err, said)

	for _, closed := range []string{secret, "/home", "/root", "/etc/ssh", "/sys"} {
		assert.Contains(t, said, closed+" unreadable\n")
	}
	for _, dir := range []string{reads, writes, folder} {
		assert.Contains(t, said, filepath.Join(dir, "inside")+"\n")
	}
	for _, dir := range []string{writes, folder, "/tmp"} {
		assert.Contains(t, said, dir+" writable\n")
	}
	for _, dir := range []string{reads, "/usr/bin"} {
		assert.NotContains(t, said, dir+" writable\n")
	}
	assert.Contains(t, said, "/proc/1\n")
	assert.NotContains(t, said, "/proc/"+strconv.Itoa(os.Getpid())+"\n", "other processes are not to be seen")
	assert.NoFileExists(t, "/tmp/written", "its /tmp is its own")
	assert.NoFileExists(t, "/written")
}
