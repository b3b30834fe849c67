package manifest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/manifest"
)

// watched is a place that is looked at under a clock of the test's own.
type watched struct {
	*place
	now   time.Time
	watch *manifest.Watch
}

func newWatched(t *testing.T, files ...string) *watched {
	t.Helper()
	p := newPlace(t, files...)
	require.NoError(t, os.MkdirAll(p.in, 0o755))
	p.spec.Lenient, p.spec.SkipFailed, p.spec.Settle = true, true, 5*time.Second
	w := &watched{place: p, now: time.Now().Add(time.Minute)}
	w.again("")
	return w
}

// again begins to watch again, as the next attempt would.
func (w *watched) again(mark string) {
	w.watch = manifest.Anywhere.NewWatch(w.spec, "", "x", mark, func() time.Time { return w.now })
}

// put writes a file as of this moment of the test's clock.
func (w *watched) put(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.Chtimes(w.write(t, name, content), w.now, w.now))
}

// after looks when some time has passed, and returns the sources that are planned; nil for no plan.
func (w *watched) after(t *testing.T, passed time.Duration) (*manifest.Plan, []string) {
	t.Helper()
	w.now = w.now.Add(passed)
	plan, _, err := w.watch.Look(t.Context(), nil)
	require.NoError(t, err)
	if plan == nil {
		return nil, nil
	}
	sources := []string{}
	for _, item := range items(t, *plan) {
		sources = append(sources, item.Source)
	}
	return plan, sources
}

// wave ends a plan: every item becomes an output, but for those that are to fail. It returns the report's lines.
func (w *watched) wave(t *testing.T, plan *manifest.Plan, fail ...string) map[string]manifest.Line {
	t.Helper()
	var entries []manifest.Entry
	for _, item := range items(t, *plan) {
		if len(fail) > 0 && fail[0] == item.Source {
			entries = append(entries, failedEntry(item.Index))
			continue
		}
		entries = append(entries, done(t, *plan, item))
	}
	summary := w.finish(t, *plan, entries...)
	lines := map[string]manifest.Line{}
	require.NoError(t, manifest.Lines(summary.Report, func(line manifest.Line) error {
		relative, err := filepath.Rel(w.in, line.Source)
		lines[relative] = line
		return err
	}))
	assert.Len(t, lines, summary.Files)
	return lines
}

func TestFilesAreTakenOnceTheyHaveStoppedGrowing(t *testing.T) {
	w := newWatched(t, "old.md")
	_, sources := w.after(t, 0)
	assert.Equal(t, []string{"old.md"}, sources, "what was there long before is taken at once")

	w.put(t, "slow.md", "a")
	w.put(t, "whole.md", "all of it")
	w.put(t, "~$whole.md", "of a program that has it open")
	w.put(t, "later.md.part", "a")
	_, sources = w.after(t, time.Second)
	assert.Nil(t, sources)
	w.put(t, "slow.md", "a, b")
	_, sources = w.after(t, 3*time.Second)
	assert.Nil(t, sources)
	w.put(t, "slow.md", "a, b, c")
	_, sources = w.after(t, 2*time.Second)
	assert.Equal(t, []string{"old.md", "whole.md"}, sources, "five seconds after it was seen")
	_, sources = w.after(t, 4*time.Second)
	assert.Nil(t, sources, "a plan is made once, whatever becomes of it")
	_, sources = w.after(t, time.Second)
	assert.Equal(t, []string{"old.md", "slow.md", "whole.md"}, sources)
}

// Clocks of other machines, and tools that keep times, say nothing of whether a file is whole.
func TestTimesOfFilesAreNotTrusted(t *testing.T) {
	w := newWatched(t, "old.md")
	w.after(t, 0)
	for name, at := range map[string]time.Time{"past.md": w.now.Add(-time.Hour), "future.md": w.now.Add(time.Hour)} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.Chtimes(w.write(t, name, "half"), at, at))
		})
	}
	_, sources := w.after(t, time.Second)
	assert.Nil(t, sources)
	require.NoError(t, os.Chtimes(w.write(t, "past.md", "half, and the rest"), w.now.Add(-time.Hour), w.now.Add(-time.Hour)))
	_, sources = w.after(t, 5*time.Second)
	assert.Equal(t, []string{"future.md", "old.md"}, sources)
	_, sources = w.after(t, 5*time.Second)
	assert.Equal(t, []string{"future.md", "old.md", "past.md"}, sources)
}

