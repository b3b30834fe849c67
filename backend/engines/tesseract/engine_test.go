package tesseract_test

import (
	"bytes"
	"context"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/tesseract"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const letter = "# Harbour office\n\nPlease pay 1234 euros for mooring number 56 until Monday.\n\nYours sincerely\n"

// scan is a page as a picture.
func scan(t *testing.T) []byte {
	t.Helper()
	page, err := testkit.Convert(t, text.New(), "md", "pdf", []byte(letter))
	require.NoError(t, err)
	picture, err := testkit.Convert(t, testkit.PDF(t), "pdf", "png", page.Data[0], func(in *engines.Request) {
		in.Options = map[string]string{"dpi": "200"}
	})
	require.NoError(t, err)
	return picture.Data[0]
}

// others are what the service has beside it.
func others(t *testing.T) func(context.Context, engines.Request) (engines.Result, error) {
	t.Helper()
	pdf, pictures := testkit.PDF(t), images.New()
	return func(ctx context.Context, in engines.Request) (engines.Result, error) {
		if in.Source == "pdf" {
			return pdf.Convert(ctx, in)
		}
		return pictures.Convert(ctx, in)
	}
}

func TestConvert(t *testing.T) {
	engine := testkit.Needed(t, tesseract.New(others(t)), "CONVILYN_TEST_TESSERACT")
	picture := scan(t)
	asJPEG, err := testkit.Convert(t, images.New(), "png", "jpg", picture)
	require.NoError(t, err)
	asPDF, err := testkit.Convert(t, images.New(), "png", "pdf", picture)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		source, target string
		data           []byte
	}{
		"a picture":             {"png", "txt", picture},
		"a photo":               {"jpg", "md", asJPEG.Data[0]},
		"a page that is a scan": {"pdf", "txt", asPDF.Data[0]},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, test.source, test.target, test.data)
			require.NoError(t, err)
			said := strings.Join(strings.Fields(out.Text()), " ")
			for _, words := range []string{"Harbour office", "Please pay 1234 euros for mooring number 56 until Monday.", "Yours sincerely"} {
				assert.Contains(t, said, words)
			}
			assert.Regexp(t, `OCR, languages .*eng.*; the mean confidence of its 14 words is [89]\d %`, strings.Join(out.Warnings, "\n"))
		})
	}
}

// A scan becomes a PDF that looks as it did, and whose text is found; one without writing is a PDF all the same.
func TestConvert_SearchablePDF(t *testing.T) {
	tesseracts := testkit.Needed(t, tesseract.New(others(t)), "CONVILYN_TEST_TESSERACT")
	registry := engines.NewRegistry(t.Context(), images.New(), tesseracts)
	made := func(data []byte, options option.Values) testkit.Converted {
		engine, _, err := registry.Find("png", "pdf", options.Names()...)
		require.NoError(t, err)
		out, err := testkit.Convert(t, engine, "png", "pdf", data, func(in *engines.Request) { in.Options = options })
		require.NoError(t, err)
		return out
	}
	picture := scan(t)
	searchable := made(picture, option.Values{option.NameOCR: "true", option.NameDPI: "200"})
	assert.Contains(t, strings.Join(strings.Fields(testkit.PDFText(t, testkit.PDF(t), searchable.Data[0])), " "), "Please pay 1234 euros")
	shown := testkit.PDFPages(t, testkit.PDF(t), searchable.Data[0], func(in *engines.Request) { in.Options = option.Values{option.NameDPI: "200"} })
	require.Len(t, shown, 1)
	original, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	assert.InDelta(t, original.Bounds().Dx(), shown[0].Bounds().Dx(), 2, "at 200 dpi it has its own size")
	assert.Regexp(t, `mean confidence of its 14 words`, strings.Join(searchable.Warnings, "\n"))
	assert.NotContains(t, strings.Join(made(picture, nil).Warnings, "\n"), "OCR")

	var blank bytes.Buffer
	require.NoError(t, png.Encode(&blank, image.NewGray(image.Rect(0, 0, 300, 200))))
	assert.Contains(t, strings.Join(made(blank.Bytes(), option.Values{option.NameOCR: "true"}).Warnings, "\n"), "no writing was recognised")
}

func TestConvert_NoWriting(t *testing.T) {
	engine := testkit.Needed(t, tesseract.New(others(t)), "CONVILYN_TEST_TESSERACT")
	var blank bytes.Buffer
	require.NoError(t, png.Encode(&blank, image.NewGray(image.Rect(0, 0, 300, 200))))
	_, err := testkit.Convert(t, engine, "png", "txt", blank.Bytes())
	e, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "NO_TEXT_FOUND", e.Reason)
	assert.Contains(t, e.Message, "tesseract-ocr-LANGUAGE")
}

// Of an animation the first picture is read, and a note names the others.
func TestConvert_NamesPicturesThatAreNotRead(t *testing.T) {
	engine := testkit.Needed(t, tesseract.New(others(t)), "CONVILYN_TEST_TESSERACT")
	page, err := png.Decode(bytes.NewReader(scan(t)))
	require.NoError(t, err)
	frame := image.NewPaletted(page.Bounds(), palette.Plan9)
	draw.Draw(frame, frame.Rect, page, page.Bounds().Min, draw.Src)
	var animation bytes.Buffer
	require.NoError(t, gif.EncodeAll(&animation, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{50, 50}}))

	out, err := testkit.Convert(t, engine, "gif", "txt", animation.Bytes())
	require.NoError(t, err)
	assert.Contains(t, out.Text(), "Harbour office")
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "truncated: only the first of the file's pictures was converted")
}
