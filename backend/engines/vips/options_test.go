package vips_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/vips"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func with(values option.Values) func(*engines.Request) {
	return func(in *engines.Request) { in.Options = values }
}

// camera is EXIF that names one.
func camera(name string) []byte {
	out := []byte("II*\x00\x08\x00\x00\x00\x01\x00\x0f\x01\x02\x00")
	out = binary.LittleEndian.AppendUint32(out, uint32(len(name)+1))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(out)+8))
	return append(append(out, 0, 0, 0, 0), name+"\x00"...)
}

// Where it was taken, and by whom, is nobody's business unless somebody says so.
func TestMetadata(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	const name = "CAMERA-OF-KIM"
	photo := filled(t, color.NRGBA{200, 30, 60, 255}, chunk("eXIf", camera(name)), iccChunk(t, wideProfile()))
	const profile = "mntrRGB XYZ "

	for _, target := range []string{"jpg", "webp", "heic", "avif"} {
		t.Run(target, func(t *testing.T) {
			kept, err := testkit.Convert(t, engine, "png", target, photo, with(option.Values{option.NameMetadata: option.MetadataKeep}))
			require.NoError(t, err)
			assert.Contains(t, string(kept.Data[0]), name, "the search finds what is there")
			assert.NotContains(t, strings.Join(kept.Warnings, "\n"), "EXIF")

			stripped, err := testkit.Convert(t, engine, "png", target, photo)
			require.NoError(t, err)
			assert.NotContains(t, string(stripped.Data[0]), name)
			notes := strings.Join(stripped.Warnings, "\n")
			assert.Contains(t, notes, "(EXIF) is not carried over (the option metadata=keep keeps it)")
			if target == "jpg" || target == "webp" {
				assert.Contains(t, string(stripped.Data[0]), profile, "colours stay what they are")
			} else {
				assert.Contains(t, notes, "into sRGB")
			}

			back, err := testkit.Convert(t, engine, target, "png", stripped.Data[0])
			require.NoError(t, err, "what is left is a picture")
			assert.Equal(t, image.Pt(16, 12), decode(t, back.Data[0]).Bounds().Size())
		})
	}

	jpg, err := testkit.Convert(t, engine, "png", "jpg", photo, with(option.Values{option.NameMetadata: option.MetadataKeep}))
	require.NoError(t, err)
	back, err := testkit.Convert(t, engine, "jpg", "png", jpg.Data[0])
	require.NoError(t, err)
	assert.NotContains(t, string(back.Data[0]), name, "to png")
	decode(t, back.Data[0])
}

func TestSizeDrawingAndBackground(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	photo, chart := testkit.Examples(t, "photo.png"), testkit.Examples(t, "chart.svg")
	size := decode(t, photo).Bounds().Size()

	for name, test := range map[string]struct {
		source  string
		data    []byte
		options option.Values
		want    image.Point
	}{
		"as it is":      {"png", photo, nil, size},
		"by width":      {"png", photo, option.Values{"width": "100"}, image.Pt(100, (100*size.Y+size.X/2)/size.X)},
		"not enlarged":  {"png", photo, option.Values{"width": "30000"}, size},
		"by both":       {"png", photo, option.Values{"width": "100", "height": "30"}, image.Pt((30*size.X+size.Y/2)/size.Y, 30)},
		"a drawing":     {"svg", chart, option.Values{"dpi": "144"}, image.Pt(960, 540)},
		"a drawing, 72": {"svg", chart, nil, image.Pt(480, 270)},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := testkit.Convert(t, engine, test.source, "webp", test.data, with(test.options))
			require.NoError(t, err)
			back, err := testkit.Convert(t, engine, "webp", "png", made.Data[0])
			require.NoError(t, err)
			got := decode(t, back.Data[0]).Bounds().Size()
			assert.Equal(t, test.want, got)
			assert.Equal(t, got != size && test.source == "png", strings.Contains(strings.Join(made.Warnings, "\n"), "made smaller"))
		})
	}

	transparent := filled(t, color.NRGBA{0, 0, 0, 0})
	for text, want := range map[string]color.NRGBA{"white": {255, 255, 255, 255}, "black": {0, 0, 0, 255}, "#ff8000": {255, 128, 0, 255}} {
		t.Run(text, func(t *testing.T) {
			made, err := testkit.Convert(t, engine, "png", "ppm", transparent, with(option.Values{"background": text}))
			require.NoError(t, err)
			back, err := testkit.Convert(t, engine, "ppm", "png", made.Data[0])
			require.NoError(t, err)
			assert.Equal(t, want, color.NRGBAModel.Convert(decode(t, back.Data[0]).At(3, 3)))
			assert.Contains(t, strings.Join(made.Warnings, "\n"), "what shone through is "+text)
		})
	}
}

