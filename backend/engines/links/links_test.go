package links_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/links"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/internal/testkit/linked"
)

// cut gives what became of a document.
func cut(tb testing.TB, format string, data []byte) ([]byte, []links.Link, error) {
	tb.Helper()
	dir := tb.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	require.NoError(tb, os.WriteFile(from, data, 0o600))
	found, err := links.Cut(tb.Context(), from, to, format)
	if err != nil {
		return nil, nil, err
	}
	out, err := os.ReadFile(to)
	require.NoError(tb, err)
	return out, found, nil
}

// unpacked is all that a document holds, one part after another.
func unpacked(tb testing.TB, data []byte) string {
	tb.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return strings.ReplaceAll(string(data), "\x00", "")
	}
	var out strings.Builder
	for _, file := range archive.File {
		content, err := file.Open()
		require.NoError(tb, err)
		part, err := io.ReadAll(content)
		require.NoError(tb, err)
		out.Write(part)
	}
	return out.String()
}

func TestCut_LeavesNoLinkOfAnyKind(t *testing.T) {
	const dir = "/nowhere/canaries"
	for _, document := range linked.Documents(t, dir) {
		if document.Format == "md" {
			continue // who reads it loads nothing
		}
		t.Run(document.Name(), func(t *testing.T) {
			address := document.Address
			if address == "" || !strings.Contains(unpacked(t, document.Data), address) { // some formulas part them
				address = dir
			}
			require.True(t, strings.Contains(unpacked(t, document.Data), address) || document.Kind == "drawing in a drawing")
			out, found, err := cut(t, document.Format, document.Data)
			require.NoError(t, err)
			if document.Format != "csv" { // what was a formula is text
				assert.NotContains(t, unpacked(t, out), address)
			}
			require.NotEmpty(t, found)
			assert.NotEmpty(t, links.Notes(found))
			again, found, err := cut(t, document.Format, out)
			require.NoError(t, err)
			assert.Empty(t, found)
			assert.Equal(t, out, again)
		})
	}
}

