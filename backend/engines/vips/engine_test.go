package vips_test

import (
	"bytes"
	"image"
	"image/color"
	_ "image/jpeg" // for image.DecodeConfig
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/vips"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const variable = "CONVILYN_TEST_VIPS"

func decode(t *testing.T, data []byte) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	return m
}

// distance is the mean difference of two pictures of one size, of 255.
func distance(t *testing.T, a, b image.Image) float64 {
	t.Helper()
	require.Equal(t, a.Bounds().Size(), b.Bounds().Size())
	sum := 0.0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p, q := color.NRGBAModel.Convert(a.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(b.At(x, y)).(color.NRGBA)
			for _, d := range [][2]uint8{{p.R, q.R}, {p.G, q.G}, {p.B, q.B}} {
				sum += float64(max(d[0], d[1]) - min(d[0], d[1]))
			}
		}
	}
	return sum / float64(3*a.Bounds().Dx()*a.Bounds().Dy())
}

// Every target comes back as the same picture; those that another decoder reads, by that.
func TestThereAndBack(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	photo := testkit.Examples(t, "photo.png")
	original := decode(t, photo)
	for target, most := range map[string]float64{"jpg": 4, "gif": 12, "tiff": 0, "webp": 6, "heic": 6, "avif": 6, "jp2": 6, "ppm": 0} {
		t.Run(target, func(t *testing.T) {
			made, err := testkit.Convert(t, engine, "png", target, photo)
			require.NoError(t, err, target)
			reader := engine
			if strings.Contains("jpg gif tiff webp heic", target) {
				reader = images.New()
			}
			back, err := testkit.Convert(t, reader, target, "png", made.Data[0])
			require.NoError(t, err, target)
			assert.LessOrEqual(t, distance(t, original, decode(t, back.Data[0])), most, target)
			if most > 0 {
				assert.Contains(t, strings.Join(made.Warnings, "\n"), "best_effort", target)
			} else {
				assert.Empty(t, made.Warnings, target)
			}
		})
	}
}

func TestADrawing(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	out, err := testkit.Convert(t, engine, "svg", "png", testkit.Examples(t, "chart.svg"))
	require.NoError(t, err)
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "480 x 270 pixels")
	m := decode(t, out.Data[0])
	assert.Equal(t, image.Pt(480, 270), m.Bounds().Size())
	assert.Greater(t, testkit.Ink(m, image.Rect(20, 10, 400, 50)), 100, "the title is drawn")
	if dir := os.Getenv("CONVILYN_KEEP_PAGES"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "vips.png"), out.Data[0], 0o600))
	}
}

// A drawing shows no file of this machine, wherever it lies.
func TestAHostileDrawing(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	secret := filepath.Join(t.TempDir(), "secret.png")
	require.NoError(t, os.WriteFile(secret, testkit.Examples(t, "photo.png"), 0o600))
	for _, href := range []string{secret, "file://" + secret, "secret.png", "../secret.png", "input.svg", "/etc/passwd"} {
		drawing := `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="60" height="60"><rect width="60" height="60" fill="#fff"/>` +
			`<image width="60" height="60" xlink:href="` + href + `"/><style>@import url("` + href + `");</style></svg>`
		out, err := testkit.Convert(t, engine, "svg", "png", []byte(drawing), func(in *engines.Request) {
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(in.InputPath), "secret.png"), testkit.Examples(t, "photo.png"), 0o600))
		})
		require.NoError(t, err, href)
		m := decode(t, out.Data[0])
		for y := range 60 {
			for x := range 60 {
				require.Equal(t, color.NRGBA{255, 255, 255, 255}, color.NRGBAModel.Convert(m.At(x, y)), href)
			}
		}
	}
	entity := `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY e SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" width="400" height="40"><rect width="400" height="40" fill="#fff"/><text y="20">&e;</text></svg>`
	if out, err := testkit.Convert(t, engine, "svg", "png", []byte(entity)); err == nil {
		assert.Zero(t, testkit.Ink(decode(t, out.Data[0]), image.Rectangle{}), "an entity brings nothing in")
	}
}

// What the built-in engine refuses for its size goes to the one that streams.
func TestALargePicture(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	var large bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&large, image.NewGray(image.Rect(0, 0, 12_000, 9_000))))
	_, err := testkit.Convert(t, images.New(), "png", "jpg", large.Bytes())
	require.ErrorContains(t, err, "at most 100 million")
	both, _, err := engines.NewRegistry(t.Context(), images.New(), engine).Find("png", "jpg")
	require.NoError(t, err)
	out, err := testkit.Convert(t, both, "png", "jpg", large.Bytes())
	require.NoError(t, err)
	config, _, err := image.DecodeConfig(bytes.NewReader(out.Data[0]))
	require.NoError(t, err)
	assert.Equal(t, 12_000, config.Width)
}

func TestInputsThatAreNotWhatTheySay(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	photo := testkit.Examples(t, "photo.png")
	jpg, err := testkit.Convert(t, engine, "png", "jpg", photo)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		source string
		data   []byte
		code   string
	}{
		"text called webp":   {"webp", []byte("garbage"), engines.CodeUnsupportedInput},
		"png called svg":     {"svg", photo, engines.CodeUnsupportedInput},
		"svg that is none":   {"svg", []byte("<svg "), engines.CodeUnsupportedInput},
		"png that is cut":    {"png", photo[:len(photo)/2], engines.CodeConversionFailed},
		"jpg that is cut":    {"jpg", jpg.Data[0][:len(jpg.Data[0])/2], engines.CodeConversionFailed},
		"too large to draw":  {"svg", []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="32000" height="32000"/>`), engines.CodeUnsupportedInput},
		"nothing":            {"png", nil, engines.CodeUnsupportedInput},
		"a magic and no end": {"jp2", []byte("\x00\x00\x00\x0CjP  \r\n\x87\n"), engines.CodeUnsupportedInput},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, test.source, "webp", test.data)
			if test.source == "webp" {
				out, err = testkit.Convert(t, engine, test.source, "png", test.data)
			}
			e, ok := engines.AsError(err)
			require.True(t, ok, "%s: %v", name, err)
			assert.Equal(t, test.code, e.Code, "%s: %s", name, e.Message)
			assert.Empty(t, out.Data)
		})
	}
}

// Runs of pixels are what the built-in engine does not read of a BMP.
func TestPackedBMP(t *testing.T) {
	engine := testkit.Needed(t, vips.New(), variable)
	data := []byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x3e\x00\x00\x00\x28\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00\x01\x00\x08\x00\x01\x00\x00\x00" +
		"\x1a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\xff\x00" + strings.Repeat("\x04\x01\x00\x00", 4) + "\x00\x01")
	_, err := testkit.Convert(t, images.New(), "bmp", "png", data)
	require.ErrorContains(t, err, "libvips-tools")
	made, err := testkit.Convert(t, engine, "bmp", "png", data)
	require.NoError(t, err)
	assert.Equal(t, color.NRGBA{255, 0, 0, 255}, color.NRGBAModel.Convert(decode(t, made.Data[0]).At(2, 2)))
}
