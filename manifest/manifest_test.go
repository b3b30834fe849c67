package manifest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/manifest"
)

// place is a source folder and an output folder.
type place struct {
	in, out string
	spec    manifest.Spec
}

func newPlace(t *testing.T, files ...string) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{in: filepath.Join(dir, "in"), out: filepath.Join(dir, "out")}
	for _, name := range files {
		p.write(t, name, "content of "+name)
	}
	p.spec = manifest.Spec{Source: p.in, Output: p.out, To: "html"}
	return p
}

func (p *place) write(tb testing.TB, name, content string) string {
	tb.Helper()
	path := filepath.Join(p.in, name)
	require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(tb, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func (p *place) make(t *testing.T) (manifest.Plan, []manifest.Item) {
	t.Helper()
	plan, err := manifest.Anywhere.Make(t.Context(), p.spec, manifest.NewFolder("", p.out, "x", time.Now()), nil)
	require.NoError(t, err)
	return plan, items(t, plan)
}

func items(tb testing.TB, plan manifest.Plan) []manifest.Item {
	tb.Helper()
	var all []manifest.Item
	for at := int64(0); at < plan.End; {
		page, next, err := manifest.Anywhere.ReadPage(plan.Path(), at, plan.End, 3)
		require.NoError(tb, err)
		require.Greater(tb, next, at)
		all, at = append(all, page...), next
	}
	require.Len(tb, all, plan.Items)
	return all
}

func dests(plan manifest.Plan, all []manifest.Item) []string {
	out := make([]string, len(all))
	for i, item := range all {
		rel, _ := filepath.Rel(plan.Output, plan.DestPath(item))
		out[i] = rel + "." + plan.Target(item)
	}
	return out
}

func TestAFolderKeepsItsTree(t *testing.T) {
	p := newPlace(t, "b.md", "a.md", "a.txt", "sub/deep/c.md", "sub/.hidden.md", ".git/x.md", "photo.unknown", "z.report.jsonl")
	plan, all := p.make(t)
	assert.Equal(t, []string{"a.md.html", "a.txt.html", "b.html", "sub/deep/c.html"}, dests(plan, all), "those that share a stem keep their extensions")
	assert.Equal(t, p.in+"/sub/deep/c.md", plan.SourcePath(all[3]))

	p.spec.Include, p.spec.Exclude = []string{"*.md", "photo.*"}, []string{"sub/**"}
	_, err := manifest.Anywhere.Make(t.Context(), p.spec, filepath.Join(p.out, "f"), nil)
	require.ErrorContains(t, err, "photo.unknown", "what was named has to be convertible")
	p.spec.Include = []string{"*.md"}
	plan, all = p.make(t)
	assert.Equal(t, []string{"a.html", "b.html"}, dests(plan, all))

	p.spec = manifest.Spec{Source: p.in + "/**/*.md", Output: p.out, To: "html,txt"}
	plan, all = p.make(t)
	assert.Equal(t, []string{"a.html", "a.txt", "b.html", "b.txt", "sub/deep/c.html", "sub/deep/c.txt"}, dests(plan, all))
}

func TestABadManifestNamesItsLines(t *testing.T) {
	p := newPlace(t, "a.md", "b.md", "empty.md")
	p.write(t, "empty.md", "")
	require.NoError(t, os.MkdirAll(p.out, 0o755))
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(p.out, "away")))
	for name, test := range map[string]struct{ content, want string }{
		"broken":         {"{\"source\":\"a.md\"}\n{oops", "m.jsonl line 2: it is not a JSON object"},
		"unknown member": {`{"source":"a.md","colour":"red"}`, "m.jsonl line 1: it is not a JSON object with source, to, from, quality, pages, options, dest, on_exist"},
		"two objects":    {`{"source":"a.md"} {"source":"b.md"}`, "m.jsonl line 1: something follows"},
		"missing":        {"\n" + `{"source":"gone.md"}`, "m.jsonl line 2: " + p.in + "/gone.md does not exist"},
		"empty":          {`{"source":"empty.md"}`, "m.jsonl line 1: " + p.in + "/empty.md is empty"},
		"no source":      {`{}`, "m.jsonl line 1: it has no source"},
		"escaping":       {`{"source":"a.md","dest":"../x"}`, `m.jsonl line 1: its dest "../x" is not a file inside`},
		"absolute":       {`{"source":"a.md","dest":"/etc/x"}`, "m.jsonl line 1: its dest"},
		"through a link": {`{"source":"a.md","dest":"away/x"}`, "m.jsonl line 1: cannot write its output"},
		"duplicate":      {`{"source":"a.md","dest":"x"}` + "\n" + `{"source":"b.md","dest":"X.html"}`, "m.jsonl line 2: its output " + p.out + "/X.html is also that of line 1"},
		"not UTF-8":      {"{\"source\":\"a\xff.md\"}", "m.jsonl line 1: it is not UTF-8"},
		"UTF-16":         {"\xff\xfe{\x00", "m.jsonl line 1: it is not UTF-8"},
		"long line":      {`{"source":"` + strings.Repeat("x", 10<<20) + `"}`, "m.jsonl line 1: it is longer than 1048576 bytes"},
		"remote":         {`{"source":"https://example.com/a.md"}`, `m.jsonl line 1: "https://example.com/a.md" is not a path`},
		"folder":         {`{"source":"."}`, "m.jsonl line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			p.spec.Source = p.write(t, "m.jsonl", test.content)
			folder := filepath.Join(p.out, "work")
			_, err := manifest.Anywhere.Make(t.Context(), p.spec, folder, nil)
			var faults *manifest.Faults
			require.ErrorAs(t, err, &faults)
			require.Len(t, faults.Lines, 1, "%s", err)
			assert.Contains(t, faults.Lines[0], test.want)
			assert.NoDirExists(t, folder, "nothing is left behind")
		})
	}
	p.spec.Source, p.spec.Strict = p.in, true
	_, err := manifest.Anywhere.Make(t.Context(), p.spec, filepath.Join(p.out, "work"), nil)
	p.spec.Strict = false
	require.ErrorContains(t, err, "/empty.md is empty")
	assert.Equal(t, 1, strings.Count(err.Error(), "/empty.md"), "%s", err)
	p.spec.Source = p.write(t, "m.csv", "\xef\xbb\xbfsource,dest\na.md,one\n\"b.md,two\n")
	_, err = manifest.Anywhere.Make(t.Context(), p.spec, filepath.Join(p.out, "work"), nil)
	require.ErrorContains(t, err, "m.csv line 3")
	p.spec.Source = p.write(t, "m.csv", "source,dest,to\na.md,one,\nb.md,two.txt,txt\n")
	plan, all := p.make(t)
	assert.Equal(t, []string{"one.html", "two.txt"}, dests(plan, all))
}

