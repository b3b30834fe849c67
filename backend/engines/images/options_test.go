package images_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func TestOptions_OfPictures(t *testing.T) {
	wide := image.NewNRGBA(image.Rect(0, 0, 400, 100)) // transparent
	var source bytes.Buffer
	require.NoError(t, png.Encode(&source, wide))
	for name, test := range map[string]struct {
		options       option.Values
		width, height int
		corner        color.RGBA
	}{
		"nothing asked": {nil, 400, 100, color.RGBA{255, 255, 255, 255}},
		"width":         {option.Values{"width": "200"}, 200, 50, color.RGBA{255, 255, 255, 255}},
		"height":        {option.Values{"height": "10"}, 40, 10, color.RGBA{255, 255, 255, 255}},
		"both":          {option.Values{"width": "300", "height": "50"}, 200, 50, color.RGBA{255, 255, 255, 255}},
		"not enlarged":  {option.Values{"width": "4000"}, 400, 100, color.RGBA{255, 255, 255, 255}},
		"background":    {option.Values{"background": "#0a0b80"}, 400, 100, color.RGBA{0x0a, 0x0b, 0x80, 255}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, images.New(), "png", "bmp", source.Bytes(), func(in *engines.Request) { in.Options = test.options })
			require.NoError(t, err)
			got, _, err := image.Decode(bytes.NewReader(out.Data[0]))
			require.NoError(t, err)
			assert.Equal(t, image.Pt(test.width, test.height), got.Bounds().Size())
			assert.Equal(t, test.corner, color.RGBAModel.Convert(got.At(0, 0)))
		})
	}
}

// Pages are drawn at 150 dots an inch.
func TestOptions_OfPicturesInPDF(t *testing.T) {
	black := image.NewGray(image.Rect(0, 0, 300, 300))
	var source bytes.Buffer
	require.NoError(t, png.Encode(&source, black))
	for name, test := range map[string]struct {
		options       option.Values
		width, height int // of the page
		side          int // of what is drawn on it
	}{
		"nothing asked": {nil, 1240, 1754, 300},
		"dpi":           {option.Values{"dpi": "300"}, 1240, 1754, 150},
		"landscape":     {option.Values{"landscape": "true", "paper": "A5"}, 1240, 874, 300},
		"margins":       {option.Values{"margins": "90mm"}, 1240, 1754, 177}, // 30 mm are left
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, images.New(), "png", "pdf", source.Bytes(), func(in *engines.Request) { in.Options = test.options })
			require.NoError(t, err)
			page := testkit.PDFPages(t, testkit.PDF(t), out.Data[0])[0]
			assert.InDelta(t, test.width, page.Bounds().Dx(), 2)
			assert.InDelta(t, test.height, page.Bounds().Dy(), 2)
			assert.InDelta(t, test.side*test.side, testkit.Ink(page, image.Rectangle{}), float64(5*test.side))
		})
	}
}