// Documents without links, and with links that only readers follow, go to the programs as they are.
func TestCut_LeavesOthersAsTheyAre(t *testing.T) {
	for _, name := range []string{"letter.docx", "budget.xlsx", "chart.svg", "brochure.pdf", "report.md", "people.csv"} {
		t.Run(name, func(t *testing.T) {
			data := testkit.Examples(t, name)
			out, found, err := cut(t, strings.TrimPrefix(filepath.Ext(name), "."), data)
			require.NoError(t, err)
			assert.Empty(t, found)
			assert.Equal(t, data, out)
		})
	}
	for name, document := range map[string]struct{ format, data string }{
		"page":     {"html", `<!doctype html><link rel=canonical href=https://example.org/><a href="file:///etc/passwd">x</a><img src="data:image/png;base64,AAAA"><IMG SRC='#x'><p style="color:red">a & b</P><svg><use href="#a"/></svg>`},
		"text":     {"rtf", `{\rtf1\ansi {\field{\*\fldinst{HYPERLINK "https://example.org/"}}{\fldrslt x}}{\*\fldinst PAGE}\'e4\u228?{\pict\bin3 }}}}`},
		"drawing":  {"svg", `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg">]><svg xmlns="&ns;"><a href="https://example.org/"><rect fill="url(#g)"/></a></svg>`},
		"latin":    {"svg", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><svg><text>\xe4</text></svg>"},
		"sentence": {"txt", "INCLUDEPICTURE \"file:///x\" is a field"},
	} {
		t.Run(name, func(t *testing.T) {
			out, found, err := cut(t, document.format, []byte(document.data))
			require.NoError(t, err)
			assert.Empty(t, found)
			assert.Equal(t, document.data, string(out))
		})
	}
}

// Addresses are written in many ways.
func TestCut_KnowsAddressesInDisguise(t *testing.T) {
	for name, document := range map[string]struct{ format, data string }{
		"no quotes":            {"html", `<img src=file:///x>`},
		"upper case":           {"html", `<IMG SRC="FILE:///x">`},
		"character references": {"html", `<img src="&#102;ile&colon;///x">`},
		"tab in the scheme":    {"html", "<img src=\"fi\tle:///x\">"},
		"path":                 {"html", `<img src="/x">`},
		"beside it":            {"html", `<img src="x">`},
		"drive":                {"html", `<img src="c:\x">`},
		"share":                {"html", `<img src="\\host\x">`},
		"network":              {"html", `<img src="//host/x">`},
		"many sizes":           {"html", `<img srcset="data:, 1x, https://host/x 2x">`},
		"in a comment's shade": {"html", `<!--><img src="file:///x">-->`},
		"in a title":           {"html", `<title><img src="file:///x"></title>`},
		"forwarded":            {"html", `<meta http-equiv=refresh content="0; URL='file:///x'">`},
		"escaped style":        {"html", `<p style="background:\75 rl(file:///x)">`},
		"style with a note":    {"html", `<style>@import/**/"file:///x";</style>`},
		"frame":                {"html", `<iframe src="https://host/x"></iframe>`},
		"entity":               {"svg", `<!DOCTYPE svg [<!ENTITY f "file:///x">]><svg><image href="&f;"/></svg>`},
		"entity of a file":     {"svg", `<!DOCTYPE svg [<!ENTITY f SYSTEM "file:///x">]><svg><text>x</text></svg>`},
		"entity of markup":     {"svg", `<!DOCTYPE svg [<!ENTITY f "<image href='file:///x'/>">]><svg><text>x</text></svg>`},
		"instruction":          {"svg", `<?xml-stylesheet href="file:///x"?><svg/>`},
		"instruction's shade":  {"svg", `<svg><?x > <!-- ?><image href="file:///x"/><?x --> ?></svg>`},
		"section's shade":      {"svg", `<svg><![CDATA[ > <!-- ]]><image href="file:///x"/><?x --> ?></svg>`},
		"painted":              {"svg", `<svg><rect filter="url(file:///x#f)"/></svg>`},
		"animated":             {"svg", `<svg><image><set attributeName="href" to="file:///x"/></image></svg>`},
		"two bytes":            {"svg", "\xFF\xFE<\x00s\x00v\x00g\x00>\x00<\x00a\x00b\x00 \x00s\x00r\x00c\x00=\x00\"\x00/\x00x\x00\"\x00/\x00>\x00<\x00/\x00s\x00v\x00g\x00>\x00"},
		"field in groups":      {"rtf", `{\rtf1{\field{\*\fldinst{\b INCL}{\i UDEPICTURE} {"file:///x"}}{\fldrslt y}}}`},
		"field in codes":       {"rtf", `{\rtf1{\field{\*\fldinst \'49\u78?CLUDETEXT "file:///x"}{\fldrslt y}}}`},
		"field at the end":     {"rtf", `{\rtf1{\field{\*\fldinst DDEAUTO soffice "file:///x" a`},
		"object":               {"rtf", `{\rtf1{\object\objautlink{\*\objclass X}{\*\objdata 0105}{\result y}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			out, found, err := cut(t, document.format, []byte(document.data))
			require.NoError(t, err)
			assert.NotEmpty(t, found)
			if name != "entity" { // what it stands for stays; nothing uses it any more
				assert.NotContains(t, strings.ToLower(strings.ReplaceAll(string(out), "\x00", "")), "/x")
			}
		})
	}
}

func TestCut_LooksIntoParts(t *testing.T) {
	inner := testkit.Zip(t, "content.xml", `<a xlink:href="/x"/>`, "image", `<draw:image xlink:href="/x"/>`)
	for name, document := range map[string][]byte{
		"above":          testkit.Zip(t, "content.xml", `<draw:image xlink:href="../x"/>`),
		"above, escaped": testkit.Zip(t, "content.xml", `<draw:image xlink:href="%2e%2e/x"/>`),
		"in a document":  testkit.Zip(t, "embedded.bin", string(inner)),
		"in a drawing":   testkit.Zip(t, "media/a.svg", `<svg><image href="https://host/x"/></svg>`),
		"in a sheet":     testkit.Zip(t, "a.css", `@import url("https://host/x")`),
		"in a page":      testkit.Zip(t, "a.html", `<p><img src=/x>`),
		"in rich text":   testkit.Zip(t, "a.doc", `{\rtf1{\*\fldinst LINK "/x"}}`),
		"its own name":   testkit.Zip(t, "../../x", `y`),
	} {
		t.Run(name, func(t *testing.T) {
			out, found, err := cut(t, "odt", document)
			require.NoError(t, err)
			assert.NotEmpty(t, found)
			_, found, err = cut(t, "odt", out)
			require.NoError(t, err)
			assert.Empty(t, found)
		})
	}
	kept := testkit.Zip(t, "META-INF/manifest.xml", `<m:file-entry m:full-path="/"/>`, "Object 1/content.xml", `<draw:image xlink:href="../Pictures/x"/><draw:object xlink:href="./Object 2"/>`, "Pictures/x", "\x89PNG",
		"manifest.rdf", `<rdf:RDF><rdf:Description rdf:about="styles.xml"><rdf:type rdf:resource="http://docs.oasis-open.org/ns/office/1.2/meta/odf#StylesFile"/></rdf:Description></rdf:RDF>`)
	out, found, err := cut(t, "odt", kept)
	require.NoError(t, err)
	assert.Empty(t, found)
	assert.Equal(t, kept, out)
}

// What cannot be looked through is refused, and bombs end early.
func TestCut_Refuses(t *testing.T) {
	for name, test := range map[string]struct {
		data []byte
		code string
	}{
		"no archive":      {[]byte("PK\x03\x04 and no more"), "the document is damaged"},
		"no XML":          {testkit.Zip(t, "content.xml", `<a><b c=d/></a>`), "not well-formed"},
		"unknown entity":  {testkit.Zip(t, "content.xml", `<!DOCTYPE a [<!ENTITY b SYSTEM "x">]><a>&b;</a>`), "not well-formed"},
		"unknown letters": {testkit.Zip(t, "content.xml", `<?xml version="1.0" encoding="EBCDIC-X"?><a/>`), "encoding ebcdic-x is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := cut(t, "odt", test.data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, engines.CodeUnsupportedInput, e.Code)
			assert.Contains(t, e.Message, test.code)
		})
	}
}

func TestNotes(t *testing.T) {
	assert.Equal(t, []string{
		"best_effort: 4 linked pictures are not in the document and were left out: file:///a, https://host/b, c, ...",
		"best_effort: 1 linked table is not in the document and was left out",
	}, links.Notes([]links.Link{
		{Kind: "pictures", Target: "file:///a"},
		{Kind: "pictures", Target: "https://user:secret@host/b?key=secret"},
		{Kind: "tables"},
		{Kind: "pictures", Target: "c\n"},
		{Kind: "pictures", Target: "d"},
	}))
}

// FuzzCut: whatever the bytes, nothing panics, and a second look finds nothing that the first has left.
func FuzzCut(f *testing.F) {
	for _, document := range linked.Documents(f, "/x") {
		f.Add(document.Format, document.Data)
	}
	f.Add("odt", testkit.Zip(f, "content.xml", `<draw:image xlink:href="../x"/>`, "_rels/.rels", "<a/>"))
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		out, found, err := cut(t, format, data)
		if err != nil {
			_, ok := engines.AsError(err)
			require.True(t, ok, "%v", err)
			return
		}
		if len(found) == 0 {
			require.Equal(t, data, out)
			return
		}
		_, left, err := cut(t, format, out)
		if err == nil { // what is left may no longer be read by anybody
			require.Empty(t, left)
		}
	})
}
