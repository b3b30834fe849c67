package backend_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/chromium"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// Every pair that is offered, or would be, is one of the API's; each is offered once.
func TestEveryRouteIsOneOfTheAPIs(t *testing.T) {
	registry := backend.DefaultRegistry(t.Context(), backend.EngineSettings{CacheDir: t.TempDir()})
	defer func() { require.NoError(t, registry.Close()) }()
	seen := map[engines.Route]bool{}
	look := func(route engines.Route) {
		_, err := client.FamilyFor(route.Source, route.Target)
		assert.NoError(t, err)
		route.Quality, route.Reserve = "", false
		assert.False(t, seen[route], "%s to %s twice", route.Source, route.Target)
		seen[route] = true
	}
	for _, route := range registry.Offered() {
		look(route.Route)
	}
	for _, route := range registry.Unavailable() {
		look(route.Route)
		assert.NotEmpty(t, route.Package)
	}
	pairs := len(seen)
	assert.Equal(t, 299, pairs, "with every package, as docs/engines.md says")
}

// On a bare machine each pair that is refused names what would make it possible.
func TestABareMachine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	registry := backend.DefaultRegistry(t.Context(), backend.EngineSettings{CacheDir: t.TempDir()})
	defer func() { require.NoError(t, registry.Close()) }()
	for _, status := range registry.Statuses(t.Context()) {
		assert.Equal(t, status.Package != "", status.Missing, status.Name)
	}
	for pair, remedy := range map[[2]string]string{
		{"svg", "png"}: "libvips-tools", {"mp4", "webm"}: "ffmpeg", {"md", "epub"}: "pandoc", {"epub", "mobi"}: "calibre", {"png", "txt"}: "tesseract-ocr",
		{"epub", "docx"}: "pandoc or calibre", {"rtf", "pdf"}: "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui libreoffice-math-nogui or a Gotenberg server (CONVILYN_GOTENBERG_URL)",
	} {
		t.Run(fmt.Sprintf("pair %v", pair), func(t *testing.T) {
			_, _, err := registry.Find(pair[0], pair[1])
			require.ErrorContains(t, err, "installing "+remedy+" makes it possible")
		})
	}
	found, _, err := registry.Find("md", "pdf")
	require.NoError(t, err)
	_, err = testkit.Convert(t, found, "md", "pdf", []byte("# 日本語"))
	require.ErrorContains(t, err, "install chromium")
	out, err := testkit.Convert(t, found, "md", "pdf", []byte("# Ship 🚢"))
	require.NoError(t, err)
	assert.Contains(t, out.Warnings[0], "U+1F6A2", "the code stands in where nobody draws it")
}

// The best engine for a pair goes first where everything is installed, and what is built in where nothing is.
func TestTheOrderOfEngines(t *testing.T) {
	order := backend.InOrder(backend.EngineSettings{CacheDir: t.TempDir(), GotenbergURL: "http://127.0.0.1:1"}, func(context.Context, engines.Request) (engines.Result, error) {
		return engines.Result{}, nil
	})
	for i := range order {
		order[i].Version = nil // each is found
	}
	registry := engines.NewRegistry(t.Context(), order...)
	defer func() { require.NoError(t, registry.Close()) }()
	for pair, first := range map[string]string{
		"docx pdf": "libreoffice", "xlsx pdf": "libreoffice", "odt html": "libreoffice", "docx odt": "libreoffice",
		"html pdf": "chromium", "md pdf": "chromium", "txt pdf": "text",
		"png jpg": "vips", "webp png": "vips", "heic jpg": "vips", "tiff gif": "vips", "jpg pdf": "images", "bmp png": "images",
		"docx md": "text", "docx html": "text", "html md": "text", "md html": "text", "xlsx csv": "tables", "csv xlsx": "tables",
		"md docx": "pandoc", "html docx": "pandoc", "html odt": "pandoc", "md epub": "pandoc", "epub md": "pandoc", "epub pdf": "calibre", "pdf txt": "pdf", "pptx png": "libreoffice", "png txt": "tesseract",
	} {
		t.Run(pair, func(t *testing.T) {
			source, target, _ := strings.Cut(pair, " ")
			found, _, err := registry.Find(source, target)
			require.NoError(t, err)
			assert.Equal(t, first, found.Name)
		})
	}
}

// Any writing is on the page, by whichever engine.
func TestAnyWritingOnPages(t *testing.T) {
	testkit.SkipIfShort(t, "it draws many pages")
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	testkit.Needed(t, chromium.New(), "CONVILYN_TEST_CHROMIUM")
	registry := backend.DefaultRegistry(t.Context(), backend.EngineSettings{CacheDir: t.TempDir()})
	defer func() { require.NoError(t, registry.Close()) }()
	found, _, err := registry.Find("md", "pdf")
	require.NoError(t, err)
	for _, content := range []string{"# 日本語", "# Ship 🚢"} {
		t.Run(content, func(t *testing.T) {
			out, err := testkit.Convert(t, found, "md", "pdf", []byte(content))
			require.NoError(t, err)
			assert.Empty(t, out.Warnings, content)
			assert.Contains(t, testkit.PDFText(t, testkit.PDF(t), out.Data[0]), content[2:6])
		})
	}
}