// The report of every wave accounts for all files so far: those that are done, that failed, that just now change
// again, and those whose source has gone while their outputs are there.
func TestWavesLoseNoAccount(t *testing.T) {
	w := newWatched(t, "a.md", "bad.md", "gone.md", "grows.md", "taken.md")
	plan, _ := w.after(t, 0)
	first := w.wave(t, plan, "bad.md")
	require.Equal(t, manifest.StatusFailed, first["bad.md"].Status)
	w.again(w.watch.Mark())
	_, sources := w.after(t, time.Hour)
	assert.Nil(t, sources, "what failed is not tried again by itself")

	w.put(t, "grows.md", "more")
	w.write(t, "new.md", "new")
	for _, name := range []string{w.in + "/gone.md", w.in + "/taken.md", w.out + "/taken.html"} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.Remove(name))
		})
	}
	w.after(t, 0)
	w.put(t, "grows.md", "more and more")
	plan, sources = w.after(t, 5*time.Second)
	require.Equal(t, []string{"new.md"}, sources)
	second := w.wave(t, plan)
	for name, want := range map[string]manifest.Status{
		"a.md": manifest.StatusCurrent, "bad.md": manifest.StatusFailed, "gone.md": manifest.StatusCurrent,
		"grows.md": manifest.StatusCurrent, "new.md": manifest.StatusCompleted,
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, want, second[name].Status, name)
			assert.Equal(t, first[name].JobID, second[name].JobID, name)
		})
	}
	assert.NotContains(t, second, "taken.md", "neither source nor output is there any more")

	w.again(w.watch.Mark())
	plan, sources = w.after(t, 10*time.Second)
	require.Equal(t, []string{"grows.md"}, sources)
	assert.Equal(t, manifest.StatusCurrent, w.wave(t, plan)["gone.md"].Status, "wave after wave")
	w.write(t, "gone.md", "back, with other words")
	w.write(t, "bad.md", "mended")
	_, sources = w.after(t, time.Second)
	assert.Nil(t, sources)
	plan, sources = w.after(t, 5*time.Second)
	assert.Equal(t, []string{"bad.md", "gone.md"}, sources)
	assert.Zero(t, plan.Faulty, "the outputs of earlier waves are ours to replace")
	for name, line := range w.wave(t, plan) {
		assert.NotEqual(t, manifest.StatusFailed, line.Status, name)
	}
	_, sources = w.after(t, time.Hour)
	assert.Nil(t, sources)
}

func TestFaultsAreReportedOnce(t *testing.T) {
	w := newWatched(t)
	w.put(t, "empty.md", "")
	plan, sources := w.after(t, 10*time.Second)
	require.NotNil(t, plan)
	assert.Empty(t, sources)
	assert.Equal(t, "INPUT_EMPTY", w.wave(t, plan)["empty.md"].Error.Code)
	w.again("")
	plan, _ = w.after(t, time.Second)
	assert.Nil(t, plan, "it is in the report")
	entries, err := os.ReadDir(filepath.Join(w.out, ".convilyn", "x"))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "a plan that is not needed leaves nothing")
	w.put(t, "empty.md", "not any more")
	w.after(t, time.Second)
	_, sources = w.after(t, 5*time.Second)
	assert.Equal(t, []string{"empty.md"}, sources)
}

func TestAFolderThatIsNotThereIsAFault(t *testing.T) {
	w := newWatched(t, "a.md")
	plan, _ := w.after(t, 0)
	w.wave(t, plan)
	require.NoError(t, os.Rename(w.in, w.in+"-away"))
	_, _, err := w.watch.Look(t.Context(), nil)
	var faults *manifest.Faults
	require.ErrorAs(t, err, &faults)
	require.NoError(t, os.Rename(w.in+"-away", w.in))
	_, sources := w.after(t, time.Hour)
	assert.Nil(t, sources, "a disk that was away and is back brings nothing new")
}

// An output that is taken for a source would be converted, and its output again, without end.
func TestOutputsAreNoSources(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, w *watched){
		"the same folder":        func(_ *testing.T, w *watched) { w.spec.To, w.spec.Output = "txt", w.in },
		"every name is a source": func(_ *testing.T, w *watched) { w.spec.To, w.spec.From, w.spec.Output = "txt", "md", w.in },
		"a folder below":         func(_ *testing.T, w *watched) { w.spec.From, w.spec.Output = "md", w.in+"/out" },
		"a folder above":         func(_ *testing.T, w *watched) { w.spec.From, w.spec.Output = "md", filepath.Dir(w.in) },
		"into itself": func(_ *testing.T, w *watched) {
			w.spec.To, w.spec.Output, w.spec.Include = "md", w.in, []string{"*.md"}
		},
		"into itself, overwriting": func(_ *testing.T, w *watched) {
			w.spec.To, w.spec.Output, w.spec.Include, w.spec.OnExist = "md", w.in, []string{"*.md"}, "overwrite"
		},
		"by a link": func(t *testing.T, w *watched) {
			t.Helper()
			w.spec.To, w.spec.From, w.spec.Output = "txt", "md", w.in+"-link"
			require.NoError(t, os.Symlink(w.in, w.spec.Output))
		},
		"below, by a link": func(t *testing.T, w *watched) {
			t.Helper()
			w.spec.To, w.spec.From, w.spec.Output = "txt", "md", w.in+"-link"
			require.NoError(t, os.Mkdir(w.in+"/out", 0o755))
			require.NoError(t, os.Symlink(w.in+"/out", w.spec.Output))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatched(t, "a.md", "sub/b.md")
			change(t, w)
			w.out = w.spec.Output
			w.again("")
			made := 0
			for wave := range 4 {
				plan, _ := w.after(t, 10*time.Second)
				if plan == nil {
					break
				}
				require.Zero(t, wave, "one wave does it all")
				made += plan.Items
				w.wave(t, plan)
			}
			assert.LessOrEqual(t, made, 2)
			w.put(t, "c.md", "one more")
			w.after(t, 0)
			plan, _ := w.after(t, 10*time.Second)
			require.NotNil(t, plan)
			w.wave(t, plan)
			assert.LessOrEqual(t, plan.Items, 1)
			w.again("")
			plan, _ = w.after(t, time.Hour)
			assert.Nil(t, plan)
		})
	}
}

