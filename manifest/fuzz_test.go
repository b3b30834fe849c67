package manifest_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/manifest"
)

// FuzzPlanPages: a plan is read page by page to the same items as at once, or is a fault.
func FuzzPlanPages(f *testing.F) {
	f.Add([]byte(`{"i":0,"source":"/a.md","dest":"/o/a"}`+"\n"+`{"i":1,"source":"/b.md","dest":"/o/b"}`+"\n"), 1)
	f.Add([]byte("{}\n\n{}"), 2)
	f.Add([]byte(`{"i":1e99}`), 1)
	path := filepath.Join(f.TempDir(), "plan.jsonl")
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		if limit < 1 || limit > 1000 {
			return
		}
		require.NoError(t, os.WriteFile(path, data, 0o600))
		all, end, err := manifest.Anywhere.ReadPage(path, 0, math.MaxInt64, math.MaxInt)
		if err != nil {
			return
		}
		require.Equal(t, int64(len(data)), end)
		var paged []manifest.Item
		for at := int64(0); ; {
			page, next, err := manifest.Anywhere.ReadPage(path, at, math.MaxInt64, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), limit)
			if len(page) == 0 {
				break
			}
			require.Greater(t, next, at)
			paged, at = append(paged, page...), next
		}
		require.Len(t, paged, len(all))
	})
}

// FuzzReport: a report that somebody has changed is verified to its end, or is a fault.
func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"index":0,"source":"/a","dest":"/o/a","status":"completed","outputs":[{"path":"/no/such","size":1,"sha256":"00"}]}` + "\n"))
	f.Add([]byte(`{"outputs":[{"path":"/dev/zero","size":-1}]}`))
	f.Add([]byte(`{"outputs":[{"path":""}],"former":[{"path":"../x"}]}` + "\n{}"))
	path := filepath.Join(f.TempDir(), "r.report.jsonl")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		wrong := 0
		verified, err := manifest.Verify(t.Context(), path, func(manifest.Mismatch) error { wrong++; return nil }, nil)
		if err == nil {
			require.Equal(t, wrong, verified.Wrong)
			require.LessOrEqual(t, verified.Wrong, verified.Outputs)
		}
	})
}
