package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
)

// A job is given up when the process died five times with it, which somebody who ends the process five times does not mean.
func TestOpen_CountsDeathsAndNotRestarts(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(t *testing.T, s *Store, dir string)
		status client.JobStatus
	}{
		"died": {func(*testing.T, *Store, string) {}, client.JobFailed},
		"asked to end, and killed while it waited": {func(t *testing.T, s *Store, _ string) { t.Helper(); require.NoError(t, s.Stopping()) }, client.JobQueued},
		"ended with the machine": {func(t *testing.T, _ *Store, dir string) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(dir, markFile), []byte("another boot"), 0o600))
		}, client.JobQueued},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for n := range MaxRestarts + 1 {
				s, err := Open(t.Context(), dir, time.Now)
				require.NoError(t, err)
				if n == 0 {
					insertJob(t, s)
				}
				if n < MaxRestarts {
					_, found, err := s.Claim(t.Context())
					require.NoError(t, err)
					require.True(t, found)
					c.end(t, s, dir)
					require.NoError(t, s.Close())
					continue
				}
				job, found, err := s.Job(t.Context(), "a", "j")
				require.NoError(t, err)
				require.True(t, found)
				assert.Equal(t, c.status, job.Status)
				require.NoError(t, s.Close())
			}
		})
	}
}

func insertJob(t *testing.T, s *Store) {
	t.Helper()
	require.NoError(t, s.InsertFile(t.Context(), File{ID: "f", Account: "a", Name: "a.md", Size: 1, State: FileConfirmed, Created: time.Now()}))
	require.NoError(t, s.InsertJob(t.Context(), Job{ID: "j", Account: "a", FileID: "f", Created: time.Now()}))
}
