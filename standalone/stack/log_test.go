package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/private"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func TestLog_IsBounded(t *testing.T) {
	testkit.SkipIfShort(t, "it writes 150 MB")
	cfg, err := config.Load(func(string) string { return "" })
	require.NoError(t, err)
	o := Options{Dir: t.TempDir(), Config: cfg}
	require.NoError(t, os.Chmod(o.Dir, 0o700))
	logger, end, err := openLog(o)
	require.NoError(t, err)
	const files = logsKept + 3
	text := strings.Repeat("x", 1<<20)

	for range files * logMegabytes {
		logger.Info("told", zap.String("text", text))
	}
	end()

	bounded := func() bool {
		logs, err := filepath.Glob(filepath.Join(o.Dir, "*.log"))
		require.NoError(t, err)
		return len(logs) <= logsKept+1 // older ones are removed behind its back
	}
	require.Eventually(t, bounded, testkit.Patience, 10*time.Millisecond)
	logs, err := filepath.Glob(filepath.Join(o.Dir, "*.log"))
	require.NoError(t, err)
	for _, path := range logs {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.LessOrEqual(t, info.Size(), int64(logMegabytes<<20))
	}
	open, err := private.Exposed(o.Dir, ours)
	require.NoError(t, err)
	assert.Empty(t, open)
}

// Temporal's last goroutines log after the end of the stack, whose folder may be gone, or another stack's.
func TestLog_EndsWithItsStack(t *testing.T) {
	dir := t.TempDir()
	logger, closeLog, err := openLog(Options{Dir: dir})
	require.NoError(t, err)
	closeLog()
	require.NoError(t, os.Remove(filepath.Join(dir, "stack.log")))
	logger.Error("too late")
	require.NoFileExists(t, filepath.Join(dir, "stack.log"))
}
