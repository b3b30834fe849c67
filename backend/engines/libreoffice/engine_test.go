package libreoffice_test

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

var shared, closeShared = testkit.Shared(libreoffice.New(tables.New().Convert))

func TestMain(m *testing.M) { testkit.RunAndClose(m, closeShared) }

func need(t *testing.T) engines.Engine {
	t.Helper()
	return testkit.Needed(t, shared, "CONVILYN_TEST_LIBREOFFICE")
}

func TestLetterToPDF(t *testing.T) {
	engine := need(t)
	out, err := testkit.Convert(t, engine, "docx", "pdf", testkit.Examples(t, "letter.docx"))
	require.NoError(t, err)
	assert.Equal(t, []string{"stem.pdf"}, out.Names)
	inPDF := testkit.PDFText(t, testkit.PDF(t), out.Data[0])
	for _, part := range []string{"To the harbour office", "Ελένη", "дорогой Юрий", "13 800 €"} {
		assert.Contains(t, inPDF, part)
	}
}

func TestAnInputByARelativePath(t *testing.T) {
	engine := need(t)
	letter := testkit.Examples(t, "letter.docx")
	t.Chdir(t.TempDir())
	require.NoError(t, errors.Join(os.WriteFile("input", letter, 0o600), os.Mkdir("out", 0o700)))
	result, err := engine.Convert(t.Context(), engines.Request{Source: "docx", Target: "txt", InputPath: "input", OutDir: "out", Stem: "s", Progress: func(int, string) {}})
	require.NoError(t, err)
	assert.Len(t, result.Files, 1)
}

func TestChainOfFormats(t *testing.T) {
	engine := need(t)
	data, source := testkit.Examples(t, "letter.docx"), "docx"
	for _, target := range []string{"odt", "rtf", "txt"} {
		out, err := testkit.Convert(t, engine, source, target, data)
		require.NoError(t, err, "%s→%s", source, target)
		data, source = out.Data[0], target
	}
	assert.Contains(t, string(data), "bicycle stand")
	out, err := testkit.Convert(t, engine, "xlsx", "ods", testkit.Examples(t, "budget.xlsx"))
	require.NoError(t, err)
	out, err = testkit.Convert(t, engine, "ods", "csv", out.Data[0])
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(strings.TrimPrefix(out.Text(), "\ufeff"), "Route,April,May,Sum\nSvendborg – Ærø,4210,5987,10197\n"), out.Text())
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "truncated")
}

// A CSV is read as it is everywhere else here: by its encoding and its delimiter.
func TestConvert_CSV(t *testing.T) {
	engine := need(t)
	for name, test := range map[string]struct{ data, note string }{
		"tabs, UTF-8":              {"Brücke\t007\nΕλιά\t5088\n", ""},
		"semicolons, Windows-1251": {"\xcc\xee\xf1\xf2\xee\xe2\xe0\xff \xf3\xeb\xe8\xf6\xe0;007\n\xcf\xf0\xe8\xe2\xe5\xf2;5088\n", "Windows-1251"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, "csv", "pdf", []byte(test.data))
			require.NoError(t, err)
			said := testkit.PDFText(t, testkit.PDF(t), out.Data[0])
			assert.Contains(t, said, "007")
			assert.Regexp(t, "Brücke|Мостовая", said)
			assert.Contains(t, strings.Join(out.Warnings, "\n"), test.note)
		})
	}
}

// Numbers that are wider than their column are printed all the same.
func TestConvert_NarrowColumns(t *testing.T) {
	engine := need(t)
	book := excelize.NewFile()
	long := "dddd, d mmmm yyyy"
	style, err := book.NewStyle(&excelize.Style{CustomNumFmt: &long})
	require.NoError(t, err)
	require.NoError(t, errors.Join(
		book.SetCellValue("Sheet1", "B2", 45678), book.SetCellStyle("Sheet1", "B2", "B2", style), book.SetColWidth("Sheet1", "A", "C", 4),
		book.SetCellValue("Sheet1", "C3", 1234567), book.SetCellValue("Sheet1", "A1", 12)))
	data, err := book.WriteToBuffer()
	require.NoError(t, err)

	out, err := testkit.Convert(t, engine, "xlsx", "pdf", data.Bytes())
	require.NoError(t, err)
	said := testkit.PDFText(t, testkit.PDF(t), out.Data[0])
	assert.Contains(t, said, "Tuesday, 21 January 2025")
	assert.Contains(t, said, "1234567")
	assert.NotContains(t, said, "##")
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "2 columns were widened")
}