func TestFaultsAreCounted(t *testing.T) {
	p := newPlace(t, "a.md")
	p.spec.Source = p.write(t, "m.jsonl", strings.Repeat("{oops\n", 50))
	_, err := manifest.Anywhere.Make(t.Context(), p.spec, filepath.Join(p.out, "work"), nil)
	var faults *manifest.Faults
	require.ErrorAs(t, err, &faults)
	assert.Len(t, faults.Lines, 20)
	assert.Equal(t, 30, faults.More)
}

// done writes an item's output and the entry for it.
func done(tb testing.TB, plan manifest.Plan, item manifest.Item) manifest.Entry {
	tb.Helper()
	path := plan.DestPath(item) + "." + plan.Target(item)
	require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(tb, os.WriteFile(path, []byte("made"), 0o600))
	const sum = "ea0890697a77af0a2e054cccec587c8a42feb5cf38e778c6c6e2a96bfb945c0b" // of "made"
	return manifest.Entry{
		Index: item.Index, Status: manifest.StatusCompleted, EndedAt: time.Now().UTC(), SHA256: "of the source",
		Outputs: []manifest.Output{{Path: path, Size: 4, SHA256: sum}},
	}
}

func TestWhatIsCurrentIsNotDoneAgain(t *testing.T) {
	p := newPlace(t, "a.md", "b.md", "c.md", "d.md")
	plan, all := p.make(t)
	var entries []manifest.Entry
	for _, item := range all[:3] {
		entries = append(entries, done(t, plan, item))
	}
	entries = append(entries, manifest.Entry{Index: 3, Status: manifest.StatusFailed, Error: &manifest.Fault{Code: "CORRUPT"}})
	require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, "s000-000001", entries))
	summary, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)
	assert.Equal(t, 3, summary.Completed)
	assert.Equal(t, map[string]int{"CORRUPT": 1}, summary.Codes)

	require.NoError(t, os.Remove(filepath.Join(p.out, "b.html")))
	p.write(t, "c.md", "something else")
	plan, all = p.make(t)
	assert.Equal(t, []string{"b.html", "c.html", "d.html"}, dests(plan, all))
	assert.Equal(t, 1, plan.Current)
	assert.Equal(t, []string{"", "overwrite", ""}, []string{all[0].OnExist, all[1].OnExist, all[2].OnExist}, "an output of ours makes way")
	summary, err = manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)
	assert.Equal(t, 4, summary.Files)
	assert.Equal(t, 1, summary.Current)
	assert.Equal(t, 3, summary.NotStarted)

	p.spec.Quality = "high"
	_, err = manifest.Anywhere.Make(t.Context(), p.spec, filepath.Join(p.out, "work"), nil)
	require.ErrorContains(t, err, "a.html exists; use --on-exist skip or overwrite", "other options make another output")
	p.spec.OnExist = "skip"
	plan, _ = p.make(t)
	assert.Equal(t, 2, plan.Skipped)
}

