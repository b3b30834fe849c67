package images

import (
	"image"
	"image/color"
)

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
