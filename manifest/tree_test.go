package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
)

// Whatever a folder holds: each file that can be converted is one line of the report for each target, no two lines have
// the same output, and every output lies inside the output folder.
func TestEveryFileIsOneLine(t *testing.T) {
	base, trees := t.TempDir(), 0
	segment := rapid.SampledFrom([]string{"a", "A", "b", "a.md", "a.txt", "é", "space d", ".hidden", "x..y", "[z]"})
	extension := rapid.SampledFrom([]string{".md", ".txt", ".MD", ".htm", ".docx", ".unknown", ""})
	rapid.Check(t, func(t *rapid.T) {
		trees++
		dir := filepath.Join(base, strconv.Itoa(trees))
		root, output := filepath.Join(dir, "in"), filepath.Join(dir, rapid.SampledFrom([]string{"out", "in/out"}).Draw(t, "output"))
		require.NoError(t, errors.Join(os.MkdirAll(root, 0o755), os.MkdirAll(output, 0o755)))
		for range rapid.IntRange(0, 12).Draw(t, "files") {
			folder := filepath.Join(root, strings.Join(rapid.SliceOfN(segment, 0, 3).Draw(t, "folder"), "/"))
			if os.MkdirAll(folder, 0o755) == nil { // a file may have that name
				content := rapid.SampledFrom([]string{"", "x"}).Draw(t, "content")
				_ = os.WriteFile(filepath.Join(folder, segment.Draw(t, "stem")+extension.Draw(t, "extension")), []byte(content), 0o600)
			}
		}
		targets := rapid.SampledFrom([]string{"html", "pdf", "pdf,html"}).Draw(t, "to")
		want := expected(t, root, output, strings.Split(targets, ","))
		spec := manifest.Spec{Source: root, Output: output, To: targets, Lenient: true}
		plan, err := manifest.Anywhere.Make(t.Context(), spec, manifest.NewFolder("", output, "x", time.Now()), nil)
		require.NoError(t, err)
		summary, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
		require.NoError(t, err)
		got, outputs := map[string]int{}, map[string]bool{}
		require.NoError(t, manifest.Lines(summary.Report, func(line manifest.Line) error {
			got[line.Source+" "+line.To]++
			relative, err := filepath.Rel(output, line.Dest)
			require.NoError(t, err)
			require.True(t, filepath.IsLocal(relative), line.Dest)
			if line.Status == manifest.StatusNotStarted {
				name := strings.ToLower(line.Dest + "." + line.To)
				require.False(t, outputs[name], "two become %s", name)
				outputs[name] = true
			}
			return nil
		}))
		require.Equal(t, want, got)
		require.Len(t, outputs, plan.Items)
	})
}

// expected counts what a folder should give, by a walk of its own.
func expected(t *rapid.T, root, output string, targets []string) map[string]int {
	want := map[string]int{}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == output, path != root && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		format, _ := client.FormatOf(path)
		for _, target := range targets {
			if _, err := client.FamilyFor(format, target); err == nil {
				want[path+" "+target]++
			}
		}
		return nil
	})
	require.NoError(t, err)
	return want
}