// flat is a document that is one file of XML.
func flat(kind, body string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
	xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
	xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.2"
	office:mimetype="application/vnd.oasis.opendocument.` + kind + `"><office:body><office:` + kind + `>` + body + `</office:` + kind + `></office:body></office:document>`)
}

func TestConvert_FlatDocument(t *testing.T) {
	engine := need(t)
	out, err := testkit.Convert(t, engine, "odt", "txt", flat("text", `<text:tracked-changes><text:changed-region text:id="c"><text:deletion>
		<office:change-info><dc:creator>A</dc:creator><dc:date>2026-01-01T00:00:00</dc:date></office:change-info><text:p>DELETED</text:p></text:deletion></text:changed-region></text:tracked-changes>
		<text:p>Hello <text:change text:change-id="c"/>there</text:p>
		<text:p><draw:frame svg:width="2cm" svg:height="2cm"><draw:image xlink:href="file:///etc/secret.png" xlink:type="simple"/></draw:frame></text:p>`))
	require.NoError(t, err)
	assert.Contains(t, out.Text(), "Hello there")
	assert.NotContains(t, out.Text(), "DELETED")
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "file:///etc/secret.png")
	_, err = testkit.Convert(t, engine, "ods", "csv", flat("text", "<text:p>x</text:p>"))
	require.ErrorContains(t, err, "not a ods")
}

func TestConvert_SlidesToPictures(t *testing.T) {
	need(t)
	engine := libreoffice.New(testkit.PDF(t).Convert)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	slide := func(name string) string {
		return `<draw:page draw:name="` + name + `"><draw:frame svg:x="2cm" svg:y="2cm" svg:width="10cm" svg:height="3cm"><draw:text-box><text:p>` + name + `</text:p></draw:text-box></draw:frame></draw:page>`
	}
	show := flat("presentation", slide("one")+slide("two")+slide("three"))
	out, err := testkit.Convert(t, engine, "odp", "png", show)
	require.NoError(t, err)
	assert.Equal(t, []string{"stem-1.png", "stem-2.png", "stem-3.png"}, out.Names)

	out, err = testkit.Convert(t, engine, "odp", "jpg", show, func(in *engines.Request) {
		in.Pages, in.Options = engines.PageRange{{First: 2, Last: 2}}, map[string]string{"dpi": "30"}
	})
	require.NoError(t, err)
	require.Len(t, out.Data, 1)
	picture, err := jpeg.DecodeConfig(bytes.NewReader(out.Data[0]))
	require.NoError(t, err)
	assert.Less(t, picture.Width, 500)
}

// Every sheet is in the page.
func TestConvert_WorkbookToHTML(t *testing.T) {
	engine := need(t)
	for _, source := range []string{"ods", "xls"} {
		t.Run(source, func(t *testing.T) {
			data := testkit.Examples(t, "budget.xlsx")
			if source == "ods" {
				out, err := testkit.Convert(t, engine, "xlsx", "ods", data)
				require.NoError(t, err)
				data = out.Data[0]
			} else {
				data = asXLS(t, data)
			}

			out, err := testkit.Convert(t, engine, source, "html", data)
			require.NoError(t, err)
			assert.Equal(t, []string{"stem.html"}, out.Names)
			for _, part := range []string{"Svendborg – Ærø", "5987", "<table"} {
				assert.Contains(t, out.Text(), part)
			}
		})
	}
}

// Every word and every line is there, in any writing.
func TestConvert_TextToRTF(t *testing.T) {
	engine := need(t)
	text := string(testkit.Examples(t, "notes.txt")) + "\nЕлена wrote 日本語.\n"

	out, err := testkit.Convert(t, engine, "txt", "rtf", []byte(text))
	require.NoError(t, err)
	assert.Equal(t, []string{"stem.rtf"}, out.Names)
	assert.Empty(t, out.Warnings)

	back, err := testkit.Convert(t, engine, "rtf", "txt", out.Data[0])
	require.NoError(t, err)
	assert.Equal(t, strings.Fields(text), strings.Fields(strings.TrimPrefix(back.Text(), "\ufeff")))
	assert.Contains(t, strings.Join(back.Warnings, "\n"), "the text alone was kept")
}

// asXLS is a workbook in the format of old, which this service does not write.
func asXLS(t *testing.T, xlsx []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "book.xlsx")
	require.NoError(t, os.WriteFile(path, xlsx, 0o600))
	said, err := exec.CommandContext(t.Context(), "soffice", "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", "xls", "--outdir", dir, path).CombinedOutput()
	require.NoError(t, err, string(said))
	data, err := os.ReadFile(filepath.Join(dir, "book.xls"))
	require.NoError(t, err)
	return data
}

// It exits 0 for these, and makes documents of some of them.
func TestInputsThatAreNotWhatTheySay(t *testing.T) {
	engine := need(t)
	letter := testkit.Examples(t, "letter.docx")
	for name, test := range map[string]struct {
		source string
		data   []byte
		code   string
	}{
		"text called docx":   {"docx", []byte("garbage"), engines.CodeUnsupportedInput},
		"random called xlsx": {"xlsx", []byte{1, 2, 3, 4}, engines.CodeUnsupportedInput},
		"docx that is cut":   {"docx", letter[:len(letter)/2], engines.CodeUnsupportedInput},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, test.source, "pdf", test.data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%s: %v", name, err)
			assert.Equal(t, test.code, e.Code, name)
			assert.Empty(t, out.Data)
		})
	}
}

func TestFourAtOnce(t *testing.T) {
	engine := need(t)
	letter := testkit.Examples(t, "letter.docx")
	t.Run("at once", func(t *testing.T) {
		for range 4 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				_, err := testkit.Convert(t, engine, "docx", "pdf", letter)
				require.NoError(t, err)
			})
		}
	})
}

// A program of the same name that is not it is told by its version.
func TestAnImpostorIsNotBelieved(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "soffice"), []byte("#!/bin/sh\necho SomeOffice 1.0\n"), 0o700))
	t.Setenv("PATH", dir)
	_, err := libreoffice.New(nil).Version(t.Context())
	require.ErrorContains(t, err, "is not LibreOffice")
	t.Setenv("PATH", t.TempDir())
	_, err = libreoffice.New(nil).Version(t.Context())
	require.Error(t, err)
}

// soffice is but a launcher: when time is up, what it launched must end, too.
func TestTheWholeGroupEndsWithTheCall(t *testing.T) {
	dir := t.TempDir()
	// It does not know its number out here, nor any folder but its own.
	script := "#!/bin/sh\n(echo $CONVILYN_CALL > call.new; mv call.new call; exec sleep 1000) &\nwait\n"
	t.Setenv("TMPDIR", t.TempDir())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "soffice"), []byte(script), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	input := filepath.Join(dir, "in")
	require.NoError(t, os.WriteFile(input, testkit.Examples(t, "letter.docx"), 0o600))
	go func() {
		_, err := libreoffice.New(nil).Convert(ctx, engines.Request{
			Source: "docx", Target: "pdf", InputPath: input, OutDir: t.TempDir(), Stem: "s", Progress: func(int, string) {},
		})
		done <- err
	}()
	var call []byte
	require.Eventually(t, func() bool {
		found, err := filepath.Glob(filepath.Join(os.TempDir(), "*", "call"))
		require.NoError(t, err)
		if len(found) == 1 {
			call, err = os.ReadFile(found[0])
			require.NoError(t, err)
		}
		return len(found) == 1
	}, 30*time.Second, 10*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Eventually(t, func() bool { return testkit.ProcessOf(t, strings.TrimSpace(string(call))) == 0 }, testkit.Patience, 10*time.Millisecond, "the child is gone")
}

// Exit code 0 and no output is a failure.
func TestAProgramThatDoesNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "soffice"), []byte("#!/bin/sh\nexit 0\n"), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	_, err := testkit.Convert(t, libreoffice.New(nil), "docx", "pdf", testkit.Examples(t, "letter.docx"))
	e, ok := engines.AsError(err)
	require.True(t, ok)
	assert.Equal(t, engines.CodeConversionFailed, e.Code)
}

// What it needs too much of is told as that, by the name that people know.
func TestAProgramThatNeedsTooMuch(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\nwhile :; do sleep 1000 & done\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "soffice"), []byte(script), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	_, err := testkit.Convert(t, libreoffice.New(nil), "docx", "pdf", testkit.Examples(t, "letter.docx"))
	e, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, engines.Errorf(engines.CodeConversionFailed, "LibreOffice started more than 128 processes and was stopped"), e)
}

// A page is opened as another kind of document than a text, for which there are other filters.
func TestConvert_PageToDocuments(t *testing.T) {
	engine := need(t)
	for _, target := range []string{"docx", "odt"} {
		out, err := testkit.Convert(t, engine, "html", target, []byte("<html><body><p>Hello</p></body></html>"))
		require.NoError(t, err, target)
		assert.Equal(t, []string{"stem." + target}, out.Names)
	}
}
