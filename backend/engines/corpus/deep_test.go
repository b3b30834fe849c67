//go:build deep

package corpus_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/corpus"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// tally counts what became of files, by family.
type tally struct {
	mu     sync.Mutex
	counts map[string]map[string]int
	files  map[string]map[string]bool
}

func newTally() *tally {
	return &tally{counts: map[string]map[string]int{}, files: map[string]map[string]bool{}}
}

func (y *tally) add(family, file, kind string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.counts[family] == nil {
		y.counts[family], y.files[family] = map[string]int{}, map[string]bool{}
	}
	y.counts[family][kind]++
	y.files[family][file] = true
}

func (y *tally) table(title string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n| %s | files | conversions | right | with note | refused | failed | silently wrong | unjudged |\n|---|---|---|---|---|---|---|---|---|\n", title)
	sum, files := map[string]int{}, 0
	line := func(family string, files int, n map[string]int) {
		all := 0
		for _, count := range n {
			all += count
		}
		fmt.Fprintf(&out, "| %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", family, files, all,
			n["right"], n["noted"], n["refused"], n["failed"], n["wrong"], n["unjudged"])
	}
	var families []string
	for family := range y.counts {
		families = append(families, family)
	}
	slices.Sort(families)
	for _, family := range families {
		line(family, len(y.files[family]), y.counts[family])
		files += len(y.files[family])
		for kind, count := range y.counts[family] {
			sum[kind] += count
		}
	}
	line("all", files, sum)
	return out.String()
}

// registries are what is built in, and everything that is installed here.
func registries(t *testing.T) map[string]*engines.Registry {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	all := backend.DefaultRegistry(t.Context(), backend.EngineSettings{CacheDir: filepath.Join(cache, "convilyn")})
	t.Cleanup(func() { require.NoError(t, all.Close()) })
	return map[string]*engines.Registry{"built in": builtIn(t), "all programs": all}
}

// Each file of the corpus by each route that is offered: what it says is in the output, or a note names what is not.
func TestCorpus(t *testing.T) {
	pages := testkit.PDF(t)
	for name, registry := range registries(t) {
		sums := newTally()
		t.Run(name, func(t *testing.T) {
			for _, file := range corpus.Files() {
				for _, target := range targets(registry, file.Format) {
					t.Run(file.Name+" to "+target, func(t *testing.T) {
						t.Parallel()
						got := judged(t, registry, pages, file, target)
						sums.add(file.Family(), file.Name, got.kind)
						if got.kind == "unjudged" || got.kind == "refused" || got.kind == "failed" {
							t.Logf("%s by %s: %s", got.kind, got.engine, got.detail)
						}
						if got.kind == "wrong" && !isKnown(got.engine, file.Name, target) {
							t.Errorf("%s: %s", got.engine, got.detail)
						}
					})
				}
			}
		})
		t.Log(sums.table(name))
	}
}

// Every engine of a pair that several have, each alone: it shows which is to go first. CONVILYN_CORPUS_ENGINES=1 asks for it.
func TestCorpusByEngine(t *testing.T) {
	if os.Getenv("CONVILYN_CORPUS_ENGINES") == "" {
		t.Skip("CONVILYN_CORPUS_ENGINES is not set")
	}
	pages := testkit.PDF(t)
	sums := newTally()
	t.Run("engines", func(t *testing.T) {
		for pair, able := range contested(t) {
			source, target, _ := strings.Cut(pair, " to ")
			for _, engine := range able {
				registry := engines.NewRegistry(t.Context(), engine)
				for _, file := range corpus.Files() {
					if file.Format != source || !strings.Contains(file.Name, os.Getenv("CONVILYN_CORPUS_ONLY")) {
						continue
					}
					t.Run(pair+" by "+engine.Name+" "+file.Name, func(t *testing.T) {
						t.Parallel()
						got := judged(t, registry, pages, file, target)
						sums.add(pair+" by "+engine.Name, file.Name, got.kind)
						t.Logf("%s: %s", got.kind, got.detail)
					})
				}
			}
		}
	})
	t.Log(sums.table("pair and engine"))
}

// contested are the pairs of the corpus's formats that several engines here have.
func contested(t *testing.T) map[string][]engines.Engine {
	t.Helper()
	var here []engines.Engine
	registries(t)["all programs"].Around(func(e engines.Engine) engines.Engine {
		here = append(here, e)
		return e
	})
	out := map[string][]engines.Engine{}
	for _, engine := range here {
		for _, route := range engine.Routes {
			pair := route.Source + " to " + route.Target
			out[pair] = append(out[pair], engine)
		}
	}
	for pair, able := range out {
		if len(able) < 2 || engines.Engine(able[0]).Name == "gotenberg" {
			delete(out, pair)
		}
	}
	return out
}

