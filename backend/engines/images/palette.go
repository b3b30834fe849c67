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
	b := src.Bounds()
	flat := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(flat, flat.Bounds(), src, b.Min, draw.Src)
	transparent := false
	counts := map[[3]uint8]int{}
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
			counts[[3]uint8{pix[0], pix[1], pix[2]}]++
		}
	}
	room := 256
	if transparent {
		room--
	}
	out.lossy = len(counts) > room
	palette := medianCut(counts, room)
	if transparent {
		palette = append(palette, color.NRGBA{})
	}
	out.image = image.NewPaletted(flat.Bounds(), palette)
	if out.lossy && !transparent {
		draw.FloydSteinberg.Draw(out.image, flat.Bounds(), flat, image.Point{})
	} else {
		// Spreading errors over an edge of transparency would draw specks into it.
		nearest(out.image, flat, transparent)
	}
	return out
}

func nearest(out *image.Paletted, flat *image.NRGBA, transparent bool) {
	known := map[[3]uint8]uint8{}
	opaque := out.Palette
	if transparent {
		opaque = opaque[:len(opaque)-1]
	}
	for i := range out.Pix {
		pix := flat.Pix[4*i : 4*i+4 : 4*i+4]
		if pix[3] == 0 {
			out.Pix[i] = uint8(len(opaque)) //nolint:gosec // at most 255
			continue
		}
		key := [3]uint8{pix[0], pix[1], pix[2]}
		index, ok := known[key]
		if !ok {
			index = uint8(opaque.Index(color.NRGBA{pix[0], pix[1], pix[2], 255})) //nolint:gosec // at most 255
			known[key] = index
		}
		out.Pix[i] = index
	}
}

type shade struct {
	rgb   [3]uint8
	count int
}

// medianCut halves the box with the widest range of colours until there are enough boxes, and takes the mean
// of each.
func medianCut(counts map[[3]uint8]int, room int) color.Palette {
	if len(counts) == 0 {
		return color.Palette{}
	}
	all := make([]shade, 0, len(counts))
	for rgb, count := range counts {
		all = append(all, shade{rgb, count})
	}
	slices.SortFunc(all, func(a, b shade) int { return slices.Compare(a.rgb[:], b.rgb[:]) })
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
	slices.SortStableFunc(b.shades, func(x, y shade) int { return int(x.rgb[b.axis]) - int(y.rgb[b.axis]) })
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
