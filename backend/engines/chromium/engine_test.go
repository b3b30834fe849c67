package chromium_test

import (
	"image"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/chromium"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const many = "# Ærø 日本語 한국어 😀\n\nПривет, 世界! 🚢\n\n- [x] sailed ⛵\n"

var shared, closeShared = testkit.Shared(chromium.New())

func TestMain(m *testing.M) { testkit.RunAndClose(m, closeShared) }

func need(t *testing.T) engines.Engine {
	t.Helper()
	return testkit.Needed(t, shared, "CONVILYN_TEST_CHROMIUM")
}

func TestMarkdownOfManyWritings(t *testing.T) {
	engine := need(t)
	out, err := testkit.Convert(t, engine, "md", "pdf", []byte(many))
	require.NoError(t, err)
	assert.Empty(t, out.Warnings)
	reader := testkit.PDF(t)
	written := testkit.PDFText(t, reader, out.Data[0])
	for _, part := range []string{"Ærø 日本語 한국어", "Привет, 世界!", "sailed"} {
		assert.Contains(t, written, part)
	}
	pages := testkit.PDFPages(t, reader, out.Data[0])
	require.Len(t, pages, 1, "neither header nor footer asks for a second")
	assert.Greater(t, colours(pages[0]), 50, "emoji are drawn in colours, not as boxes")
	if dir := os.Getenv("CONVILYN_KEEP_PAGES"); dir != "" {
		kept, err := testkit.Convert(t, reader, "pdf", "png", out.Data[0])
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "chromium.png"), kept.Data[0], 0o600))
	}
}

// What is folded on a screen, or has to be scrolled, is on the paper.
func TestWhatAScreenHidesIsPrinted(t *testing.T) {
	engine, reader := need(t), testkit.PDF(t)
	line := strings.Repeat("0123456789 ", 30)
	for name, test := range map[string]struct{ source, page string }{
		"a page":   {"html", "<style>pre{overflow:auto}</style><details><summary>Sum</summary>Body of details</details><pre>" + line + "</pre>"},
		"Markdown": {"md", "<details><summary>Sum</summary>Body of details</details>\n\n    " + line + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, test.source, "pdf", []byte(test.page))
			require.NoError(t, err)
			written := testkit.PDFText(t, reader, out.Data[0])
			assert.Contains(t, written, "Body of details")
			for part := range strings.Lines(written) {
				assert.Less(t, len(part), 200, "the line of code is broken")
			}
		})
	}
}

// A table that is wider than the paper goes to another engine, and is named where there is none.
func TestAWideTable(t *testing.T) {
	engine := need(t)
	table := "<table><tr>" + strings.Repeat("<td>a-rather-long-word", 25) + "</table>"
	_, err := testkit.Convert(t, engine, "html", "pdf", []byte(table), func(in *engines.Request) { in.Helped = true })
	require.ErrorContains(t, err, "wider than the paper")
	out, err := testkit.Convert(t, engine, "html", "pdf", []byte(table))
	require.NoError(t, err)
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "a table is wider than the paper")
	_, err = testkit.Convert(t, engine, "html", "pdf", []byte("<table><tr>"+strings.Repeat("<td>12", 25)+"</table>"), func(in *engines.Request) { in.Helped = true })
	require.NoError(t, err)
}

