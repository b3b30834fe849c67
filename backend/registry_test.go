package backend_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
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
	assert.Equal(t, 278, pairs, "with every package, as docs/engines.md says")
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
		{"svg", "png"}: "libvips-tools", {"mp4", "webm"}: "ffmpeg", {"md", "epub"}: "pandoc", {"epub", "mobi"}: "calibre",
		{"epub", "docx"}: "pandoc or calibre", {"rtf", "pdf"}: "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui or a Gotenberg server (CONVILYN_GOTENBERG_URL)",
	} {
		_, _, err := registry.Find(pair[0], pair[1])
		require.ErrorContains(t, err, "installing "+remedy+" makes it possible")
	}
	found, _, err := registry.Find("md", "pdf")
	require.NoError(t, err)
	_, err = testkit.Convert(t, found, "md", "pdf", []byte("# 日本語"))
	require.ErrorContains(t, err, "install chromium")
	out, err := testkit.Convert(t, found, "md", "pdf", []byte("# Ship 🚢"))
	require.NoError(t, err)
	assert.Contains(t, out.Warnings[0], "U+1F6A2", "the code stands in where nobody draws it")
}

// What the built-in engine draws it draws; letters and symbols that it cannot go to Chromium.
func TestAnyWritingOnPages(t *testing.T) {
	testkit.SkipIfShort(t, "it draws many pages")
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	registry := backend.DefaultRegistry(t.Context(), backend.EngineSettings{CacheDir: t.TempDir()})
	defer func() { require.NoError(t, registry.Close()) }()
	found, route, err := registry.Find("md", "pdf")
	require.NoError(t, err)
	assert.Equal(t, "text", found.Name)
	assert.False(t, route.Reserve)
	if _, err := os.Stat("/usr/bin/chromium"); errors.Is(err, os.ErrNotExist) && os.Getenv("CONVILYN_TEST_CHROMIUM") != "required" {
		t.Skip("no chromium on this machine")
	}
	page, _, err := registry.Find("html", "pdf")
	require.NoError(t, err)
	assert.Equal(t, "chromium", page.Name)
	for _, content := range []string{"# 日本語", "# Ship 🚢"} {
		out, err := testkit.Convert(t, found, "md", "pdf", []byte(content))
		require.NoError(t, err)
		assert.Empty(t, out.Warnings, content)
		assert.Contains(t, testkit.PDFText(t, testkit.PDF(t), out.Data[0]), content[2:6])
	}
}
