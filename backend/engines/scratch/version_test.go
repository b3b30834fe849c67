package scratch

import (
	"context"
	"encoding/json"
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

func TestVersion_IsKnownToOtherProcesses(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	path := filepath.Join(os.Getenv("PATH"), "convert-it")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o700))
	kept := filepath.Join(t.TempDir(), "answers.json")
	calls := 0
	process := func() *versions {
		return &versions{
			ask:  func(context.Context, program) (string, error) { calls++; return "convert-it 1", nil },
			file: func() string { return kept },
		}
	}
	ask := func(ctx context.Context) {
		line, err := process().version(ctx, program{"convert-it", "--version", "convert-it "})
		require.NoError(t, err)
		assert.Equal(t, "convert-it 1", line)
	}

	ask(t.Context())
	ask(t.Context())
	assert.Equal(t, 1, calls)
	ask(AskAgain(t.Context()))
	assert.Equal(t, 2, calls, "doctor asks the program, not the file")

	old := readAnswers(t, kept)
	for key, known := range old {
		known.Asked = time.Now().Add(-answersLast - time.Minute)
		old[key] = known
	}
	data, err := json.Marshal(old)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(kept, data, 0o600))
	ask(t.Context())
	assert.Equal(t, 3, calls, "an answer does not hold for ever")

	for _, damaged := range []string{"", "null", "{", `{"convert-it --version convert-it ":{}}`} {
		require.NoError(t, os.WriteFile(kept, []byte(damaged), 0o600))
		before := calls
		ask(t.Context())
		assert.Equal(t, before+1, calls, damaged)
	}
}

func readAnswers(t *testing.T, path string) (read answers) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &read))
	return read
}