// An animation stays one where the format has animations.
func TestFrames(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	var g gif.GIF
	for i := range 3 {
		frame := image.NewPaletted(image.Rect(0, 0, 40, 30), palette.Plan9)
		for at := range frame.Pix {
			frame.Pix[at] = uint8(80 * i)
		}
		g.Image, g.Delay = append(g.Image, frame), append(g.Delay, 10)
	}
	var animation bytes.Buffer
	require.NoError(t, gif.EncodeAll(&animation, &g))

	for name, test := range map[string]struct {
		options option.Values
		frames  int
		width   int
	}{
		"all":          {nil, 3, 40},
		"the first":    {option.Values{"frames": "first"}, 1, 40},
		"all, smaller": {option.Values{"width": "20"}, 3, 20},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := testkit.Convert(t, engine, "gif", "webp", animation.Bytes(), with(test.options))
			require.NoError(t, err)
			back, err := testkit.Convert(t, engine, "webp", "gif", made.Data[0])
			require.NoError(t, err)
			again, err := gif.DecodeAll(bytes.NewReader(back.Data[0]))
			require.NoError(t, err)
			assert.Len(t, again.Image, test.frames)
			assert.Equal(t, test.width, again.Config.Width)
			assert.Equal(t, test.frames == 1, strings.Contains(strings.Join(made.Warnings, "\n"), "the first was converted"))
		})
	}
}

// Each picture of an animation is a file where that is asked for: as it is seen, not what has changed since the one before.
func TestFrames_AFileEach(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	colours := []color.Color{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}}
	var animation gif.GIF
	for i := range 11 {
		frame := image.NewPaletted(image.Rect(0, 0, 8, 8), colours)
		for at := range frame.Pix {
			frame.Pix[at] = uint8(i % 3)
		}
		animation.Image, animation.Delay = append(animation.Image, frame), append(animation.Delay, 10)
	}
	var data bytes.Buffer
	require.NoError(t, gif.EncodeAll(&data, &animation))

	all, err := testkit.Convert(t, engine, "gif", "png", data.Bytes(), with(option.Values{option.NameFrames: option.FramesAll, option.NameWidth: "4"}))
	require.NoError(t, err)
	require.Len(t, all.Names, 11)
	assert.Equal(t, "stem-01.png", all.Names[0])
	assert.Equal(t, "stem-11.png", all.Names[10])
	assert.NotContains(t, strings.Join(all.Warnings, "\n"), "truncated")
	for i, picture := range all.Data {
		decoded, _, err := image.Decode(bytes.NewReader(picture))
		require.NoError(t, err)
		assert.Equal(t, 4, decoded.Bounds().Dx())
		r, g, b, _ := decoded.At(2, 2).RGBA()
		wantR, wantG, wantB, _ := colours[i%3].RGBA()
		assert.Equal(t, [3]uint32{wantR, wantG, wantB}, [3]uint32{r, g, b}, "picture %d", i+1)
	}

	first, err := testkit.Convert(t, engine, "gif", "png", data.Bytes())
	require.NoError(t, err)
	assert.Equal(t, []string{"stem.png"}, first.Names)
	assert.Contains(t, strings.Join(first.Warnings, "\n"), "the option frames=all makes a file of each")
}
