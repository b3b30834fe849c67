package libreoffice_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func need(t *testing.T) engines.Engine {
	t.Helper()
	return testkit.Needed(t, libreoffice.New(), "CONVILYN_TEST_LIBREOFFICE")
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
		out, err := testkit.Convert(t, engine, test.source, "pdf", test.data)
		e, ok := engines.AsError(err)
		require.True(t, ok, "%s: %v", name, err)
		assert.Equal(t, test.code, e.Code, name)
		assert.Empty(t, out.Data)
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
	require.ErrorContains(t, libreoffice.New().Check(t.Context()), "is not LibreOffice")
	t.Setenv("PATH", t.TempDir())
	require.Error(t, libreoffice.New().Check(t.Context()))
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
		_, err := libreoffice.New().Convert(ctx, engines.Request{
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
	require.Eventually(t, func() bool { return testkit.ProcessOf(t, strings.TrimSpace(string(call))) == 0 }, 30*time.Second, 10*time.Millisecond, "the child is gone")
}

// Exit code 0 and no output is a failure.
func TestAProgramThatDoesNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "soffice"), []byte("#!/bin/sh\nexit 0\n"), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	_, err := testkit.Convert(t, libreoffice.New(), "docx", "pdf", testkit.Examples(t, "letter.docx"))
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
	_, err := testkit.Convert(t, libreoffice.New(), "docx", "pdf", testkit.Examples(t, "letter.docx"))
	e, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, engines.Errorf(engines.CodeConversionFailed, "LibreOffice started more than 128 processes and was stopped"), e)
}
