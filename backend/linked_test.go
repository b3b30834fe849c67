package backend_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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
// CONVILYN_TEST_LINKED=all converts them all, not the few that stand for them, and 3/8 the third part of eight.
func TestLinkedDocuments(t *testing.T) {
	testkit.SkipIfShort(t, "it starts programs")
	part := partOf(t)
	dir := t.TempDir()
	linked.Canaries(t, dir)
	pdf := testkit.PDF(t)
	programs := map[string]engines.Engine{"libreoffice": libreoffice.New(tables.New().Convert), "chromium": chromium.New(), "pandoc": pandoc.New(), "calibre": calibre.New(), "vips": vips.New()}
	for n, document := range linked.Documents(t, dir) {
		for i, reader := range readers[document.Format] {
			if i > 0 && (document.Spelled || document.Address != "" && document.Format != "html" && document.Format != "epub") {
				continue // links are cut before a program sees them, and pages alone are read by programs of very different kinds
			}
			stands := i == 0 && document.Kind == "picture png" && (document.Format == "docx" || document.Format == "rtf")
			if !part(n) && !stands {
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
						if note = strings.ReplaceAll(warning, dir, "DIR"); names(warning, document.Address) {
							break
						}
					}
				}
				t.Logf("TABLE | %s | %s | %s | read: %t | named: %t | %s", document.Format, document.Kind, reader.program, read, names(note, document.Address), note)
				assert.False(t, read, "a file of this machine is in the %s", reader.target)
				assert.NotEmpty(t, note, "nobody says that something was left out: %q", out.Warnings)
			})
		}
	}
}

// partOf picks documents by their place in the list: all, one part of several, or none.
func partOf(t *testing.T) func(n int) bool {
	t.Helper()
	asked := os.Getenv("CONVILYN_TEST_LINKED")
	if asked == "" || asked == "all" {
		return func(int) bool { return asked == "all" }
	}
	var which, parts int
	_, err := fmt.Sscanf(asked, "%d/%d", &which, &parts)
	require.NoError(t, err, "CONVILYN_TEST_LINKED is all, or a part such as 3/8")
	require.Positive(t, parts)
	return func(n int) bool { return n%parts == which%parts }
}

// names reports whether a note names what was linked to: by its name, or as it is written.
func names(note, address string) bool {
	return strings.Contains(note, "canary.") || address != "" && strings.Contains(note, address[:min(len(address), 40)])
}

// Nothing is cut in the binary formats of old: what holds there is the root of its own. What they link to is named all the same.
func TestLinkedDocuments_OfOldFormats(t *testing.T) {
	engine := testkit.Needed(t, libreoffice.New(nil), "CONVILYN_TEST_LIBREOFFICE")
	testkit.Confined(t, "no files but their own")
	part := partOf(t)
	dir := t.TempDir()

	for source, old := range map[string]string{"odt": "doc", "odp": "ppt", "ods": "xls"} {
		t.Run(old, func(t *testing.T) {
			var documents []linked.Document
			for n, document := range linked.Documents(t, dir) {
				if document.Format == source && (part(n) || source == "odt" && document.Kind == "picture png") {
					documents = append(documents, document)
				}
			}
			made := asOld(t, documents, old)
			linked.Canaries(t, dir) // not before: what these programs read is in no document

			for i, document := range documents {
				t.Run(document.Kind, func(t *testing.T) {
					holds := bytes.Contains(made[i], []byte("canary.")) || bytes.Contains(made[i], []byte("c\x00a\x00n\x00a\x00r\x00y\x00.\x00"))
					if !holds || old == "ppt" && strings.HasPrefix(document.Kind, "sound") { // which it holds, under the name of a file
						t.Logf("TABLE | %s | %s | libreoffice | holds no such link", old, document.Kind)
						return
					}
					out, err := testkit.Convert(t, engine, old, "pdf", made[i])
					require.NoError(t, err)
					read := shows(t, testkit.PDF(t), "pdf", out.Data[0])
					note := strings.ReplaceAll(strings.Join(out.Warnings, "; "), dir, "DIR")
					t.Logf("TABLE | %s | %s | libreoffice | read: %t | named: %t | %s", old, document.Kind, read, names(note, ""), note)
					assert.False(t, read)
					assert.True(t, names(note, ""), note)
				})
			}
		})
	}
}

// asOld are documents in a format that this service does not write, by a program that is not confined.
func asOld(t *testing.T, documents []linked.Document, format string) (made [][]byte) {
	t.Helper()
	if len(documents) == 0 {
		return nil
	}
	dir := t.TempDir()
	args := []string{"-env:UserInstallation=file://" + dir + "/profile", "--headless", "--convert-to", format, "--outdir", dir}
	for i, document := range documents {
		path := filepath.Join(dir, strconv.Itoa(i)+"."+document.Format)
		require.NoError(t, os.WriteFile(path, document.Data, 0o600))
		args = append(args, path)
	}
	said, err := exec.CommandContext(t.Context(), "soffice", args...).CombinedOutput()
	require.NoError(t, err, string(said))
	for i := range documents {
		data, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)+"."+format))
		require.NoError(t, err)
		made = append(made, data)
	}
	return made
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