// What was made with other options is not current: it is in the way, or converted again.
func TestPlan_ConvertsAgainWithOtherOptions(t *testing.T) {
	p := newPlace(t, "a.md", "b.md", "c.md")
	p.spec.Options = option.Values{option.NamePaper: "A4"}
	plan, all := p.make(t)
	var entries []manifest.Entry
	for _, item := range all {
		assert.Equal(t, option.Values{option.NamePaper: "A4"}, item.Options)
		entries = append(entries, done(t, plan, item))
	}
	require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, "s000-000001", entries))
	_, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)

	plan, all = p.make(t)
	assert.Empty(t, all)
	assert.Equal(t, 3, plan.Current, "the same options")

	p.spec.Options = option.Values{option.NamePaper: "A5"}
	_, err = manifest.Anywhere.Make(t.Context(), p.spec, filepath.Join(p.out, "more"), nil)
	require.ErrorContains(t, err, "a.html exists; use --on-exist skip or overwrite")
	p.spec.OnExist = "overwrite"
	plan, all = p.make(t)
	assert.Equal(t, []string{"a.html", "b.html", "c.html"}, dests(plan, all))
	assert.Zero(t, plan.Current)
}

func TestManifest_Options(t *testing.T) {
	p := newPlace(t, "a.md", "b.md")
	p.spec.Options = option.Values{option.NamePaper: "A4", option.NameLandscape: "true"}
	for name, content := range map[string]string{
		"m.jsonl": `{"source":"a.md","options":{"paper":"letter","scale":90}}` + "\n" + `{"source":"b.md"}`,
		"m.csv":   "source,option.paper,option.scale\na.md,letter,90\nb.md,,\n",
	} {
		t.Run(name, func(t *testing.T) {
			p.spec.Source = p.write(t, name, content)
			_, all := p.make(t)
			assert.Equal(t, option.Values{"paper": "Letter", "landscape": "true", "scale": "90"}, all[0].Options)
			assert.Equal(t, p.spec.Options, all[1].Options)
		})
	}
	for content, says := range map[string]string{
		`{"source":"a.md","options":{"papre":"A4"}}`: "no option papre; did you mean paper?",
		`{"source":"a.md","options":{"paper":"A"}}`:  `option paper: "A" is not one of A3`,
		`{"source":"a.md","options":{"paper":[1]}}`:  "option paper is not a string, a number or a boolean",
		`{"source":"a.md","options":{"pages":"1"}}`:  "pages and quality have columns of their own",

		`{"source":"a.md","options":{"password":"hunter2"}}`:   "option password: a password is not given in clear",
		`{"source":"a.md","options":{"password":"@gone.txt"}}`: "gone.txt\" is not a file that can be read",
	} {
		t.Run(content, func(t *testing.T) {
			p.spec.Source = p.write(t, "m.jsonl", content)
			_, err := manifest.Anywhere.Make(t.Context(), p.spec, filepath.Join(p.out, "work"), nil)
			require.ErrorContains(t, err, says)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// Files of passwords are found beside the manifest, and a plan has their paths alone.
func TestManifest_PasswordFiles(t *testing.T) {
	p := newPlace(t, "a.md")
	secret := p.write(t, "p.txt", "hunter2\n")
	p.spec.Source = p.write(t, "m.csv", "source,option.password\na.md,@p.txt\n")
	plan, all := p.make(t)
	assert.Equal(t, option.Values{"password": "@" + secret}, all[0].Options)
	elsewhere, err := plan.Elsewhere()
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Dir(secret)}, elsewhere)
}

// However entries repeat and parts fall, the last entry of an item is its line.
func TestTheLastEntryCounts(t *testing.T) {
	p := newPlace(t)
	for i := range 12 {
		p.write(t, fmt.Sprintf("%02d.md", i), "x")
	}
	plan, _ := p.make(t)
	rapid.Check(t, func(t *rapid.T) {
		require.NoError(t, os.RemoveAll(filepath.Join(plan.Folder, "parts")))
		model := map[int]manifest.Status{}
		codes := map[int]string{}
		for part := range rapid.IntRange(0, 5).Draw(t, "parts") {
			var entries []manifest.Entry
			for range rapid.IntRange(1, 6).Draw(t, "entries") {
				e := manifest.Entry{Index: rapid.IntRange(0, 11).Draw(t, "index"), Status: rapid.SampledFrom([]manifest.Status{manifest.StatusCompleted, manifest.StatusFailed, manifest.StatusCancelled}).Draw(t, "status")}
				delete(codes, e.Index)
				if e.Status == manifest.StatusFailed {
					e.Error = &manifest.Fault{Code: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "code")}
					codes[e.Index] = e.Error.Code
				}
				model[e.Index] = e.Status
				entries = append(entries, e)
			}
			require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, fmt.Sprintf("s000-%06d", part), entries))
		}
		summary, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
		require.NoError(t, err)
		seen := 0
		require.NoError(t, manifest.Lines(summary.Report, func(line manifest.Line) error {
			want, known := model[line.Index]
			if !known {
				want = manifest.StatusNotStarted
			}
			require.Equal(t, seen, line.Index)
			require.Equal(t, want, line.Status)
			seen++
			return nil
		}))
		require.Equal(t, 12, seen)
		again, err := manifest.Anywhere.PlanFailed(t.Context(), plan, nil, []string{"A"})
		require.NoError(t, err)
		n := 0
		for _, item := range items2(t, again) {
			require.Equal(t, "A", codes[item.Index])
			require.Equal(t, "A", item.Was)
			n++
		}
		for _, code := range codes {
			if code == "A" {
				n--
			}
		}
		require.Zero(t, n)
	})
	require.NoError(t, os.Remove(filepath.Join(p.out, "x.report.jsonl")))
}