// Real files of any folder, CONVILYN_CORPUS: words that two readers find in a source and that the output lacks are lost, where no
// note names a loss.
func TestCorpus_RealFiles(t *testing.T) {
	dir := os.Getenv("CONVILYN_CORPUS")
	if dir == "" {
		t.Skip("CONVILYN_CORPUS names no folder")
	}
	pages := testkit.PDF(t)
	for name, registry := range registries(t) {
		sums := newTally()
		t.Run(name, func(t *testing.T) {
			require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || !entry.Type().IsRegular() {
					return err
				}
				format, _ := client.FormatOf(path)
				relative, _ := filepath.Rel(dir, path)
				for _, target := range targets(registry, format) {
					t.Run(relative+" to "+target, func(t *testing.T) {
						t.Parallel()
						kind, detail := judgedReal(t, registry, pages, path, format, target)
						sums.add(format, relative, kind)
						if kind == "wrong" {
							t.Errorf("lost, and no note says so: %s", detail)
						} else if detail != "" {
							t.Logf("%s: %s", kind, detail)
						}
					})
				}
				return nil
			}))
		})
		t.Log(sums.table(name))
	}
}

// witnesses are the texts of a source by readers that share nothing, of each format.
func witnesses(t *testing.T, pages engines.Engine, format string, data []byte) (out []string) {
	t.Helper()
	take := func(said string, err error) {
		if err == nil && strings.TrimSpace(said) != "" {
			out = append(out, said)
		}
	}
	if slices.Contains([]string{"docx", "odt", "rtf", "html", "epub", "md"}, format) {
		from := map[string]string{"md": "gfm"}[format]
		if from == "" {
			from = format
		}
		take(ask(t, data, format, "pandoc", "--sandbox", "-f", from, "-t", "plain", "--wrap=none", "{}"))
	}
	switch format {
	case "docx", "odt", "rtf", "doc", "xlsx", "ods", "xls":
		home := t.TempDir()
		to := map[string]string{"xlsx": "csv", "ods": "csv", "xls": "csv"}[format]
		if to == "" {
			to = "txt:Text (encoded):UTF8"
		}
		if _, err := ask(t, data, format, "soffice", "-env:UserInstallation=file://"+home, "--headless", "--convert-to", to, "--outdir", home, "{}"); err == nil {
			made, _ := os.ReadFile(filepath.Join(home, "asked."+to[:3]))
			take(string(made), nil)
		}
	case "pdf":
		take(ask(t, data, "pdf", "pdftotext", "-enc", "UTF-8", "{}", "-"))
		out = append(out, testkit.PDFText(t, pages, data))
	}
	if shown, err := corpus.Show(format, data); err == nil {
		take(shown.Text, nil)
	}
	return out
}

func judgedReal(t *testing.T, registry *engines.Registry, pages engines.Engine, path, format, target string) (kind, detail string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	engine, _, err := registry.Find(format, target)
	require.NoError(t, err)
	out, err := testkit.Convert(t, engine, format, target, data)
	if known, ok := engines.AsError(err); ok && known.Code != engines.CodeConversionFailed {
		return "refused", known.Message
	}
	if err != nil {
		return "failed", err.Error()
	}
	shown, err := shownBy(t, pages, target, out.Data[0])
	if err != nil {
		return "unjudged", err.Error()
	}
	said := witnesses(t, pages, format, data)
	if len(said) < 2 {
		return "unjudged", "fewer than two readers of this format"
	}
	lost := corpus.Lost(said, shown.Text)
	lost = slices.DeleteFunc(lost, func(word string) bool { return utf8.RuneCountInString(word) < 2 })
	switch {
	case len(lost) == 0:
		return "right", ""
	case slices.ContainsFunc(out.Warnings, corpus.NamesALoss):
		return "noted", strings.Join(lost[:min(len(lost), 12)], " ")
	}
	return "wrong", fmt.Sprintf("%d words: %s", len(lost), strings.Join(lost[:min(len(lost), 12)], " "))
}

// A row of the table of known losses is about files of the corpus.
func TestKnownLosses(t *testing.T) {
	for _, row := range known {
		assert.True(t, slices.ContainsFunc(corpus.Files(), func(file corpus.File) bool { return strings.Contains(file.Name, row.file) }), row.file)
		assert.NotEmpty(t, row.reason)
	}
}
