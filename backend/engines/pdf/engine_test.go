package pdf_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"codeberg.org/go-pdf/fpdf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// document has pages of which each says its number; nothing is drawn on a page 0.
func document(tb testing.TB, protect bool, pages ...int) []byte {
	tb.Helper()
	doc := fpdf.New("P", "pt", "A4", "")
	doc.SetFont("Helvetica", "", 40)
	for _, number := range pages {
		doc.AddPage()
		if number > 0 {
			doc.Text(100, 200, fmt.Sprintf("This is page %d", number))
		}
	}
	if protect {
		doc.SetProtection(fpdf.CnProtectPrint, "secret", "owner")
	}
	var out bytes.Buffer
	require.NoError(tb, doc.Output(&out))
	return out.Bytes()
}

func pages(text string) func(*engines.Request) {
	return func(in *engines.Request) {
		var err error
		if in.Pages, err = engines.ParsePageRange(text); err != nil {
			panic(err)
		}
	}
}

func TestText(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	reader := testkit.PDF(t)
	out, err := testkit.Convert(t, reader, "pdf", "txt", testkit.Examples(t, "brochure.pdf"))
	require.NoError(t, err)
	assert.Equal(t, []string{"stem.txt"}, out.Names)
	first, second, found := strings.Cut(out.Text(), "\f")
	require.True(t, found, "a form feed between pages")
	assert.Contains(t, first, "Sail with us")
	assert.Contains(t, first, "dogs and bicycles are welcome")
	assert.Contains(t, second, "Departures")
	assert.NotContains(t, out.Text(), "\r")
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "layout_degraded")
}

func TestPageRanges(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	reader := testkit.PDF(t)
	doc := document(t, false, 1, 2, 3, 4, 5)
	for text, want := range map[string][]int{"2": {2}, "2-3": {2, 3}, "4-": {4, 5}, "5,1": {1, 5}, "1-9": {1, 2, 3, 4, 5}, "1-2,2-3": {1, 2, 3}} {
		t.Run(text, func(t *testing.T) {
			out, err := testkit.Convert(t, reader, "pdf", "txt", doc, pages(text))
			require.NoError(t, err)
			var says []string
			for _, n := range want {
				says = append(says, fmt.Sprintf("This is page %d\n", n))
			}
			assert.Equal(t, strings.Join(says, "\f"), out.Text(), text)
		})
	}
	_, err := testkit.Convert(t, reader, "pdf", "txt", doc, pages("6-"))
	e, ok := engines.AsError(err)
	require.True(t, ok)
	assert.Equal(t, engines.CodeInvalidParameters, e.Code)
	assert.Contains(t, e.Message, "5 pages")
}

func TestPictures(t *testing.T) {
	testkit.SkipIfShort(t, "it draws many pages")
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	reader := testkit.PDF(t)
	doc := document(t, false, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	out, err := testkit.Convert(t, reader, "pdf", "png", doc)
	require.NoError(t, err)
	require.Len(t, out.Data, 10)
	assert.Equal(t, "stem-01.png", out.Names[0])
	assert.Equal(t, "stem-10.png", out.Names[9])
	for i, data := range out.Data {
		m, err := png.Decode(bytes.NewReader(data))
		require.NoError(t, err)
		assert.InDelta(t, 1240, m.Bounds().Dx(), 2)
		assert.InDelta(t, 1754, m.Bounds().Dy(), 2)
		assert.Greater(t, testkit.Ink(m, image.Rect(150, 250, 1000, 500)), 3000, "page %d shows its words where they are", i+1)
		assert.Zero(t, testkit.Ink(m, image.Rect(0, 800, 1240, 1754)), "and paper elsewhere")
	}
	one, err := testkit.Convert(t, reader, "pdf", "jpg", document(t, false, 1), func(in *engines.Request) { in.ImageQuality = 50 })
	require.NoError(t, err)
	assert.Equal(t, []string{"stem.jpg"}, one.Names)
	_, err = jpeg.Decode(bytes.NewReader(one.Data[0]))
	require.NoError(t, err)
	assert.Contains(t, strings.Join(one.Warnings, "\n"), "quality 50")
}

func TestHugePagesAreDrawnSmaller(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: 8000, Ht: 8000}})
	doc.AddPage()
	doc.Rect(0, 0, 4000, 4000, "F")
	var data bytes.Buffer
	require.NoError(t, doc.Output(&data))
	out, err := testkit.Convert(t, testkit.PDF(t), "pdf", "jpg", data.Bytes()) // which is written faster than PNG
	require.NoError(t, err)
	config, err := jpeg.DecodeConfig(bytes.NewReader(out.Data[0]))
	require.NoError(t, err)
	assert.LessOrEqual(t, config.Width*config.Height, 41_000_000)
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "so large that it was drawn at")
}

func TestScansAndOtherRefusals(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	reader := testkit.PDF(t)
	for reason, data := range map[string][]byte{
		"NO_TEXT_LAYER": document(t, false, 0, 0), "ENCRYPTED": document(t, true, 1),
		"DAMAGED_DOCUMENT": []byte("%PDF-1.4 and then nothing"),
	} {
		t.Run(reason, func(t *testing.T) {
			out, err := testkit.Convert(t, reader, "pdf", "txt", data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%s: %v", reason, err)
			assert.Equal(t, reason, e.Reason)
			assert.Empty(t, out.Data)
		})
	}
	mixed, err := testkit.Convert(t, reader, "pdf", "txt", document(t, false, 1, 0, 3))
	require.NoError(t, err)
	assert.Contains(t, strings.Join(mixed.Warnings, "\n"), "no text on page 2")
}

func TestManyAtOnce(t *testing.T) {
	reader := testkit.NewPDF()
	doc := document(t, false, 1, 2)
	t.Run("at once", func(t *testing.T) {
		for range 8 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				out, err := testkit.Convert(t, reader, "pdf", "txt", doc)
				require.NoError(t, err)
				assert.Equal(t, "This is page 1\n\fThis is page 2\n", out.Text())
			})
		}
	})
	require.NoError(t, reader.Close())
	_, err := testkit.Convert(t, reader, "pdf", "txt", doc)
	require.NoError(t, err, "it opens again")
	require.NoError(t, reader.Close())
}

func FuzzPDF(f *testing.F) {
	f.Add(document(f, false, 1))
	f.Add(document(f, true, 1))
	f.Add([]byte("%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 1/Kids[3 0 R]>>\nendobj\n3 0 obj\n<</Type/Page/MediaBox[0 0 1e30 1]>>\nendobj\ntrailer<</Root 1 0 R>>"))
	reader := testkit.PDF(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, target := range []string{"txt", "jpg"} {
			_, err := testkit.Convert(t, reader, "pdf", target, data)
			if _, known := engines.AsError(err); err != nil && !known {
				t.Fatalf("%s: %v", target, err)
			}
		}
	})
}
