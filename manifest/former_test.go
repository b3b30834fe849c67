package manifest_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/manifest"
)

// finish ends a batch of the place with these entries.
func (p *place) finish(t *testing.T, plan manifest.Plan, entries ...manifest.Entry) manifest.Summary {
	t.Helper()
	require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, "s000-000001", entries))
	summary, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)
	return summary
}

func failedEntry(index int) manifest.Entry {
	return manifest.Entry{Index: index, Status: manifest.StatusFailed, EndedAt: time.Now().UTC(), Error: &manifest.Fault{Code: "CORRUPT"}}
}

// A report takes the place of the one before it. What that one knew of outputs must not be lost with it, or the batch
// would refuse to replace its own outputs ever after.
func TestOutputsStayOursWhenTheNextBatchDoesNotGetThere(t *testing.T) {
	for name, next := range map[string]func(p *place){
		"failed": func(p *place) {
			p.write(t, "a.md", "changed, and broken")
			plan, all := p.make(t)
			require.Equal(t, "overwrite", all[0].OnExist)
			p.finish(t, plan, failedEntry(0))
		},
		"failed twice": func(p *place) {
			for _, content := range []string{"changed, and broken", "changed, and still broken"} {
				p.write(t, "a.md", content)
				plan, _ := p.make(t)
				p.finish(t, plan, failedEntry(0))
			}
		},
		"not started": func(p *place) {
			p.write(t, "a.md", "changed")
			plan, _ := p.make(t)
			p.finish(t, plan)
		},
		"cancelled": func(p *place) {
			p.write(t, "a.md", "changed")
			plan, _ := p.make(t)
			p.finish(t, plan, manifest.Entry{Index: 0, Status: manifest.StatusCancelled})
		},
		"unusable for a while": func(p *place) {
			p.write(t, "a.md", "")
			p.spec.Lenient = true
			plan, _ := p.make(t)
			require.Equal(t, 1, plan.Faulty)
			p.finish(t, plan)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, "a.md")
			plan, all := p.make(t)
			p.finish(t, plan, done(t, plan, all[0]))
			next(p)

			p.write(t, "a.md", "mended at last")
			report := manifest.ReportPath(p.out, "x")
			retry, err := manifest.Anywhere.Retry(t.Context(), report, nil, filepath.Join(p.out, "again"))
			require.NoError(t, err)
			assert.Equal(t, "overwrite", items(t, retry)[0].OnExist)
			plan, all = p.make(t)
			require.Len(t, all, 1)
			assert.Equal(t, "overwrite", all[0].OnExist)
			assert.Equal(t, 0, plan.Faulty)

			require.NoError(t, os.WriteFile(filepath.Join(p.out, "a.html"), []byte("mine"), 0o600))
			p.spec.Lenient = false
			_, err = manifest.Anywhere.Make(t.Context(), p.spec, manifest.NewFolder("", p.out, "x", time.Now()), nil)
			require.ErrorContains(t, err, "a.html exists", "somebody else's work of the same size is not ours")
		})
	}
}

func TestARetryTakesSourcesAsTheyAreNow(t *testing.T) {
	p := newPlace(t, "a.md")
	plan, _ := p.make(t)
	summary := p.finish(t, plan, failedEntry(0))
	p.write(t, "a.md", "mended, and longer than before")
	again, err := manifest.Anywhere.Retry(t.Context(), summary.Report, []string{"CORRUPT"}, filepath.Join(p.out, "again"))
	require.NoError(t, err)
	item := items(t, again)[0]
	info, err := os.Stat(filepath.Join(p.in, "a.md"))
	require.NoError(t, err)
	assert.Equal(t, info.Size(), item.Size)
	assert.True(t, info.ModTime().Equal(item.ModTime))
	assert.Equal(t, info.Size(), again.Bytes)
}

func TestARetryOverwritesWhereThatWasAsked(t *testing.T) {
	p := newPlace(t, "a.md")
	require.NoError(t, os.MkdirAll(p.out, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(p.out, "a.html"), []byte("of somebody"), 0o600))
	p.spec.OnExist = "overwrite"
	plan, _ := p.make(t)
	summary := p.finish(t, plan, failedEntry(0))
	again, err := manifest.Anywhere.Retry(t.Context(), summary.Report, nil, filepath.Join(p.out, "again"))
	require.NoError(t, err)
	assert.Equal(t, "overwrite", items(t, again)[0].OnExist)
}

func TestAMissingPageIsMadeAgain(t *testing.T) {
	p := newPlace(t, "a.pdf")
	p.spec.To = "png"
	plan, all := p.make(t)
	entry := done(t, plan, all[0])
	for _, page := range []string{"a-1.png", "a-2.png"} {
		t.Run(page, func(t *testing.T) {
			output := entry.Outputs[0]
			output.Path = filepath.Join(p.out, page)
			require.NoError(t, os.WriteFile(output.Path, []byte("made"), 0o600))
			entry.Outputs = append(entry.Outputs, output)
		})
	}
	require.NoError(t, os.Remove(entry.Outputs[0].Path))
	entry.Outputs = entry.Outputs[1:]
	p.finish(t, plan, entry)
	plan, _ = p.make(t)
	require.Equal(t, 1, plan.Current)
	require.NoError(t, os.Remove(filepath.Join(p.out, "a-2.png")))
	_, all = p.make(t)
	require.Len(t, all, 1)
	assert.Equal(t, "overwrite", all[0].OnExist)
}

// Archives and copies give many files one time.
func TestAnotherSourceOfTheSameSizeAndTimeIsNotCurrent(t *testing.T) {
	p := newPlace(t)
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	for name, content := range map[string]string{"a.md": "one", "b.md": "two"} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.Chtimes(p.write(t, name, content), at, at))
		})
	}
	p.spec.Source = p.write(t, "m.jsonl", `{"source":"a.md","dest":"x"}`)
	plan, all := p.make(t)
	p.finish(t, plan, done(t, plan, all[0]))
	p.spec.Source = p.write(t, "m.jsonl", `{"source":"b.md","dest":"x"}`)
	plan, all = p.make(t)
	assert.Equal(t, 0, plan.Current)
	assert.Equal(t, "overwrite", all[0].OnExist)
}

func TestAFailedPlanTakesBackOnlyWhatItMade(t *testing.T) {
	p := newPlace(t, "a.md")
	p.spec.Source = p.write(t, "m.jsonl", "oops")
	folder := filepath.Join(p.out, "mine", "work")
	require.NoError(t, os.MkdirAll(filepath.Dir(folder), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(p.out, "mine", "precious"), []byte("x"), 0o600))
	for range 2 { // a folder that is to be made, then one that is there
		_, err := manifest.Anywhere.Make(t.Context(), p.spec, folder, nil)
		require.Error(t, err)
		assert.FileExists(t, filepath.Join(p.out, "mine", "precious"))
		folder = filepath.Dir(folder)
	}
	assert.NoDirExists(t, filepath.Join(p.out, "mine", "work"))
}
