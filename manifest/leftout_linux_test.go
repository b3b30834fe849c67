package manifest_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/convilyn/convilyn-temporal/manifest"
)

// settledLines are the lines of a plan that is finished without doing anything, by the names of their sources.
func settledLines(t *testing.T, p *place) (manifest.Plan, map[string]manifest.Line) {
	t.Helper()
	plan, _ := p.make(t)
	sum, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)
	lines := map[string]manifest.Line{}
	require.NoError(t, manifest.Lines(sum.Report, func(line manifest.Line) error {
		name, err := filepath.Rel(p.in, line.Source)
		lines[name] = line
		return err
	}))
	return plan, lines
}

// What is not converted for what it is has a line that says so; nothing is left out in silence.
func TestFolder_WhatIsLeftOutIsTold(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		t.Run(fmt.Sprintf("lenient %v", lenient), func(t *testing.T) {
			p := newPlace(t, "a.md", "sub/b.md", "~$a.docx")
			p.spec.Lenient = lenient
			at := func(name string) string { return filepath.Join(p.in, name) }
			elsewhere := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "c.md"), []byte("c"), 0o600))
			require.NoError(t, os.Symlink(filepath.Join(elsewhere, "c.md"), at("out.md")))
			require.NoError(t, os.Symlink("nothing", at("broken.md")))
			require.NoError(t, os.Symlink("loop.md", at("loop.md")))
			require.NoError(t, os.Symlink(elsewhere, at("folder")))
			require.NoError(t, os.Symlink("sub", at("inner")))
			require.NoError(t, os.Symlink("a.md", at("same.md")))
			require.NoError(t, os.Symlink("nothing", at("broken.unknown")))
			require.NoError(t, os.Symlink("/nowhere/photos", at("photos"))) // as of a disk that is not mounted
			require.NoError(t, unix.Mkfifo(at("sub/pipe"), 0o600))
			require.NoError(t, unix.Mkfifo(at("pipe.md"), 0o600))
			socket, err := net.Listen("unix", at("socket"))
			require.NoError(t, err)
			t.Cleanup(func() { _ = socket.Close() })
			require.NoError(t, os.WriteFile(at("bad\xff.md"), []byte("x"), 0o600))
			require.NoError(t, os.WriteFile(at("bad\xff.unknown"), []byte("x"), 0o600))
			require.NoError(t, os.Mkdir(at("bad\xfefolder"), 0o700))

			plan, lines := settledLines(t, p)
			assert.Equal(t, []int{3, 10, 2}, []int{plan.Items, plan.Skipped, plan.Faulty})
			for name, want := range map[string]struct{ status, code, text string }{
				"out.md":         {"skipped", "INPUT_LEFT_OUT", "a link out of the folder, to " + filepath.Join(elsewhere, "c.md")},
				"broken.md":      {"skipped", "INPUT_LEFT_OUT", "a link to something that is not there"},
				"loop.md":        {"skipped", "INPUT_LEFT_OUT", "a link that cannot be followed"},
				"folder":         {"skipped", "INPUT_LEFT_OUT", "a link to the folder " + elsewhere},
				"inner":          {"skipped", "INPUT_LEFT_OUT", "a link to the folder "},
				"sub/pipe":       {"skipped", "INPUT_LEFT_OUT", "a pipe"},
				"pipe.md":        {"skipped", "INPUT_LEFT_OUT", "a pipe"},
				"~$a.docx":       {"skipped", "INPUT_LEFT_OUT", "open in an office program"},
				`bad\xff.md`:     {"failed", "INPUT_NAME", "not UTF-8"},
				`bad\xfefolder`:  {"failed", "INPUT_NAME", "not UTF-8"},
				"socket":         {"skipped", "INPUT_LEFT_OUT", "a socket"},
				"photos":         {"skipped", "INPUT_LEFT_OUT", "a link to something that is not there"},
				"broken.unknown": {},
			} {
				line, told := lines[name]
				if want.code == "" {
					assert.False(t, told, "%s would not be converted whatever it was", name)
					continue
				}
				require.True(t, told, name)
				assert.Equal(t, want.status, string(line.Status), name)
				require.NotNil(t, line.Error, name)
				assert.Equal(t, want.code, line.Error.Code, name)
				assert.Contains(t, line.Error.Message, want.text, name)
			}
			told := 0
			require.NoError(t, plan.LeftOut(func(manifest.Line) error { told++; return nil }))
			assert.Equal(t, plan.Skipped+plan.Faulty, told)
		})
	}
}

// A file that was converted and became a link keeps its outputs for our own.
func TestFolder_WhatIsLeftOutKeepsItsOutputs(t *testing.T) {
	p := newPlace(t, "a.md", "b.md")
	plan, _ := p.make(t)
	output := manifest.Output{Path: filepath.Join(p.out, "a.html"), Size: 1, SHA256: "x"}
	require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, "s000-000001", []manifest.Entry{{Index: 0, Status: manifest.StatusCompleted, Outputs: []manifest.Output{output}}}))
	_, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(p.in, "a.md")))
	require.NoError(t, os.Symlink("nothing", filepath.Join(p.in, "a.md")))

	_, lines := settledLines(t, p)
	assert.Equal(t, []manifest.Output{output}, lines["a.md"].Former)
}

// Filters hold for what is left out, too.
func TestFolder_WhatIsExcludedIsNotTold(t *testing.T) {
	p := newPlace(t, "a.md")
	require.NoError(t, unix.Mkfifo(filepath.Join(p.in, "pipe"), 0o600))
	p.spec.Exclude = []string{"pipe"}
	plan, _ := p.make(t)
	assert.Zero(t, plan.Skipped)
}