// A page from a stranger reads no file of this machine, asks nobody, runs nothing and goes nowhere.
func TestAHostilePage(t *testing.T) {
	engine := need(t)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("<p>FETCHED"))
	}))
	defer server.Close()
	secret := filepath.Join(t.TempDir(), "secret.html")
	require.NoError(t, os.WriteFile(secret, []byte("<p>SECRET"), 0o600))
	css := filepath.Join(t.TempDir(), "secret.css")
	require.NoError(t, os.WriteFile(css, []byte("p::after{content:'STYLED'}"), 0o600))
	for name, page := range map[string]string{
		"frames": "<iframe src=file://" + secret + "></iframe><iframe src=file:///etc/passwd></iframe><object data=file://" + secret + "></object><embed src=file://" + secret + ">",
		"asking": "<img src=" + server.URL + "/a.png><link rel=stylesheet href=" + server.URL + "/b.css><iframe src=" + server.URL + "></iframe><link rel=prefetch href=" + server.URL + "/c>",
		"styles": "<style>@import url(file://" + css + ");@font-face{font-family:f;src:url(" + server.URL + "/f.woff)}p{font-family:f}</style><link rel=stylesheet href=file://" + css + ">",
		"script": "<script>document.write('SCRIPTED')</script><p onclick=x id=p></p><img src=x onerror=\"document.body.append('SCRIPTED')\"><svg onload=\"document.write('SCRIPTED')\"></svg>",
		"moving": "<meta http-equiv=refresh content=\"0;url=file://" + secret + "\"><base href=file:///etc/>",
		"asked":  "<meta http-equiv=refresh content=\"0;url=" + server.URL + "\"><form action=" + server.URL + "><input autofocus></form>",
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, "html", "pdf", []byte("<!doctype html><p>before</p>"+page+"<p>behind</p>"))
			require.NoError(t, err, name)
			written := testkit.PDFText(t, testkit.PDF(t), out.Data[0])
			assert.Contains(t, written, "before", name)
			assert.Contains(t, written, "behind", name)
			for _, leak := range []string{"SECRET", "STYLED", "SCRIPTED", "FETCHED", "root:"} {
				assert.NotContains(t, written, leak, name)
			}
		})
	}
	assert.Zero(t, asked.Load())
}

func TestWhatAPrintLacksIsNamed(t *testing.T) {
	engine := need(t)
	page := `<p>all</p><img src="https://example.org/a.png"><img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="><script>1</script><link rel=icon href=x>`
	out, err := testkit.Convert(t, engine, "html", "pdf", []byte(page))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"best_effort: 1 linked picture is not in the document and was left out: https://example.org/a.png", "best_effort: 1 scripts of the page did not run",
	}, out.Warnings)
}

func TestAPageInAnOldEncoding(t *testing.T) {
	engine := need(t)
	page := []byte("<meta charset=shift_jis><p>\x93\xfa\x96\x7b\x8c\xea")
	out, err := testkit.Convert(t, engine, "html", "pdf", page)
	require.NoError(t, err)
	assert.Contains(t, testkit.PDFText(t, testkit.PDF(t), out.Data[0]), "日本語")
}

// What tells its encoding may come after the first kilobyte, by which browsers judge.
func TestConvert_ReadsUTF8ThatNamesNoEncoding(t *testing.T) {
	engine := need(t)
	out, err := testkit.Convert(t, engine, "html", "pdf", []byte("<style>"+strings.Repeat("/* plain */ ", 200)+"</style><p>Ærøskøbing"))
	require.NoError(t, err)
	assert.Contains(t, testkit.PDFText(t, testkit.PDF(t), out.Data[0]), "Ærøskøbing")
}

func TestRefusals(t *testing.T) {
	engine := need(t)
	for name, content := range map[string]string{
		"a picture":               "\x89PNG\r\n\x1a\n\x00\x00",
		"a writing of nobody now": "<p>\U000108A0 is Nabataean or not, \U00016E40 is Medefaidrin: no font here has it",
		"nothing":                 "",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := testkit.Convert(t, engine, "html", "pdf", []byte(content))
			refusal, ok := engines.AsError(err)
			require.True(t, ok, "%s: %v", name, err)
			assert.Equal(t, engines.CodeUnsupportedInput, refusal.Code, name)
		})
	}
}

// A program that ends well and makes nothing has failed, and one of the same name is not taken for it.
func TestProgramsThatAreNotIt(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "chromium")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho Browser 1.0\n"), 0o700))
	t.Setenv("PATH", dir)
	_, err := chromium.New().Version(t.Context())
	require.ErrorContains(t, err, "is not Chromium")
	_, err = testkit.Convert(t, chromium.New(), "html", "pdf", []byte("<p>text"))
	require.ErrorContains(t, err, "chromium made no pdf of this file; it said: Browser 1.0")
	assert.NotContains(t, err.Error(), strings.TrimSuffix(os.TempDir(), "/")+"/convilyn")
}

// colours counts the colours of a picture that are no greys.
func colours(m image.Image) int {
	seen := map[[3]uint32]bool{}
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			r, g, b, _ := m.At(x, y).RGBA()
			if max(r, g, b)-min(r, g, b) > 0x2000 {
				seen[[3]uint32{r, g, b}] = true
			}
		}
	}
	return len(seen)
}
