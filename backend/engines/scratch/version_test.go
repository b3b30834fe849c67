package scratch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVersion_IsAskedOncePerFile(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	path := filepath.Join(os.Getenv("PATH"), "convert-it")
	calls, fails := 0, true
	v := versions{ask: func(context.Context, program) (string, error) {
		calls++
		if fails {
			return "", errors.New("it does not start")
		}
		return "convert-it 1", nil
	}}
	version := func() error {
		line, err := v.version(t.Context(), program{"convert-it", "--version", "convert-it "})
		if err == nil {
			assert.Equal(t, "convert-it 1", line)
		}
		return err
	}

	require.Error(t, version(), "it is not installed")
	assert.Zero(t, calls)
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o700))
	require.Error(t, version())
	require.Error(t, version(), "a failure is not kept")
	assert.Equal(t, 2, calls)

	fails = false
	require.NoError(t, version())
	require.NoError(t, version())
	assert.Equal(t, 3, calls)
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)))
	require.NoError(t, version())
	assert.Equal(t, 4, calls, "an upgrade is noticed")

	require.NoError(t, os.Remove(path))
	require.Error(t, version(), "so is a removal")
}
