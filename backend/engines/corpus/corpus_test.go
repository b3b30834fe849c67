package corpus_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "image/gif"
	_ "image/jpeg"

	"github.com/gen2brain/avif"
	"github.com/gen2brain/webp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/corpus"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// outcome is what became of a file on a route: right, noted, refused, failed, wrong or unjudged.
type outcome struct {
	kind   string
	engine string
	detail string
}

// judged converts a file and compares what came out with what the file says.
func judged(t *testing.T, registry *engines.Registry, pages engines.Engine, file corpus.File, target string) outcome {
	t.Helper()
	engine, _, err := registry.Find(file.Format, target)
	require.NoError(t, err)
	out, err := testkit.Convert(t, engine, file.Format, target, file.Data)
	if known, ok := engines.AsError(err); ok {
		kind := "refused"
		if known.Code == engines.CodeConversionFailed {
			kind = "failed"
		}
		return outcome{kind, engine.Name, known.Message}
	}
	if err != nil {
		return outcome{"failed", engine.Name, err.Error()}
	}

	verdict, err := compare(t, pages, file, target, out)
	switch {
	case err != nil:
		return outcome{"unjudged", engine.Name, err.Error()}
	case len(verdict.Faults) > 0:
		return outcome{"wrong", engine.Name, fmt.Sprint(verdict.Faults)}
	case len(verdict.Excused) > 0:
		return outcome{"noted", engine.Name, fmt.Sprint(verdict.Excused)}
	}
	return outcome{"right", engine.Name, ""}
}

func compare(t *testing.T, pages engines.Engine, file corpus.File, target string, out testkit.Converted) (corpus.Verdict, error) {
	t.Helper()
	if file.Truth.Colour != nil {
		m, err := decoded(t, pages, target, out)
		if err != nil || m == nil {
			return corpus.Verdict{}, err
		}
		tolerance := map[string]int{"png": 2, "tiff": 2, "bmp": 2, "ppm": 2, "gif": 12}[target]
		if tolerance == 0 || file.Format == "jpg" || file.Format == "webp" {
			tolerance = 14 // of losses that are named
		}
		return corpus.JudgePicture(*file.Truth.Colour, m, out.Warnings, tolerance), nil
	}
	shown, err := shownBy(t, pages, target, out.Data[0])
	if err != nil {
		return corpus.Verdict{}, err
	}
	return corpus.Judge(file.Truth, target, shown, out.Warnings), nil
}

// shownBy reads an output by the reader of the corpus, or by a program where that has none.
func shownBy(t *testing.T, pages engines.Engine, target string, data []byte) (corpus.Shown, error) {
	t.Helper()
	switch target {
	case "pdf":
		if said, err := ask(t, data, "pdf", "pdftotext", "-layout", "-enc", "UTF-8", "{}", "-"); err == nil {
			return corpus.Shown{Text: said}, nil
		}
		return corpus.Shown{Text: testkit.PDFText(t, pages, data)}, nil
	case "rtf":
		home := t.TempDir()
		if _, err := ask(t, data, "rtf", "soffice", "-env:UserInstallation=file://"+home, "--headless", "--convert-to", "txt:Text (encoded):UTF8", "--outdir", home, "{}"); err != nil {
			return corpus.Shown{}, err
		}
		said, err := os.ReadFile(filepath.Join(home, "asked.txt"))
		more, _ := ask(t, data, "rtf", "pandoc", "--sandbox", "-f", "rtf", "-t", "plain", "--wrap=none", "{}") // the other leaves notes out
		return corpus.Shown{Text: string(said) + "\n" + more}, err                                             //nolint:wrapcheck // shown as it is
	}
	return corpus.Show(target, data) //nolint:wrapcheck // shown as it is
}

// ask calls a program with a file of the data in the place of {}.
func ask(t *testing.T, data []byte, format, program string, args ...string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "asked."+format)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	args = slices.Clone(args)
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "{}", path)
	}
	said, err := exec.CommandContext(t.Context(), program, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", program, err)
	}
	return string(said), nil
}

// decoded is a picture as another decoder than the engine's sees it; nil for a page, of which the count alone is looked at.
func decoded(t *testing.T, pages engines.Engine, target string, out testkit.Converted) (image.Image, error) {
	t.Helper()
	data := out.Data[0]
	switch target {
	case "pdf":
		if n := len(testkit.PDFPages(t, pages, data)); n != 1 {
			return nil, fmt.Errorf("%d pages", n)
		}
		return nil, nil //nolint:nilnil // as the comment says
	case "avif":
		return avif.Decode(bytes.NewReader(data)) //nolint:wrapcheck // shown as it is
	case "webp":
		all, err := webp.DecodeAll(bytes.NewReader(data)) // Decode takes the range of film for that of pictures
		if err != nil {
			return nil, err //nolint:wrapcheck // shown as it is
		}
		return all.Image[0], nil
	case "heic", "jp2", "ppm":
		to := filepath.Join(t.TempDir(), "decoded.png")
		if _, err := ask(t, data, target, "vips", "copy", "{}", to); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(to)
		require.NoError(t, err)
		return png.Decode(bytes.NewReader(data)) //nolint:wrapcheck // shown as it is
	}
	m, _, err := image.Decode(bytes.NewReader(data))
	return m, err //nolint:wrapcheck // shown as it is
}

// builtIn are the engines that need no installation.
func builtIn(t *testing.T) *engines.Registry {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	registry := engines.NewRegistry(t.Context(), text.New(), tables.New(), images.New(), pdf.New(filepath.Join(cache, "convilyn")))
	t.Cleanup(func() { require.NoError(t, registry.Close()) })
	return registry
}