func items2(t *rapid.T, plan manifest.Plan) []manifest.Item {
	all, next, err := manifest.Anywhere.ReadPage(plan.Path(), 0, plan.End, 1000)
	require.NoError(t, err)
	require.Equal(t, plan.End, next)
	return all
}

func TestAReportIsRetriedAndVerified(t *testing.T) {
	p := newPlace(t, "a.md", "b.md", "c.md")
	plan, all := p.make(t)
	entries := []manifest.Entry{done(t, plan, all[0]), done(t, plan, all[1])}
	require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, "s000-000001", entries))
	summary, err := manifest.Anywhere.Finish(t.Context(), plan, "x")
	require.NoError(t, err)
	again, err := manifest.Anywhere.Retry(t.Context(), summary.Report, nil, filepath.Join(plan.Folder, "again"))
	require.NoError(t, err)
	assert.Equal(t, 1, again.Items)
	assert.Equal(t, 2, again.Kept)
	retried := items(t, again)
	require.NoError(t, manifest.Anywhere.WritePart(again.Folder, "s000-000001", []manifest.Entry{done(t, again, retried[0])}))
	summary, err = manifest.Anywhere.Finish(t.Context(), again, "x")
	require.NoError(t, err)
	assert.Equal(t, 3, summary.Completed)
	assert.Equal(t, 3, summary.Files)

	require.NoError(t, os.Remove(filepath.Join(p.out, "a.html")))
	require.NoError(t, os.WriteFile(filepath.Join(p.out, "b.html"), []byte("longer"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(p.out, "c.html"), []byte("mode"), 0o600))
	var problems []string
	verified, err := manifest.Verify(t.Context(), summary.Report, func(m manifest.Mismatch) error {
		problems = append(problems, filepath.Base(m.Path)+" "+m.Problem)
		return nil
	}, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"a.html is missing", "b.html has 6 bytes; the report says 4", "c.html its content has changed"}, problems)
	assert.Equal(t, 3, verified.Wrong)
}

func FuzzManifestJSONL(f *testing.F) { fuzz(f, "m.jsonl", `{"source":"a.md","dest":"x/y"}`) }
func FuzzManifestCSV(f *testing.F)   { fuzz(f, "m.csv", "source,dest\na.md,x/y\n") }

func fuzz(f *testing.F, name, seed string) {
	f.Helper()
	f.Add([]byte(seed))
	f.Add([]byte("\xef\xbb\xbf" + seed + seed))
	dir := f.TempDir()
	p := &place{in: filepath.Join(dir, "in"), out: filepath.Join(dir, "out")}
	p.write(f, "a.md", "x")
	f.Fuzz(func(t *testing.T, content []byte) {
		spec := manifest.Spec{Source: p.write(t, name, string(content)), Output: p.out, To: "html"}
		plan := manifest.Plan{Output: p.out}
		_, _ = manifest.Check(t.Context(), spec, func(item manifest.Item) error {
			relative, err := filepath.Rel(p.out, plan.DestPath(item))
			require.NoError(t, err)
			require.True(t, filepath.IsLocal(relative), "%q", item.Dest)
			return nil
		}, nil)
	})
}
