package pandoc_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/pandoc"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const variable = "CONVILYN_TEST_PANDOC"

// parts are the files of an archive.
func parts(t *testing.T, data []byte) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	out := map[string]string{}
	for _, file := range archive.File {
		content, err := file.Open()
		require.NoError(t, err)
		all, err := io.ReadAll(content)
		require.NoError(t, err)
		out[file.Name] = string(all)
	}
	return out
}

func all(parts map[string]string) string {
	var out strings.Builder
	for name, content := range parts {
		out.WriteString(name + "\n" + content + "\n")
	}
	return out.String()
}

func TestAReportInEveryFormat(t *testing.T) {
	engine := testkit.Needed(t, pandoc.New(), variable)
	report := testkit.Examples(t, "report.md")
	for target, part := range map[string]string{"docx": "word/document.xml", "odt": "content.xml", "epub": "EPUB/text/ch001.xhtml", "pptx": "ppt/slides/slide1.xml"} {
		t.Run(target, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, "md", target, report)
			require.NoError(t, err, target)
			assert.Contains(t, parts(t, out.Data[0])[part], "Ærøskøbing", target)
			if target == "pptx" {
				return
			}
			back, err := testkit.Convert(t, engine, target, "md", out.Data[0])
			require.NoError(t, err, target)
			for _, line := range strings.Split(string(report), "\n") {
				if strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "## ") {
					assert.Contains(t, back.Text(), line, target)
				}
			}
			assert.Contains(t, strings.Join(back.Warnings, "\n"), "layout_degraded", target)
		})
	}
	word, err := testkit.Convert(t, engine, "md", "docx", report)
	require.NoError(t, err)
	read, err := testkit.Convert(t, text.New(), "docx", "txt", word.Data[0])
	require.NoError(t, err)
	assert.Contains(t, read.Text(), "Ærøskøbing", "by a reader that is not Pandoc's")
}

// A picture that a document carries goes along; where there is no place for it, that is said.
func TestPicturesInside(t *testing.T) {
	engine := testkit.Needed(t, pandoc.New(), variable)
	photo := testkit.Examples(t, "photo.png")
	book, err := testkit.Convert(t, engine, "md", "epub", []byte("# One\n\n![sea](data:image/png;base64,"+base64.StdEncoding.EncodeToString(photo)+")\n"))
	require.NoError(t, err)
	assert.Empty(t, book.Warnings)
	word, err := testkit.Convert(t, engine, "epub", "docx", book.Data[0])
	require.NoError(t, err)
	found := false
	for name, content := range parts(t, word.Data[0]) {
		found = found || strings.HasPrefix(name, "word/media/") && content == string(photo)
	}
	assert.True(t, found, "byte for byte")
	page, err := testkit.Convert(t, engine, "docx", "html", word.Data[0])
	require.NoError(t, err)
	assert.Contains(t, page.Text(), "data:image/png;base64,")
	plain, err := testkit.Convert(t, engine, "docx", "md", word.Data[0])
	require.NoError(t, err)
	assert.Contains(t, strings.Join(plain.Warnings, "\n"), "1 pictures were left out; md has no place for them")
}

// Nothing that a document names is read, by whatever way its writer would.
func TestHostileDocuments(t *testing.T) {
	engine := testkit.Needed(t, pandoc.New(), variable)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.png")
	require.NoError(t, os.WriteFile(secret, []byte("TOPSECRET"), 0o600))
	encoded := base64.StdEncoding.EncodeToString([]byte("TOPSECRET"))
	documents := map[string]string{
		"md": "---\ncover-image: " + secret + "\ncss: " + secret + "\nbibliography: " + secret + "\nheader-includes: '<link rel=stylesheet href=" + secret + ">'\n---\n# T {background-image=" + secret + "}\n\n" +
			"![a](" + secret + ") ![b](file://" + secret + ") <img src=\"" + secret + "\"> <video src=\"" + secret + "\"></video>\n\n<img src=\"" + secret + "\">\n",
		"html": "<html><head><link rel=stylesheet href=" + secret + "><title>t</title></head><body data-src=" + secret + "><h1 data-background-image=" + secret + ">T</h1>" +
			"<img src=" + secret + "><img src=file://" + secret + "><div data-src=" + secret + ">d</div><iframe src=" + secret + "></iframe><object data=" + secret + "></object>",
	}
	for source, document := range documents {
		for _, target := range []string{"docx", "odt", "epub", "pptx", "rtf", "html", "txt", "md"} {
			if source == target {
				continue
			}
			out, err := testkit.Convert(t, engine, source, target, []byte(document))
			require.NoError(t, err, "%s %s", source, target)
			made := out.Text()
			if strings.HasPrefix(made, "PK") {
				made = all(parts(t, out.Data[0]))
			}
			assert.NotContains(t, made, "TOPSECRET", "%s %s", source, target)
			assert.NotContains(t, made, encoded, "%s %s", source, target)
			assert.Contains(t, strings.Join(out.Warnings, "\n"), "not in the document and were left out")
		}
	}
}

func TestInputsThatAreNotWhatTheySay(t *testing.T) {
	engine := testkit.Needed(t, pandoc.New(), variable)
	letter := testkit.Examples(t, "letter.docx")
	for name, test := range map[string]struct {
		source string
		data   []byte
	}{
		"text called docx": {"docx", []byte("garbage")},
		"docx that is cut": {"docx", letter[:len(letter)/2]},
		"docx called odt":  {"odt", letter},
		"docx called epub": {"epub", letter},
		"nothing":          {"md", nil},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, test.source, "html", test.data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%s: %v", name, err)
			assert.Equal(t, engines.CodeUnsupportedInput, e.Code, name)
			assert.Empty(t, out.Data)
		})
	}
}

// What Pandoc leaves out unsaid is measured: in a note, or refused where another engine has the route.
func TestConvert_MeasuresWhatIsLost(t *testing.T) {
	engine := testkit.Needed(t, pandoc.New(), variable)
	const content = `<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" ` +
		`xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" office:version="1.2"><office:body><office:text><text:p>Before</text:p><table:table><table:table-column/>` +
		`<table:table-row><table:table-cell><table:table><table:table-column/><table:table-row><table:table-cell><text:p>inner 4711</text:p></table:table-cell></table:table-row>` +
		`</table:table></table:table-cell></table:table-row></table:table></office:text></office:body></office:document-content>`
	document := testkit.Zip(t,
		"mimetype", "application/vnd.oasis.opendocument.text",
		"content.xml", content,
		"styles.xml", `<office:document-styles xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:styles/></office:document-styles>`,
	)

	out, err := testkit.Convert(t, engine, "odt", "md", document)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "4711")

	_, err = testkit.Convert(t, engine, "odt", "md", document, func(in *engines.Request) { in.Helped = true })
	refused, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "LOSES_TEXT", refused.Reason)
}

// A page is in the encoding that it names, and tables are tables where tags are left open.
func TestConvert_PagesAsBrowsersReadThem(t *testing.T) {
	engine := testkit.Needed(t, pandoc.New(), variable)
	page := "<meta charset=windows-1251><table><tr><th>\xc8\xec\xff<th>Net<tr><td>\xcf\xf0\xe8\xe2\xe5\xf2<td>24</table><p hidden>secret</p>"
	out, err := testkit.Convert(t, engine, "html", "docx", []byte(page))
	require.NoError(t, err)
	document := parts(t, out.Data[0])["word/document.xml"]
	assert.Contains(t, document, "Привет")
	assert.Contains(t, document, "<w:tbl>")
	assert.NotContains(t, document, "secret")
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "hidden")
}