// targets are those to which a registry converts a format.
func targets(registry *engines.Registry, format string) []string {
	var out []string
	for _, route := range registry.Offered() {
		if route.Source == format {
			out = append(out, route.Target)
		}
	}
	slices.Sort(out)
	return out
}

// The corpus is the same each time, large enough, and its names are.
func TestFiles(t *testing.T) {
	files, again := corpus.Files(), corpus.Files()
	assert.Equal(t, files, again)
	assert.Greater(t, len(files), 200)
	names := map[string]bool{}
	for _, file := range files {
		assert.False(t, names[file.Name], file.Name)
		names[file.Name] = true
		assert.NotEmpty(t, file.Data, file.Name)
		assert.True(t, len(file.Truth.Words) > 0 || file.Truth.Colour != nil, file.Name)
	}
}

// What is built in loses nothing unsaid of files that stand for their kinds. The deep tests convert them all.
func TestBuiltInOnSome(t *testing.T) {
	registry, pages := builtIn(t), testkit.PDF(t)
	for _, file := range corpus.Files() {
		if strings.Contains(file.Name, "middle") || strings.Contains(file.Name, "odd") || strings.Contains(file.Name, "mix") || strings.Contains(file.Name, "40x3") {
			continue
		}
		for _, target := range targets(registry, file.Format) {
			if target == "pdf" || target == "avif" { // which take long
				continue
			}
			t.Run(file.Name+" to "+target, func(t *testing.T) {
				if got := judged(t, registry, pages, file, target); got.kind == "wrong" || got.kind == "failed" {
					assert.True(t, isKnown(got.engine, file.Name, target), "%s %s: %s", got.kind, got.engine, got.detail)
				}
			})
		}
	}
}

// planted takes something away from what an engine makes, unsaid.
func planted(engine engines.Engine, lose func([]byte) []byte) engines.Engine {
	convert := engine.Convert
	engine.Convert = func(ctx context.Context, in engines.Request) (engines.Result, error) {
		result, err := convert(ctx, in)
		if err != nil {
			return result, err
		}
		data, err := os.ReadFile(result.Files[0].Path)
		if err != nil {
			return result, err
		}
		return result, os.WriteFile(result.Files[0].Path, lose(data), 0o600)
	}
	return engine
}

// Every loss that is planted is found: a word, a number, a row, an order, a place of two words, a colour, a size.
func TestPlantedLosses(t *testing.T) {
	pages := testkit.PDF(t)
	files := map[string]corpus.File{}
	for _, file := range corpus.Files() {
		files[file.Name] = file
	}
	without := func(word string) func([]byte) []byte {
		return func(data []byte) []byte { return bytes.Replace(data, []byte(word), nil, 1) }
	}
	replaced := func(from, to string) func([]byte) []byte {
		return func(data []byte) []byte { return bytes.Replace(data, []byte(from), []byte(to), 1) }
	}
	plain, table, cells := files["html/plain"], files["html/table"], files["csv/comma bare 3x7"]
	words := func(f corpus.File, i int) string { return f.Truth.Words[i].Text }

	for name, test := range map[string]struct {
		file   corpus.File
		engine engines.Engine
		target string
		lose   func([]byte) []byte
		kind   string
	}{
		"a word of a page":       {plain, text.New(), "md", without(words(plain, 0)), "missing"},
		"a number of a text":     {plain, text.New(), "txt", without(words(plain, 1)), "missing"},
		"a digit":                {plain, text.New(), "txt", replaced(words(plain, 1), words(plain, 1)[1:]), "missing"},
		"two words run into one": {plain, text.New(), "txt", replaced(" and ", ""), "missing"},
		"two paragraphs change places": {plain, text.New(), "txt", func([]byte) []byte {
			return []byte(words(plain, 2) + "\n\n" + words(plain, 0) + " and " + words(plain, 1))
		}, "order"},
		"a table falls into lines": {table, text.New(), "md", func([]byte) []byte {
			return []byte(words(table, 0) + "\n\n" + words(table, 1) + "\n\n" + words(table, 2) + "\n\n" + words(table, 3))
		}, "row"},
		"a number of a table":             {cells, tables.New(), "html", without(words(cells, 5)), "missing"},
		"a row of a table":                {cells, tables.New(), "md", func(data []byte) []byte { return data[:bytes.LastIndexByte(bytes.TrimSpace(data), '\n')] }, "missing"},
		"two cells run together":          {cells, tables.New(), "md", func(data []byte) []byte { return bytes.ReplaceAll(data, []byte(" | "), nil) }, "missing"},
		"hidden text is shown":            {files["html/hidden"], text.New(), "md", func(data []byte) []byte { return append(data, words(files["html/hidden"], 1)...) }, "shown"},
		"an address":                      {files["html/link"], text.New(), "md", without("https://example.org/linked"), "link"},
		"other colours":                   {files["pictures/bmp 24 bit colours small"], images.New(), "png", func([]byte) []byte { return blank(t, 64, 32) }, "colour"},
		"another size":                    {files["pictures/bmp 24 bit colours small"], images.New(), "png", func([]byte) []byte { return blank(t, 63, 32) }, "size"},
		"a picture that lies on its side": {files["pictures/jpg turned 6"], images.New(), "png", func([]byte) []byte { return blank(t, 48, 32) }, "size"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEmpty(t, test.file.Data, "the corpus has this file")
			engine := planted(test.engine, test.lose)
			found := judged(t, engines.NewRegistry(t.Context(), engine), pages, test.file, test.target)
			require.Equal(t, "wrong", found.kind, found.detail)
			assert.Contains(t, found.detail, test.kind+": ")
		})
	}
}

func blank(t *testing.T, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, image.NewNRGBA(image.Rect(0, 0, width, height))))
	return out.Bytes()
}
