package commands

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

func TestRetention_IsASetting(t *testing.T) {
	w := fixture.New(t)
	for _, c := range []struct {
		name, setting string
		want          time.Duration
	}{
		{"at first", "", 30 * 24 * time.Hour},
		{"set", "CONVILYN_RETENTION=90d", 90 * 24 * time.Hour},
		{"stays where it is not set", "", 90 * 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.T, w.Env = t, []string{c.setting}
			if c.setting == "" {
				w.Env = nil
			}
			cmd, r := w.Up()
			reply, err := r.Client.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
			require.NoError(t, err)
			assert.Equal(t, c.want, reply.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
			r.Client.Close()
			require.NoError(t, cmd.Cancel())
			require.NoError(t, cmd.Wait())
		})
	}
}

func TestDamagedDatabase_IsOneLine(t *testing.T) {
	w := fixture.New(t)
	code, _, stderr := w.Run("runs", "list")
	require.Zero(t, code, stderr)
	path := filepath.Join(w.Data, "temporal.db")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("Dear diary, "), 1000), 0o600))
	for _, more := range []string{"-wal", "-shm"} {
		require.NoError(t, os.RemoveAll(path+more))
	}

	code, _, stderr = w.Run("runs", "list")

	assert.Equal(t, 2, code)
	assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	assert.Contains(t, stderr, "temporal.db is damaged (file is not a database (26)): restore a backup")
}