// With other options the outputs are made again; the lines of those that they replace would only be wrong.
func TestOtherOptionsReplaceTheirLines(t *testing.T) {
	w := newWatched(t, "a.md")
	plan, _ := w.after(t, 0)
	w.wave(t, plan)
	w.spec.Quality, w.spec.OnExist = "high", "overwrite"
	w.again("")
	plan, sources := w.after(t, time.Minute)
	require.Equal(t, []string{"a.md"}, sources)
	lines := w.wave(t, plan)
	require.Len(t, lines, 1)
	assert.Equal(t, "high", lines["a.md"].Quality)
}

func TestFoldersOfEndedBatchesAreCleared(t *testing.T) {
	p := newPlace(t, "a.md")
	ended, _ := p.make(t)
	p.finish(t, ended, failedEntry(0))
	open, _ := p.make(t)
	p.make(t)
	assert.DirExists(t, ended.Folder, "it may just have ended")
	hour := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(ended.Folder, "ended"), hour, hour))
	p.make(t)
	assert.NoDirExists(t, ended.Folder)
	assert.DirExists(t, open.Folder, "its batch has not ended")
}

// A scheduled batch does not see files grow; those that have just changed wait for the next one, and their lines too.
func TestAScheduledBatchLeavesWhatGrows(t *testing.T) {
	p := newPlace(t, "a.md")
	p.spec.Lenient = true
	plan, all := p.make(t)
	p.finish(t, plan, done(t, plan, all[0]))
	p.spec.Settle = time.Hour
	p.write(t, "a.md", "growing")
	p.write(t, "b.md", "growing")
	plan, all = p.make(t)
	assert.Empty(t, all)
	assert.Equal(t, 1, plan.Current)
	assert.Equal(t, 1, p.finish(t, plan).Files)
	p.spec.Settle = 0
	_, all = p.make(t)
	require.Len(t, all, 2)
	assert.Equal(t, "overwrite", all[0].OnExist, "its output is still known for ours")
}

// BenchmarkWave measures what a look, and the plan and report of one new file cost in a folder of many.
func BenchmarkWave(b *testing.B) {
	const files = 20_000
	dir := b.TempDir()
	p := &place{in: dir + "/in", out: dir + "/out"}
	for i := range files {
		p.write(b, fmt.Sprintf("%03d/%05d.md", i%200, i), "x")
	}
	spec := manifest.Spec{Source: p.in, Output: p.out, To: "html", Lenient: true, SkipFailed: true, Settle: time.Second}
	now := time.Now().Add(time.Minute)
	watch := manifest.Anywhere.NewWatch(spec, "", "x", "", func() time.Time { return now })
	convert := func() (took [2]time.Duration) {
		begun := time.Now()
		plan, _, err := watch.Look(b.Context(), nil)
		require.NoError(b, err)
		require.NotNil(b, plan)
		took[0] = time.Since(begun)
		var entries []manifest.Entry
		for _, item := range items(b, *plan) {
			entries = append(entries, done(b, *plan, item))
		}
		require.NoError(b, manifest.Anywhere.WritePart(plan.Folder, "s000-000001", entries))
		begun = time.Now()
		_, err = manifest.Anywhere.Finish(b.Context(), *plan, "x")
		require.NoError(b, err)
		took[1] = time.Since(begun)
		return took
	}
	convert()
	var looks, plans, reports time.Duration
	for i := 0; b.Loop(); i++ {
		p.write(b, fmt.Sprintf("new-%d.md", i), "y")
		begun := time.Now()
		plan, _, err := watch.Look(b.Context(), nil)
		require.NoError(b, err)
		require.Nil(b, plan)
		looks += time.Since(begun)
		now = now.Add(time.Minute)
		took := convert()
		plans, reports = plans+took[0], reports+took[1]
	}
	for name, d := range map[string]time.Duration{"look-ms": looks, "plan-ms": plans, "report-ms": reports} {
		b.ReportMetric(float64(d.Milliseconds())/float64(b.N), name)
	}
}
