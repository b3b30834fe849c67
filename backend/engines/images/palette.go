package images

import (
	"image"
	"image/color"
	"image/draw"
	"slices"
)

// reduced is a picture of at most 256 colours.
type reduced struct {
	image           *image.Paletted
	lossy           bool // it had more colours
	halfTransparent bool // it had pixels neither opaque nor transparent
}

// reduce keeps every colour where there is room for all of them. Otherwise it chooses by median cut and
// spreads the error by Floyd and Steinberg's method.
func reduce(src image.Image) reduced {
	var out reduced
	flat := flatten(src)
	transparent := false
	var counts colours
	for i := 0; i < len(flat.Pix); i += 4 {
		pix := flat.Pix[i : i+4 : i+4]
		switch {
		case pix[3] < 128:
			out.halfTransparent = out.halfTransparent || pix[3] != 0
			copy(pix, []uint8{0, 0, 0, 0})
			transparent = true
		default:
			out.halfTransparent = out.halfTransparent || pix[3] != 255
			pix[3] = 255
			*counts.at(pix[0], pix[1], pix[2])++
		}
	}
	room := 256
	if transparent {
		room--
	}
	shades := counts.shades()
	out.lossy = len(shades) > room
	chosen := newNearest(medianCut(shades, room))
	palette := chosen.palette
	if transparent {
		palette = append(palette, color.NRGBA{})
	}
	out.image = image.NewPaletted(flat.Bounds(), palette)
	if out.lossy && !transparent {
		chosen.dither(out.image, flat)
	} else {
		// Spreading errors over an edge of transparency would draw specks into it.
		chosen.plain(out.image, flat)
	}
	return out
}

// flatten is a copy of a picture; what is common is copied without a call for each pixel.
func flatten(src image.Image) *image.NRGBA {
	b := src.Bounds()
	flat := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	var from []uint8
	stride := 0
	switch m := src.(type) {
	case *image.NRGBA:
		from, stride = m.Pix, m.Stride
	case *image.RGBA:
		if m.Opaque() {
			from, stride = m.Pix, m.Stride
		}
	case *image.Gray:
		for y := range b.Dy() {
			row := m.Pix[y*m.Stride : y*m.Stride+b.Dx()]
			for x, v := range row {
				copy(flat.Pix[flat.PixOffset(x, y):], []uint8{v, v, v, 255})
			}
		}
		return flat
	}
	if from == nil {
		draw.Draw(flat, flat.Bounds(), src, b.Min, draw.Src)
		return flat
	}
	for y := range b.Dy() {
		copy(flat.Pix[y*flat.Stride:(y+1)*flat.Stride], from[y*stride:])
	}
	return flat
}

type shade struct {
	rgb   [3]uint8
	count int
}

// medianCut halves the box with the widest range of colours until there are enough boxes, and takes the mean
// of each.
func medianCut(all []shade, room int) color.Palette {
	if len(all) == 0 {
		return color.Palette{}
	}
	boxes := []box{measure(all)}
	for len(boxes) < room {
		widest := 0
		for i := range boxes {
			if boxes[i].width > boxes[widest].width {
				widest = i
			}
		}
		if boxes[widest].width == 0 {
			break
		}
		low, high := halve(boxes[widest])
		boxes[widest] = measure(low)
		boxes = append(boxes, measure(high))
	}
	palette := make(color.Palette, len(boxes))
	for i, b := range boxes {
		palette[i] = mean(b.shades)
	}
	return palette
}

// box holds shades that will become one colour.
type box struct {
	shades []shade
	axis   int // the channel along which it is widest
	width  int
}

func measure(shades []shade) box {
	b := box{shades: shades}
	for channel := range 3 {
		low, high := 255, 0
		for _, s := range shades {
			low, high = min(low, int(s.rgb[channel])), max(high, int(s.rgb[channel]))
		}
		if high-low > b.width {
			b.axis, b.width = channel, high-low
		}
	}
	return b
}

// halve splits a box at the median pixel. Both halves have a colour: the box has at least two.
func halve(b box) (low, high []shade) {
	sortBy(b.shades, b.axis)
	total := 0
	for _, s := range b.shades {
		total += s.count
	}
	at, seen := 0, 0
	for at < len(b.shades)-1 && seen < total/2 {
		seen += b.shades[at].count
		at++
	}
	at = max(at, 1)
	return b.shades[:at], b.shades[at:]
}

// sortBy sorts shades by a channel and leaves those that are equal in it in their order; by counting, since there may be
// hundreds of thousands.
func sortBy(shades []shade, axis int) {
	var next [257]int
	for _, s := range shades {
		next[int(s.rgb[axis])+1]++
	}
	for i := range 256 {
		next[i+1] += next[i]
	}
	for _, s := range slices.Clone(shades) {
		shades[next[s.rgb[axis]]] = s
		next[s.rgb[axis]]++
	}
}

func mean(shades []shade) color.NRGBA {
	var sum [3]int
	total := 0
	for _, s := range shades {
		total += s.count
		for channel := range 3 {
			sum[channel] += int(s.rgb[channel]) * s.count
		}
	}
	at := func(channel int) uint8 { return uint8((sum[channel] + total/2) / total) } //nolint:gosec // a mean of bytes
	return color.NRGBA{at(0), at(1), at(2), 255}
}
