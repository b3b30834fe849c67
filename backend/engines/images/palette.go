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

// colours holds a number for each of the 2^24 colours. Room is taken for those that appear: a large picture looks up
// each of its pixels, and a map would take most of the time of its conversion.
type colours struct {
	pages [1 << 12]*[1 << 12]uint32
}

func (c *colours) at(r, g, b uint8) *uint32 {
	key := uint32(r)<<16 | uint32(g)<<8 | uint32(b)
	page := c.pages[key>>12]
	if page == nil {
		page = new([1 << 12]uint32)
		c.pages[key>>12] = page
	}
	return &page[key&0xfff]
}

// maxShades is as many colours as are told apart when a palette is chosen; of more, those that differ in the last two
// bits of a channel count as one.
const maxShades = 1 << 18

// shades lists the colours that have a number, in their order.
func (c *colours) shades() []shade {
	var out []shade
	for high, page := range c.pages {
		if page == nil {
			continue
		}
		for low, count := range page {
			if count > 0 {
				key := high<<12 | low
				out = append(out, shade{[3]uint8{uint8(key >> 16), uint8(key >> 8), uint8(key)}, int(count)}) //nolint:gosec // its bytes
			}
		}
	}
	if len(out) > maxShades {
		return coarse(out)
	}
	return out
}

func coarse(all []shade) []shade {
	bins := make([]struct {
		sum   [3]int
		count int
	}, maxShades)
	for _, s := range all {
		bin := &bins[int(s.rgb[0]>>2)<<12|int(s.rgb[1]>>2)<<6|int(s.rgb[2]>>2)]
		for channel, v := range s.rgb {
			bin.sum[channel] += int(v) * s.count
		}
		bin.count += s.count
	}
	out := all[:0]
	for _, bin := range bins {
		if bin.count > 0 {
			at := func(channel int) uint8 { return uint8(bin.sum[channel] / bin.count) } //nolint:gosec // a mean of bytes
			out = append(out, shade{[3]uint8{at(0), at(1), at(2)}, bin.count})
		}
	}
	return out
}

// nearest finds the colour of a palette that is nearest to a colour, each once.
type nearest struct {
	palette color.Palette
	rgb     [][3]int32
	known   colours // the index and one
}

func newNearest(palette color.Palette) *nearest {
	n := &nearest{palette: palette}
	for _, c := range palette {
		r, g, b, _ := c.RGBA()
		n.rgb = append(n.rgb, [3]int32{int32(r >> 8), int32(g >> 8), int32(b >> 8)})
	}
	return n
}

func (n *nearest) index(r, g, b uint8) uint8 {
	known := n.known.at(r, g, b)
	if *known == 0 {
		best, at := int32(1<<30), 0
		for i, c := range n.rgb {
			dr, dg, db := c[0]-int32(r), c[1]-int32(g), c[2]-int32(b)
			if d := dr*dr + dg*dg + db*db; d < best {
				best, at = d, i
			}
		}
		*known = uint32(at) + 1
	}
	return uint8(*known - 1) //nolint:gosec // at most 255
}

// near is the index for colours that come with their errors, and so are mostly new: those that differ in the last two
// bits of a channel are looked up as one. What that is off by is an error to be spread like any.
func (n *nearest) near(c [3]int32) uint8 {
	middle := func(channel int) uint8 { return uint8(c[channel])&^3 | 2 } //nolint:gosec // 0-255
	return n.index(middle(0), middle(1), middle(2))
}

// plain gives each pixel its colour; those that are transparent get what stands behind the colours in the palette.
func (n *nearest) plain(out *image.Paletted, flat *image.NRGBA) {
	for i := range out.Pix {
		pix := flat.Pix[4*i : 4*i+4 : 4*i+4]
		if pix[3] == 0 {
			out.Pix[i] = uint8(len(n.rgb)) //nolint:gosec // at most 255
			continue
		}
		out.Pix[i] = n.index(pix[0], pix[1], pix[2])
	}
}

// dither spreads the error of each pixel over its neighbours to the right and below, by Floyd and Steinberg.
func (n *nearest) dither(out *image.Paletted, flat *image.NRGBA) {
	width, height := out.Rect.Dx(), out.Rect.Dy()
	// Sixteenths of errors, a pixel beyond each edge of the row.
	here, below := make([][3]int32, width+2), make([][3]int32, width+2)
	for y := range height {
		clear(below)
		for x := range width {
			at := y*width + x
			pix := flat.Pix[4*at : 4*at+3 : 4*at+3]
			var wanted [3]int32
			for channel, v := range pix {
				wanted[channel] = min(max(int32(v)+(here[x+1][channel]+8)>>4, 0), 255)
			}
			index := n.near(wanted)
			out.Pix[at] = index
			for channel, got := range n.rgb[index] {
				err := wanted[channel] - got
				here[x+2][channel] += 7 * err
				below[x][channel] += 3 * err
				below[x+1][channel] += 5 * err
				below[x+2][channel] += err
			}
		}
		here, below = below, here
	}
}
