package images

import (
	"image"
	"image/color"
	"image/draw"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// every is a picture that has each colour of six bits a channel once or more, and so more than are told apart.
func every(step int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 1024, 1024))
	for i := range 1024 * 1024 {
		key := i * step
		copy(m.Pix[4*i:], []uint8{uint8(key >> 16), uint8(key >> 8), uint8(key), 255})
	}
	return m
}

// Go's own dithering, which is many times slower, is the measure.
func TestDitheringIsAsGoodAsTheStandard(t *testing.T) {
	for name, m := range map[string]*image.NRGBA{"few": every(1), "many": every(16)} {
		out := reduce(m)
		require.True(t, out.lossy, name)
		standard := image.NewPaletted(m.Bounds(), out.image.Palette)
		draw.FloydSteinberg.Draw(standard, m.Bounds(), m, image.Point{})
		assert.Less(t, off(m, out.image), off(m, standard)*1.05+0.5, name)
	}
}

// off is how far the means of blocks of 8 by 8 pixels are apart: that is what eyes see of a dithered picture.
func off(m *image.NRGBA, p *image.Paletted) float64 {
	sum, blocks := 0.0, 0
	for y := 0; y < m.Rect.Dy(); y += 8 {
		for x := 0; x < m.Rect.Dx(); x += 8 {
			var apart [3]int
			for i := range 64 {
				at := m.PixOffset(x+i%8, y+i/8)
				got, _ := p.Palette[p.ColorIndexAt(x+i%8, y+i/8)].(color.NRGBA)
				apart[0] += int(m.Pix[at]) - int(got.R)
				apart[1] += int(m.Pix[at+1]) - int(got.G)
				apart[2] += int(m.Pix[at+2]) - int(got.B)
			}
			for _, a := range apart {
				sum += float64(max(a, -a)) / 64
			}
			blocks++
		}
	}
	return sum / float64(3*blocks)
}

// A palette with room for every colour changes none, whatever type the pixels come in.
func TestColoursThatHaveRoomStay(t *testing.T) {
	gray, opaque := image.NewGray(image.Rect(0, 0, 16, 16)), image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		gray.Pix[i] = uint8(i)
		copy(opaque.Pix[4*i:], []uint8{uint8(i), uint8(255 - i), 7, 255})
	}
	for _, m := range []image.Image{gray, opaque, gray.SubImage(image.Rect(3, 3, 9, 9)), opaque.SubImage(image.Rect(2, 5, 9, 9))} {
		out := reduce(m)
		require.False(t, out.lossy)
		b := m.Bounds()
		for y := range b.Dy() {
			for x := range b.Dx() {
				require.Equal(t, color.NRGBAModel.Convert(m.At(b.Min.X+x, b.Min.Y+y)), out.image.At(x, y), "%T %d,%d", m, x, y)
			}
		}
	}
}
