package manifest_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/manifest"
)

// swapping opens what may be used, and puts a link into its path at that very moment: after the check of a step, and before its
// first byte.
type swapping struct {
	*roots.Guard
	path, to string
}

func (s *swapping) swap() {
	if s.path == "" {
		return
	}
	_ = os.Rename(s.path, s.path+"-before")
	_ = os.Symlink(s.to, s.path)
	s.path = ""
}

func (s *swapping) OpenFile(path string) (*os.File, error) {
	file, err := s.Guard.OpenFile(path)
	s.swap()
	return file, err
}

func (s *swapping) OpenFolder(path string, create bool) (*os.Root, error) {
	root, err := s.Guard.OpenFolder(path, create)
	s.swap()
	return root, err
}

// swapped is a batch of a file with its plan beside the outputs, and a folder of somebody else that has all the same names in it.
type swapped struct {
	plan            manifest.Plan
	spec            manifest.Spec
	inside, outside string
}

func newSwapped(t *testing.T) swapped {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	s := swapped{inside: filepath.Join(dir, "inside"), outside: filepath.Join(dir, "outside")}
	for _, top := range []string{s.inside, s.outside} {
		require.NoError(t, os.MkdirAll(filepath.Join(top, "in"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(top, "in", "a.md"), []byte("x"), 0o600))
		spec := manifest.Spec{Source: filepath.Join(top, "in"), Output: filepath.Join(top, "out"), To: "html"}
		plan, err := manifest.Anywhere.Make(t.Context(), spec, filepath.Join(top, "out", ".convilyn", "docs", "one"), nil)
		require.NoError(t, err)
		// An earlier batch that has ended, which the next plan removes.
		ended := filepath.Join(top, "out", ".convilyn", "docs", "ended")
		require.NoError(t, os.MkdirAll(ended, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(ended, "ended"), nil, 0o600))
		require.NoError(t, os.Chtimes(filepath.Join(ended, "ended"), time.Unix(1, 0), time.Unix(1, 0)))
		if top == s.inside {
			s.plan, s.spec = plan, spec
		}
	}
	return s
}

// files are the paths below a folder, with what is in the files.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			found[path] = "folder"
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = string(data)
		return err
	}))
	return found
}

// A folder that becomes a link while a batch writes leads nowhere: what is written goes into the folder that was checked, or is
// refused.
func TestDisk_PathSwappedBetweenCheckAndWrite(t *testing.T) {
	entries := []manifest.Entry{{Index: 0, Status: manifest.StatusFailed, Error: &manifest.Fault{Code: "X"}}}
	steps := map[string]func(t *testing.T, disk manifest.Disk, s swapped) error{
		"make": func(t *testing.T, disk manifest.Disk, s swapped) error {
			t.Helper()
			_, err := disk.Make(t.Context(), s.spec, filepath.Join(s.spec.Output, ".convilyn", "docs", "two"), nil)
			return err
		},
		"make, taken back": func(t *testing.T, disk manifest.Disk, s swapped) error {
			t.Helper()
			s.spec.Include = []string{"nothing"}
			_, err := disk.Make(t.Context(), s.spec, filepath.Join(s.spec.Output, ".convilyn", "docs", "two"), nil)
			assert.Error(t, err)
			return nil
		},
		"part": func(_ *testing.T, disk manifest.Disk, s swapped) error {
			return disk.WritePart(s.plan.Folder, "s000-000001", entries)
		},
		"retry": func(t *testing.T, disk manifest.Disk, s swapped) error {
			t.Helper()
			_, err := disk.PlanFailed(t.Context(), s.plan, nil, nil)
			return err
		},
		"finish": func(t *testing.T, disk manifest.Disk, s swapped) error {
			t.Helper()
			_, err := disk.Finish(t.Context(), s.plan, "docs")
			return err
		},
		"salvage": func(t *testing.T, disk manifest.Disk, s swapped) error {
			t.Helper()
			_, err := disk.Salvage(t.Context(), s.plan, "docs", time.Time{}, []manifest.Known{{Item: manifest.Item{Source: "a.md", Dest: "a"}}})
			return err
		},
		"watch": func(t *testing.T, disk manifest.Disk, s swapped) error {
			t.Helper()
			_, _, err := disk.NewWatch(s.spec, "", "docs", "", time.Now).Look(t.Context(), nil)
			return err
		},
	}
	for name, step := range steps {
		for _, folder := range []string{"out", "out/.convilyn", "out/.convilyn/docs", "out/.convilyn/docs/one"} {
			t.Run(name+" "+folder, func(t *testing.T) {
				s := newSwapped(t)
				before := files(t, s.outside)
				guard := roots.New([]string{s.inside}, nil)
				at := filepath.Join(s.inside, folder)
				disk := manifest.On(&swapping{Guard: guard, path: at, to: filepath.Join(s.outside, folder)})
				if err := step(t, disk, s); err != nil {
					t.Log(err)
				}
				assert.Equal(t, before, files(t, s.outside))
			})
		}
	}
}

// Without anybody who swaps, the same steps do what they are for.
func TestDisk_Guarded(t *testing.T) {
	s := newSwapped(t)
	disk := manifest.On(roots.New([]string{s.inside}, nil))
	plan, err := disk.Make(t.Context(), s.spec, filepath.Join(s.spec.Output, ".convilyn", "docs", "two"), nil)
	require.NoError(t, err)
	assert.NoDirExists(t, filepath.Join(s.spec.Output, ".convilyn", "docs", "ended"))
	require.NoError(t, disk.WritePart(plan.Folder, "s000-000001", []manifest.Entry{{Index: 0, Status: manifest.StatusFailed, Error: &manifest.Fault{Code: "X"}}}))
	again, err := disk.PlanFailed(t.Context(), plan, nil, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, again.Items)
	items, _, err := disk.ReadPage(again.Path(), 0, again.End, 9)
	require.NoError(t, err)
	assert.Len(t, items, 1)
	sum, err := disk.Finish(t.Context(), plan, "docs")
	require.NoError(t, err)
	assert.Equal(t, 1, sum.Failed)
	assert.FileExists(t, filepath.Join(s.spec.Output, "docs.summary.json"))
}
