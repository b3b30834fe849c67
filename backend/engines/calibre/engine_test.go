package calibre_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/calibre"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const variable = "CONVILYN_TEST_CALIBRE"

// book is an EPUB with one chapter; items go into its manifest.
func book(t *testing.T, chapter, items, spine string) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, part := range [][2]string{
		{"mimetype", "application/epub+zip"},
		{"META-INF/container.xml", `<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`},
		{"OEBPS/c.opf", `<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="2.0" unique-identifier="i"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The ferry</dc:title><dc:language>en</dc:language><dc:identifier id="i">x</dc:identifier></metadata>` +
			`<manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>` + items + `</manifest><spine><itemref idref="a"/>` + spine + `</spine></package>`},
		{"OEBPS/a.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>One</title></head><body><h1>Ærøskøbing</h1><p>Ελένη, дорогой 日本語.</p>` + chapter + `</body></html>`},
	} {
		method := zip.Deflate
		if part[0] == "mimetype" {
			method = zip.Store
		}
		w, err := archive.CreateHeader(&zip.FileHeader{Name: part[0], Method: method})
		require.NoError(t, err)
		_, err = w.Write([]byte(part[1]))
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return out.Bytes()
}

func TestABookAndBack(t *testing.T) {
	engine := testkit.Needed(t, calibre.New(), variable)
	source := book(t, "", "", "")
	kindle, err := testkit.Convert(t, engine, "epub", "azw3", source)
	require.NoError(t, err)
	assert.Equal(t, []string{"stem.azw3"}, kindle.Names)
	assert.NotEmpty(t, kindle.Warnings)
	plain, err := testkit.Convert(t, engine, "azw3", "txt", kindle.Data[0])
	require.NoError(t, err)
	assert.Contains(t, plain.Text(), "Ελένη, дорогой 日本語.")
	older, err := testkit.Convert(t, engine, "azw3", "mobi", kindle.Data[0])
	require.NoError(t, err)
	word, err := testkit.Convert(t, engine, "mobi", "docx", older.Data[0])
	require.NoError(t, err)
	read, err := testkit.Convert(t, text.New(), "docx", "txt", word.Data[0])
	require.NoError(t, err)
	assert.Contains(t, read.Text(), "Ærøskøbing", "by a reader that is not Calibre's")
}

func TestABookOnPages(t *testing.T) {
	engine := testkit.Needed(t, calibre.New(), variable)
	out, err := testkit.Convert(t, engine, "epub", "pdf", book(t, "", "", ""))
	require.NoError(t, err)
	assert.Contains(t, testkit.PDFText(t, testkit.PDF(t), out.Data[0]), "Ærøskøbing")
}

// A book that names files of this machine gets none of them.
func TestAHostileBook(t *testing.T) {
	engine := testkit.Needed(t, calibre.New(), variable)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.xhtml")
	require.NoError(t, os.WriteFile(secret, []byte(`<html xmlns="http://www.w3.org/1999/xhtml"><head><title>s</title></head><body><p>TOPSECRET</p></body></html>`), 0o600))
	up := strings.Repeat("../", 12) + strings.TrimPrefix(secret, "/")
	items, spine := "", ""
	for i, href := range []string{up, secret, "file://" + secret, strings.ReplaceAll(up, "../", "%2e%2e/")} {
		id := string(rune('p' + i))
		items += `<item id="` + id + `" href="` + href + `" media-type="application/xhtml+xml"/>`
		spine += `<itemref idref="` + id + `"/>`
	}
	chapter := `<a href="` + up + `">l</a><iframe src="file://` + secret + `"/><iframe src="` + up + `"/><object data="` + secret + `"/><img src="` + up + `"/>`
	out, err := testkit.Convert(t, engine, "epub", "txt", book(t, chapter, items, spine))
	require.NoError(t, err)
	assert.Contains(t, out.Text(), "Ελένη")
	assert.NotContains(t, out.Text(), "TOPSECRET")
	printed, err := testkit.Convert(t, engine, "epub", "pdf", book(t, chapter, items, spine))
	require.NoError(t, err)
	assert.NotContains(t, testkit.PDFText(t, testkit.PDF(t), printed.Data[0]), "TOPSECRET")
}

func TestInputsThatAreNotWhatTheySay(t *testing.T) {
	engine := testkit.Needed(t, calibre.New(), variable)
	whole := book(t, "", "", "")
	for name, test := range map[string]struct {
		source string
		data   []byte
		code   string
	}{
		"a Word document":  {"epub", testkit.Examples(t, "letter.docx"), engines.CodeUnsupportedInput},
		"text called mobi": {"mobi", []byte("garbage"), engines.CodeUnsupportedInput},
		"epub that is cut": {"epub", whole[:len(whole)/2], engines.CodeUnsupportedInput},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, test.source, "txt", test.data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%s: %v", name, err)
			assert.Equal(t, test.code, e.Code, name)
			assert.Empty(t, out.Data)
		})
	}
}
