package testkit

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
)

// Converted is what an engine made, in order.
type Converted struct {
	Names    []string
	Data     [][]byte
	Mimes    []string
	Warnings []string
}

// Text is the first output.
func (c Converted) Text() string { return string(c.Data[0]) }

// Convert runs one conversion of an engine; change may adjust the request.
func Convert(tb testing.TB, engine engines.Engine, source, target string, content []byte, change ...func(*engines.Request)) (Converted, error) {
	tb.Helper()
	dir := tb.TempDir()
	in := engines.Request{
		Source: source, Target: target, InputPath: filepath.Join(dir, "input"), OutDir: filepath.Join(dir, "out"), Stem: "stem",
		Progress: func(percent int, _ string) {
			if percent < 0 || percent > 100 {
				tb.Errorf("progress %d", percent)
			}
		},
	}
	require.NoError(tb, os.WriteFile(in.InputPath, content, 0o600))
	require.NoError(tb, os.Mkdir(in.OutDir, 0o700))
	for _, f := range change {
		f(&in)
	}
	result, err := engine.Convert(tb.Context(), in)
	var out Converted
	for _, file := range result.Files {
		data, readErr := os.ReadFile(file.Path)
		require.NoError(tb, readErr)
		require.Equal(tb, in.OutDir, filepath.Dir(file.Path))
		out.Names, out.Data, out.Mimes = append(out.Names, file.Filename), append(out.Data, data), append(out.Mimes, file.Mimetype)
	}
	out.Warnings = result.Warnings
	return out, err
}

// Needed skips a test where an engine's program is not installed, unless the variable says "required". The quick tests start
// no programs. The engine ends with the test.
func Needed(tb testing.TB, engine engines.Engine, variable string) engines.Engine {
	tb.Helper()
	SkipIfShort(tb, "it starts "+engine.Name)
	if _, err := engine.Version(tb.Context()); err != nil {
		if os.Getenv(variable) == "required" {
			tb.Fatal(err)
		}
		tb.Skipf("no %s on this machine (%s): %v", engine.Name, engine.Package, err)
	}
	if engine.Close != nil {
		tb.Cleanup(func() { require.NoError(tb, engine.Close()) })
	}
	return engine
}

// Shared is an engine that stays open from test to test, and its Close, which is for RunAndClose.
func Shared(engine engines.Engine) (shared engines.Engine, end func() error) {
	end, engine.Close = engine.Close, nil
	return engine, end
}

// RunAndClose is what TestMain does where an engine is Shared.
func RunAndClose(m *testing.M, end func() error) {
	code := m.Run()
	if err := end(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code) //nolint:forbidigo // this is a main
}

// PDF reads documents for tests that look at pages. All tests of a process share it: PDFium takes a while to start.
func PDF(tb testing.TB) engines.Engine {
	tb.Helper()
	return sharedPDF()
}

var sharedPDF = sync.OnceValue(func() engines.Engine {
	engine := NewPDF()
	engine.Close = nil // by a registry of one test, while others read
	return engine
})

// NewPDF is one that the test closes.
func NewPDF() engines.Engine {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return pdf.New(filepath.Join(cache, "convilyn"))
}

// PDFText is the text of a document, pages separated by form feeds.
func PDFText(tb testing.TB, reader engines.Engine, document []byte) string {
	tb.Helper()
	out, err := Convert(tb, reader, "pdf", "txt", document)
	require.NoError(tb, err)
	return out.Text()
}

// PDFPages draws every page of a document, or those that change asks for.
func PDFPages(tb testing.TB, reader engines.Engine, document []byte, change ...func(*engines.Request)) []image.Image {
	tb.Helper()
	out, err := Convert(tb, reader, "pdf", "png", document, change...)
	require.NoError(tb, err)
	pages := make([]image.Image, len(out.Data))
	for i, data := range out.Data {
		pages[i], err = png.Decode(bytes.NewReader(data))
		require.NoError(tb, err)
	}
	return pages
}

// Ink counts the pixels of a picture, within r, that are darker than paper. An empty r means all of it.
func Ink(m image.Image, r image.Rectangle) int {
	if r.Empty() {
		r = m.Bounds()
	}
	n := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			red, green, blue, _ := m.At(x, y).RGBA()
			if red+green+blue < 3*0x9000 {
				n++
			}
		}
	}
	return n
}

// Examples is one of the small real files.
func Examples(tb testing.TB, name string) []byte {
	tb.Helper()
	const depth = 10 // a folder that was removed from under the test has no root to arrive at
	for dir, n := ".", 0; n < depth; dir, n = filepath.Join(dir, ".."), n+1 {
		if data, err := os.ReadFile(filepath.Join(dir, "examples", name)); err == nil {
			return data
		}
	}
	require.Failf(tb, "no such example", "no folder examples above this test has %s", name)
	return nil
}
