package build

import (
	"bytes"
	"encoding/json"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDescribe(t *testing.T) {
	info := describe("standalone", &debug.BuildInfo{
		Main:     debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "975840b"}, {Key: "vcs.time", Value: "2026-11-29T10:00:00Z"}, {Key: "vcs.modified", Value: "true"}},
		Deps: []*debug.Module{
			{Path: "go.temporal.io/sdk", Version: "v1.40.0"},
			{Path: "go.temporal.io/server", Version: "v1.29.0", Replace: &debug.Module{Version: "v1.30.0"}},
		},
	})
	goes := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH

	t.Run("text", func(t *testing.T) {
		var out bytes.Buffer

		require.NoError(t, info.Print(&out, false))

		assert.Equal(t, "standalone       v1.2.3\ncommit           975840b of 2026-11-29T10:00:00Z, modified\ngo               "+goes+
			"\nTemporal server  v1.30.0\nTemporal SDK     v1.40.0\n", out.String())
	})
	t.Run("JSON", func(t *testing.T) {
		var out bytes.Buffer
		var back Info

		require.NoError(t, info.Print(&out, true))

		require.NoError(t, json.Unmarshal(out.Bytes(), &back))
		assert.Equal(t, info, back)
		assert.Contains(t, out.String(), `"temporal_server":"v1.30.0"`)
	})
	t.Run("no build information", func(t *testing.T) {
		var out bytes.Buffer

		require.NoError(t, describe("worker", nil).Print(&out, false))

		assert.Equal(t, "worker           unknown\ncommit           unknown\ngo               "+goes+"\n", out.String())
	})
}
