package backend_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/fidelity"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/client"
)

// measuredRoutes are those that the corpus is converted along.
var measuredRoutes = map[string][]string{
	"docx": {"md", "html", "txt", "pdf", "odt"}, "odt": {"docx", "txt", "pdf", "md"}, "rtf": {"docx", "txt"}, "pptx": {"pdf"},
	"html": {"md", "txt", "pdf", "docx"}, "md": {"html", "txt", "pdf", "docx"}, "epub": {"txt", "html"}, "txt": {"html", "pdf"},
	"xlsx": {"csv", "html", "md", "pdf"}, "csv": {"xlsx", "html", "md"}, "ods": {"csv", "xlsx"}, "pdf": {"txt", "png"},
	"png": {"jpg", "pdf"}, "jpg": {"png"}, "gif": {"png", "webp"}, "webp": {"png"}, "tiff": {"png", "pdf"}, "bmp": {"png"},
}

type measured struct {
	Source, Target string
	Report         fidelity.Report
	Warnings       []string
	Outputs        []string
	Refused        string
	Millis, Check  int64
}

// TestCheckCorpus converts the files of the folder CONVILYN_CHECK_CORPUS, and lists what the check says of each, a JSON object a
// line, in CONVILYN_CHECK_OUT. Into outputs without a loss it plants some, and counts those that are found. A conversion whose outputs are there from an earlier time is not repeated.
func TestCheckCorpus(t *testing.T) {
	corpus, kept := os.Getenv("CONVILYN_CHECK_CORPUS"), os.Getenv("CONVILYN_CHECK_OUT")
	if corpus == "" || kept == "" {
		t.Skip("CONVILYN_CHECK_CORPUS and CONVILYN_CHECK_OUT name no folders")
	}
	cache := filepath.Join(kept, "cache")
	require.NoError(t, os.MkdirAll(cache, 0o700))
	registry := backend.DefaultRegistry(t.Context(), backend.EngineSettings{CacheDir: cache})
	pages := pdf.NewReader(cache)
	reader := fidelity.Reader{PDF: pages.Read}
	list, err := os.Create(filepath.Join(kept, "list.jsonl"))
	require.NoError(t, err)
	encoder := json.NewEncoder(list)
	counts := map[string]*[2]int{}
	only := os.Getenv("CONVILYN_CHECK_ROUTES") // such as docx-md,html-md

	require.NoError(t, filepath.WalkDir(corpus, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		source, _ := client.FormatOf(path)
		for _, target := range measuredRoutes[source] {
			if only != "" && !strings.Contains(","+only+",", ","+source+"-"+target+",") {
				continue
			}
			name, _ := filepath.Rel(corpus, path)
			m := measure(t, registry, reader, path, source, target, kept, counts)
			m.Source, m.Target = name, target
			if err := encoder.Encode(m); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%s: found %d of %d", name, counts[name][0], counts[name][1])
	}
	require.NoError(t, list.Close())
	require.NoError(t, pages.Close())
	require.NoError(t, registry.Close())
}

func measure(t *testing.T, registry *engines.Registry, reader fidelity.Reader, path, source, target, kept string, counts map[string]*[2]int) measured {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	sum := sha256.Sum256(data)
	folder := filepath.Join(kept, "made", source+"-"+target, hex.EncodeToString(sum[:8]))
	record := folder + ".json"
	var m measured
	var result engines.Result
	in := engines.Request{Source: source, Target: target, InputPath: path, OutDir: folder, Stem: "out", Progress: func(int, string) {}}
	if old, err := os.ReadFile(record); err == nil {
		var was struct {
			Result  engines.Result
			Refused string
			Millis  int64
		}
		require.NoError(t, json.Unmarshal(old, &was))
		result, m.Refused, m.Millis = was.Result, was.Refused, was.Millis
	} else {
		require.NoError(t, os.RemoveAll(folder))
		require.NoError(t, os.MkdirAll(folder, 0o700))
		engine, _, err := registry.Find(source, target)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		begun := time.Now()
		result, err = convertSafely(ctx, engine, in)
		if err != nil {
			m.Refused = fmt.Sprintf("%.300s", err)
		}
		m.Millis = time.Since(begun).Milliseconds()
		text, err := json.Marshal(map[string]any{"Result": result, "Refused": m.Refused, "Millis": m.Millis})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(record, text, 0o600))
	}
	m.Warnings = result.Warnings
	for _, file := range result.Files {
		m.Outputs = append(m.Outputs, file.Path)
	}
	if m.Refused != "" {
		return m
	}
	begun := time.Now()
	m.Report, err = reader.Check(t.Context(), in, result)
	require.NoError(t, err, path)
	m.Check = time.Since(begun).Milliseconds()
	if len(m.Report.Losses) == 0 && m.Report.Skipped == "" {
		plant(t, reader, in, result, counts)
	}
	return m
}

// plants are losses that are put into an output: what they leave, or the same where there is nothing of the kind.
var plants = []struct {
	name, targets string
	pattern       *regexp.Regexp
	with          func(found string) string
}{
	{"a word", "md txt html", regexp.MustCompile(`[ >][\pL]{2,}[ ,.<]`), func(s string) string { return s[:1] + s[len(s)-1:] }},
	{"a digit", "md txt html csv", regexp.MustCompile(`[ >|,][0-9]{2,}[ <|,.\n]`), func(s string) string {
		return s[:1] + string('0'+(s[1]-'0'+1)%10) + s[2:]
	}},
	{"a paragraph", "html", regexp.MustCompile(`(?s)<p>[^<]*[\pL0-9][^<]*</p>`), func(string) string { return "" }},
	{"a paragraph", "md txt", regexp.MustCompile(`(?m)\n\n[\pL0-9][^\n]+\n\n`), func(string) string { return "\n\n" }},
	{"a row", "html", regexp.MustCompile(`<tr><td>[^<]*[\pL0-9][^\n]*?</tr>`), func(string) string { return "" }},
	{"a row", "md", regexp.MustCompile(`(?m)^\|[^\n]*[\pL0-9][^\n]*\n`), func(string) string { return "" }},
	{"a picture", "html", regexp.MustCompile(`<img [^>]*src="data:[^>]*>`), func(string) string { return "" }},
}

// plant puts each kind of loss into a copy of an output that has none, and counts those that are found.
func plant(t *testing.T, reader fidelity.Reader, in engines.Request, made engines.Result, counts map[string]*[2]int) {
	t.Helper()
	note := func(name string, found bool) {
		key := name + " in " + in.Target
		if counts[key] == nil {
			counts[key] = &[2]int{}
		}
		counts[key][1]++
		if found {
			counts[key][0]++
		}
	}
	if in.Target == "png" && len(made.Files) > 1 {
		report, err := reader.Check(t.Context(), in, engines.Result{Files: made.Files[1:]})
		require.NoError(t, err)
		note("a page", len(report.Losses) > 0)
	}
	if in.Target == "pdf" {
		plantPage(t, reader, in, made, note)
	}
	if len(made.Files) != 1 {
		return
	}
	data, err := os.ReadFile(made.Files[0].Path)
	require.NoError(t, err)
	for i, p := range plants {
		if !strings.Contains(" "+p.targets+" ", " "+in.Target+" ") {
			continue
		}
		body := max(0, strings.Index(string(data), "<body"))
		all := p.pattern.FindAllIndex(data[body:], 400)
		if len(all) == 0 {
			continue
		}
		at := all[(len(data)*7+i*13)%len(all)]
		at[0], at[1] = at[0]+body, at[1]+body
		less := string(data[:at[0]]) + p.with(string(data[at[0]:at[1]])) + string(data[at[1]:])
		path := filepath.Join(t.TempDir(), "less")
		require.NoError(t, os.WriteFile(path, []byte(less), 0o600))
		report, err := reader.Check(t.Context(), in, engines.Result{Files: []engines.File{{Path: path}}})
		require.NoError(t, err)
		note(p.name, len(report.Losses) > 0)
		if len(report.Losses) == 0 {
			t.Logf("not found: %s of %s: %.200q", p.name, made.Files[0].Path, data[at[0]:at[1]])
		}
	}
}

// plantPage leaves a page with words out of a PDF.
func plantPage(t *testing.T, reader fidelity.Reader, in engines.Request, made engines.Result, note func(string, bool)) {
	t.Helper()
	output := made.Files[0].Path
	texts, _, err := reader.PDF(t.Context(), output, nil)
	require.NoError(t, err)
	at := len(texts) / 2
	if len(texts) < 2 || len(strings.Fields(texts[at])) < 3 {
		return
	}
	less := reader
	less.PDF = func(ctx context.Context, path string, pages engines.PageRange) ([]string, int, error) {
		texts, pictures, err := reader.PDF(ctx, path, pages)
		if path == output {
			texts = slices.Delete(texts, at, at+1)
		}
		return texts, pictures, err
	}
	report, err := less.Check(t.Context(), in, made)
	require.NoError(t, err)
	note("a page", len(report.Losses) > 0)
}

func convertSafely(ctx context.Context, engine engines.Engine, in engines.Request) (result engines.Result, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return engine.Convert(ctx, in)
}
