package backend_test

import (
	"archive/zip"
	"bytes"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/calibre"
	"github.com/convilyn/convilyn-temporal/backend/engines/chromium"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/backend/engines/pandoc"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/vips"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/internal/testkit/linked"
)

// Which program reads a format, and what it is to make of it.
var readers = map[string][]struct{ program, target string }{
	"docx": {{"libreoffice", "pdf"}, {"pandoc", "odt"}}, "odt": {{"libreoffice", "pdf"}, {"pandoc", "docx"}}, "rtf": {{"libreoffice", "pdf"}, {"pandoc", "docx"}},
	"pptx": {{"libreoffice", "pdf"}}, "odp": {{"libreoffice", "pdf"}}, "xlsx": {{"libreoffice", "pdf"}}, "ods": {{"libreoffice", "pdf"}},
	"html": {{"libreoffice", "odt"}, {"chromium", "pdf"}, {"pandoc", "docx"}}, "txt": {{"libreoffice", "odt"}}, "csv": {{"libreoffice", "pdf"}},
	"epub": {{"calibre", "pdf"}, {"pandoc", "docx"}}, "svg": {{"vips", "png"}}, "md": {{"chromium", "pdf"}, {"pandoc", "docx"}},
	"doc": {{"libreoffice", "pdf"}}, "xls": {{"libreoffice", "pdf"}}, "ppt": {{"libreoffice", "pdf"}},
}

// Documents of strangers that link to files of this machine: none of it is in what is made of them, and a note says so.
// CONVILYN_TEST_LINKED=all converts them all, not the few that stand for them: a hundred programs take two minutes.
func TestLinkedDocuments(t *testing.T) {
	testkit.SkipIfShort(t, "it starts programs")
	all := os.Getenv("CONVILYN_TEST_LINKED") == "all"
	dir := t.TempDir()
	linked.Canaries(t, dir)
	pdf := testkit.PDF(t)
	programs := map[string]engines.Engine{"libreoffice": libreoffice.New(tables.New().Convert), "chromium": chromium.New(), "pandoc": pandoc.New(), "calibre": calibre.New(), "vips": vips.New()}
	for _, document := range linked.Documents(t, dir) {
		for i, reader := range readers[document.Format] {
			if !all && (i > 0 || document.Kind != "picture png" || document.Format != "docx" && document.Format != "rtf") {
				continue
			}
			t.Run(document.Name()+" by "+reader.program, func(t *testing.T) {
				engine := testkit.Needed(t, programs[reader.program], "CONVILYN_TEST_"+strings.ToUpper(reader.program))
				out, err := testkit.Convert(t, engine, document.Format, reader.target, document.Data)
				if err != nil {
					_, refused := engines.AsError(err)
					assert.True(t, refused, "%v", err)
					t.Logf("TABLE | %s | %s | %s | refused | %v", document.Format, document.Kind, reader.program, err)
					return
				}
				read := shows(t, pdf, reader.target, out.Data[0])
				var note string
				for _, warning := range out.Warnings {
					if strings.Contains(warning, "linked") || strings.Contains(warning, "not inside the document") || strings.Contains(warning, "raw markup") {
						note = strings.ReplaceAll(warning, dir, "DIR")
						break
					}
				}
				t.Logf("TABLE | %s | %s | %s | read: %t | %s", document.Format, document.Kind, reader.program, read, note)
				assert.False(t, read, "a file of this machine is in the %s", reader.target)
				assert.NotEmpty(t, note, "nobody says that something was left out: %q", out.Warnings)
			})
		}
	}
}

// Nothing is cut in the binary formats of old: what holds there is the root of its own.
func TestLinkedDocuments_OfOldFormats(t *testing.T) {
	engine := testkit.Needed(t, libreoffice.New(nil), "CONVILYN_TEST_LIBREOFFICE")
	testkit.Confined(t, "no files but their own")
	dir := t.TempDir()
	linked.Canaries(t, dir)

	for _, document := range linked.Documents(t, dir) {
		old := map[string]string{"odt": "doc", "odp": "ppt", "ods": "xls"}[document.Format]
		if old == "" || document.Kind != "picture png" || old != "doc" && os.Getenv("CONVILYN_TEST_LINKED") != "all" {
			continue
		}
		t.Run(old, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, old, "pdf", asOld(t, document, old))
			require.NoError(t, err)
			assert.False(t, shows(t, testkit.PDF(t), "pdf", out.Data[0]))
		})
	}
}

// asOld is a document in a format that this service does not write, by a program that is not confined.
func asOld(t *testing.T, document linked.Document, format string) []byte {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "in."+document.Format)
	require.NoError(t, os.WriteFile(path, document.Data, 0o600))
	said, err := exec.CommandContext(t.Context(), "soffice", "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", format, "--outdir", dir, path).CombinedOutput()
	require.NoError(t, err, string(said))
	data, err := os.ReadFile(filepath.Join(dir, "in."+format))
	require.NoError(t, err)
	require.True(t, bytes.Contains(data, []byte("canary")) || bytes.Contains(data, []byte("c\x00a\x00n\x00a\x00r\x00y\x00")), "the link is still one")
	return data
}

// shows reports whether words or colour of the canaries are in a file.
func shows(t *testing.T, pdf engines.Engine, format string, data []byte) bool {
	t.Helper()
	switch format {
	case "pdf":
		written, err := testkit.Convert(t, pdf, "pdf", "txt", data)
		if err != nil { // a page may have no words
			_, refused := engines.AsError(err)
			require.True(t, refused, "%v", err)
		} else if strings.Contains(written.Text(), linked.Words) {
			return true
		}
		return slices.ContainsFunc(testkit.PDFPages(t, pdf, data), coloured)
	case "png":
		picture, _, err := image.Decode(bytes.NewReader(data))
		require.NoError(t, err)
		return coloured(picture)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	for _, file := range archive.File {
		content, err := file.Open()
		require.NoError(t, err)
		part, err := io.ReadAll(content)
		require.NoError(t, err)
		if bytes.Contains(part, []byte(linked.Words)) {
			return true
		}
		if picture, _, err := image.Decode(bytes.NewReader(part)); err == nil && coloured(picture) {
			return true
		}
	}
	return false
}

func coloured(picture image.Image) bool {
	at := picture.Bounds()
	for y := at.Min.Y; y < at.Max.Y; y += 2 {
		for x := at.Min.X; x < at.Max.X; x += 2 {
			r, g, b, a := picture.At(x, y).RGBA()
			if a > 0xF000 && r>>8 > 200 && g>>8 < 40 && b>>8 > 130 && b>>8 < 200 {
				return true
			}
		}
	}
	return false
}
