package temporalconn

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/datafolder"
)

// The key of a stack goes to the stack alone: not to another address, and not to whoever has the address after the stack's end.
func TestOptions_FindTheStackOfADataFolder(t *testing.T) {
	const stack = "127.0.0.1:27233"
	for name, row := range map[string]struct {
		env     map[string]string
		ended   bool
		address string
		key     bool
		notice  string
	}{
		"no settings":           {address: stack, key: true, notice: "using the Temporal of the stack on "},
		"its address":           {env: map[string]string{"TEMPORAL_ADDRESS": stack}, address: stack, key: true},
		"its other name":        {env: map[string]string{"TEMPORAL_ADDRESS": "localhost:27233"}, address: stack, key: true},
		"another port":          {env: map[string]string{"TEMPORAL_ADDRESS": "127.0.0.1:7233"}, address: "127.0.0.1:7233"},
		"another machine":       {env: map[string]string{"TEMPORAL_ADDRESS": "temporal.example:27233"}, address: "temporal.example:27233"},
		"TLS":                   {env: map[string]string{"TEMPORAL_ADDRESS": stack, "TEMPORAL_TLS": "true"}, address: stack},
		"a stack that has died": {ended: true, address: "localhost:7233", notice: "using localhost:7233"},
		"its address, too":      {ended: true, env: map[string]string{"TEMPORAL_ADDRESS": stack}, address: stack},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			t.Setenv("XDG_STATE_HOME", state)
			t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(state, "none.toml"))
			for variable, value := range row.env {
				t.Setenv(variable, value)
			}
			data := filepath.Join(state, "convilyn")
			require.NoError(t, os.Mkdir(data, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(data, datafolder.KeyFile), []byte("0123456789abcdef0123456789abcdef"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(data, datafolder.AddressesFile), []byte(`{"temporal":"`+stack+`"}`), 0o600))
			lock, err := os.Create(filepath.Join(data, datafolder.OwnerLock))
			require.NoError(t, err)
			defer lock.Close()
			if !row.ended {
				require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
			}

			options, notice, err := Options("")
			require.NoError(t, err)
			assert.Equal(t, row.address, options.HostPort)
			assert.Equal(t, row.key, options.Credentials != nil)
			assert.Equal(t, row.key, options.ConnectionOptions.TLSDisabled)
			assert.Contains(t, notice, row.notice)
			assert.Equal(t, row.notice == "", notice == "")
			_, _, err = Options(data)
			assert.Equal(t, row.ended, err != nil, "a folder that was named and has no stack is an error")
		})
	}
}
