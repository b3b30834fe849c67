package images

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math"
	"strings"
	"unicode/utf16"
)

// colourProfile is an ICC profile that is a curve for each channel and, in colour, a matrix: what cameras, phones and
// screens write. Tables of printers are not of that kind.
type colourProfile struct {
	name   string
	gray   bool
	curves [3]toneCurve
	matrix [3][3]float64 // linear light of the profile to linear light of sRGB
}

// toneCurve takes a channel of 0 to 1 to linear light.
type toneCurve func(float64) float64

// maxProfile bounds a profile; those of curves and a matrix have some kilobytes.
const maxProfile = 4 << 20

// fromD50 takes the connection space of ICC (XYZ of D50) to linear sRGB, as the sRGB profile of the ICC has it.
var fromD50 = [3][3]float64{
	{3.1341359, -1.6173863, -0.4906619},
	{-0.9787955, 1.9162544, 0.0334427},
	{0.0719554, -0.2289769, 1.4053860},
}

// parseProfile is nil for profiles of other kinds.
func parseProfile(data []byte) *colourProfile {
	if len(data) < 132 || len(data) > maxProfile || string(data[36:40]) != "acsp" || string(data[20:24]) != "XYZ " {
		return nil
	}
	tags := profileTags(data)
	p := &colourProfile{name: profileName(tags["desc"])}
	if _, isTable := tags["A2B0"]; isTable {
		return nil
	}

	curveTags := []string{"rTRC", "gTRC", "bTRC"}
	switch string(data[16:20]) {
	case "GRAY":
		p.gray = true
		curveTags = []string{"kTRC", "kTRC", "kTRC"}
	case "RGB ":
		if !p.setMatrix(tags) {
			return nil
		}
	default:
		return nil
	}
	for i, tag := range curveTags {
		if p.curves[i] = parseCurve(tags[tag]); p.curves[i] == nil {
			return nil
		}
	}
	return p
}

func profileTags(data []byte) map[string][]byte {
	tags := map[string][]byte{}
	count := int(min(binary.BigEndian.Uint32(data[128:]), 200))
	for i := range count {
		entry := 132 + 12*i
		if entry+12 > len(data) {
			break
		}
		from, size := uint64(binary.BigEndian.Uint32(data[entry+4:])), uint64(binary.BigEndian.Uint32(data[entry+8:]))
		if from+size <= uint64(len(data)) {
			tags[string(data[entry:entry+4])] = data[from : from+size]
		}
	}
	return tags
}

func (p *colourProfile) setMatrix(tags map[string][]byte) bool {
	var toXYZ [3][3]float64
	for column, tag := range []string{"rXYZ", "gXYZ", "bXYZ"} {
		value := tags[tag]
		if len(value) < 20 || string(value[:4]) != "XYZ " {
			return false
		}
		for row := range 3 {
			toXYZ[row][column] = fixed(value[8+4*row:])
		}
	}
	for row := range 3 {
		for column := range 3 {
			for k := range 3 {
				p.matrix[row][column] += fromD50[row][k] * toXYZ[k][column]
			}
		}
	}
	return true
}

// fixed is a number of 16 bits before and 16 behind the point.
func fixed(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) / 65536 } //nolint:gosec // signed in the file

// parseCurve is nil for what is none.
func parseCurve(b []byte) toneCurve {
	switch {
	case len(b) >= 12 && string(b[:4]) == "curv":
		return sampledCurve(b)
	case len(b) >= 12 && string(b[:4]) == "para":
		return parametricCurve(b)
	default:
		return nil
	}
}

func sampledCurve(b []byte) toneCurve {
	count := uint64(binary.BigEndian.Uint32(b[8:]))
	switch {
	case count == 0:
		return func(v float64) float64 { return v }
	case 12+2*count > uint64(len(b)):
		return nil
	case count == 1:
		gamma := float64(binary.BigEndian.Uint16(b[12:])) / 256
		return func(v float64) float64 { return math.Pow(v, gamma) }
	}
	at := func(i int) float64 { return float64(binary.BigEndian.Uint16(b[12+2*i:])) / 65535 }
	last := int(count) - 1 //nolint:gosec // bounded by the length of the profile
	return func(v float64) float64 {
		place := v * float64(last)
		i := min(int(place), last-1)
		return at(i) + (at(i+1)-at(i))*(place-float64(i))
	}
}

// parametricCurve is one of the five functions of ICC.1:2010, 10.16.
func parametricCurve(b []byte) toneCurve {
	kind := binary.BigEndian.Uint16(b[8:])
	counts := []int{1, 3, 4, 5, 7}
	if int(kind) >= len(counts) || len(b) < 12+4*counts[kind] {
		return nil
	}
	var n [7]float64 // g a b c d e f
	for i := range counts[kind] {
		n[i] = fixed(b[12+4*i:])
	}
	power := func(v float64) float64 { return math.Pow(max(0, n[1]*v+n[2]), n[0]) }
	switch kind {
	case 0:
		return func(v float64) float64 { return math.Pow(v, n[0]) }
	case 1, 2:
		return func(v float64) float64 {
			if n[1]*v+n[2] < 0 {
				return n[3]
			}
			return power(v) + n[3]
		}
	default:
		return func(v float64) float64 {
			if v < n[4] {
				return n[3]*v + n[6]
			}
			return power(v) + n[5]
		}
	}
}

// profileName is what a profile calls itself, in the encodings of versions 2 and 4.
func profileName(b []byte) string {
	name := ""
	switch {
	case len(b) > 12 && string(b[:4]) == "desc":
		size := min(int(min(binary.BigEndian.Uint32(b[8:]), 200)), len(b)-12)
		name = string(b[12 : 12+size])
	case len(b) >= 28 && string(b[:4]) == "mluc":
		size, from := uint64(binary.BigEndian.Uint32(b[20:])), uint64(binary.BigEndian.Uint32(b[24:]))
		if from+size <= uint64(len(b)) && size <= 400 {
			var units []uint16
			for i := from; i+1 < from+size; i += 2 {
				units = append(units, binary.BigEndian.Uint16(b[i:]))
			}
			name = string(utf16.Decode(units))
		}
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == '\uFFFD' {
			return -1
		}
		return r
	}, name))
}

func encodeSRGB(v float64) float64 {
	if v <= 0.0031308 {
		return 12.92 * v
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

// isSRGB reports whether the profile changes no colour by more than can be seen.
func (p *colourProfile) isSRGB() bool {
	a := p.applier(false)
	const step = 0x2020
	for i := range 9 * 9 * 9 {
		level := func(n int) uint16 { return uint16(min(n%9*step, 0xffff)) } //nolint:gosec // at most 16 bits
		c := color.NRGBA64{level(i), level(i / 9), level(i / 81), 0xffff}
		if p.gray {
			c.G, c.B = c.R, c.R
		}
		out := a.colour(c)
		if apart(c.R, out.R) > 1 || apart(c.G, out.G) > 1 || apart(c.B, out.B) > 1 {
			return false
		}
	}
	return true
}

// apart is how far two channels differ in 8 bits.
func apart(a, b uint16) int {
	d := int(a>>8) - int(b>>8)
	return max(d, -d)
}

// fits reports whether the profile is one for such pixels.
func (p *colourProfile) fits(m image.Image) bool {
	switch m.(type) {
	case *image.Gray, *image.Gray16:
		return p.gray
	case *image.CMYK:
		return false
	default:
		return !p.gray || grayOnly(m)
	}
}

// grayOnly reports whether a picture in colour, such as one of gray and alpha, has gray pixels alone.
func grayOnly(m image.Image) bool {
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, g, b, _ := m.At(x, y).RGBA(); r != g || g != b {
				return false
			}
		}
	}
	return true
}

// apply brings a picture to sRGB, in the depth that it has, and counts the pixels whose colour sRGB lacks.
func (p *colourProfile) apply(m image.Image) (image.Image, int) {
	if paletted, ok := m.(*image.Paletted); ok {
		return p.applyPalette(paletted)
	}
	a := p.applier(isDeep(m))
	b := m.Bounds()
	at := image.Rect(0, 0, b.Dx(), b.Dy())
	switch m.(type) {
	case *image.Gray:
		out := image.NewGray(at)
		a.each(m, func(x, y int, c color.NRGBA64) { out.Pix[y*out.Stride+x] = uint8(c.R >> 8) })
		return out, a.outside
	case *image.Gray16:
		out := image.NewGray16(at)
		a.each(m, func(x, y int, c color.NRGBA64) { out.SetGray16(x, y, color.Gray16{Y: c.R}) })
		return out, a.outside
	}
	if isDeep(m) {
		out := image.NewNRGBA64(at)
		a.each(m, out.SetNRGBA64)
		return out, a.outside
	}
	out := image.NewNRGBA(at)
	a.each(m, func(x, y int, c color.NRGBA64) {
		i := y*out.Stride + 4*x
		out.Pix[i], out.Pix[i+1], out.Pix[i+2], out.Pix[i+3] = uint8(c.R>>8), uint8(c.G>>8), uint8(c.B>>8), uint8(c.A>>8)
	})
	return out, a.outside
}

func (p *colourProfile) applyPalette(m *image.Paletted) (image.Image, int) {
	a := p.applier(false)
	out := *m
	out.Palette = make(color.Palette, len(m.Palette))
	lacks := make([]bool, len(m.Palette))
	for i, c := range m.Palette {
		before := a.outside
		now := a.colour(nrgba64(c))
		out.Palette[i] = color.NRGBA{uint8(now.R >> 8), uint8(now.G >> 8), uint8(now.B >> 8), uint8(now.A >> 8)}
		lacks[i] = a.outside > before
	}
	outside := 0
	for _, index := range m.Pix {
		if int(index) < len(lacks) && lacks[index] {
			outside++
		}
	}
	return &out, outside
}

// applier holds the curves of a profile as tables.
type applier struct {
	profile *colourProfile
	shift   int // of 16 bits, to the index of a table
	linear  [3][]float64
	encoded []uint16
	outside int
	last    color.NRGBA64 // pictures repeat colours
	was     color.NRGBA64
	lacked  bool
	any     bool
}

const encodedSteps = 1 << 16

func (p *colourProfile) applier(deep bool) *applier {
	a := &applier{profile: p, shift: 8}
	size := 256
	if deep {
		a.shift, size = 0, 65536
	}
	for i, curve := range p.curves {
		a.linear[i] = make([]float64, size)
		for v := range size {
			linear := curve(float64(v) / float64(size-1))
			if math.IsNaN(linear) {
				linear = 0
			}
			a.linear[i][v] = min(max(linear, 0), 1)
		}
	}
	a.encoded = make([]uint16, encodedSteps+1)
	for i := range a.encoded {
		a.encoded[i] = uint16(math.Round(encodeSRGB(float64(i)/encodedSteps) * 65535))
	}
	return a
}

func (a *applier) each(m image.Image, put func(x, y int, c color.NRGBA64)) {
	b := m.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			put(x, y, a.colour(nrgba64(m.At(b.Min.X+x, b.Min.Y+y))))
		}
	}
}

// nrgba64 keeps what a pixel that is nearly transparent has of colour, where its type has that.
func nrgba64(c color.Color) color.NRGBA64 {
	switch c := c.(type) {
	case color.NRGBA:
		return color.NRGBA64{uint16(c.R) * 0x101, uint16(c.G) * 0x101, uint16(c.B) * 0x101, uint16(c.A) * 0x101}
	case color.NRGBA64:
		return c
	}
	out, _ := color.NRGBA64Model.Convert(c).(color.NRGBA64)
	return out
}

// colour is one pixel; a table of 8 bits gets its channels rounded to that, as the high byte.
func (a *applier) colour(c color.NRGBA64) color.NRGBA64 {
	if !a.any || c != a.was {
		a.any, a.was = true, c
		a.last, a.lacked = a.compute(c)
	}
	if a.lacked {
		a.outside++
	}
	return a.last
}

func (a *applier) compute(c color.NRGBA64) (color.NRGBA64, bool) {
	const tolerance = 1.0 / 128
	p := a.profile
	linear := [3]float64{a.linear[0][c.R>>a.shift], a.linear[1][c.G>>a.shift], a.linear[2][c.B>>a.shift]}
	var out [3]uint16
	outside := false
	for i := range 3 {
		v := linear[i]
		if !p.gray {
			v = p.matrix[i][0]*linear[0] + p.matrix[i][1]*linear[1] + p.matrix[i][2]*linear[2]
		}
		outside = outside || v < -tolerance || v > 1+tolerance
		out[i] = a.encoded[int(min(max(v, 0), 1)*encodedSteps+0.5)]
		if a.shift > 0 {
			out[i] = uint16((uint32(out[i])+128)/257) << 8 //nolint:gosec // at most 255, by 256
		}
	}
	return color.NRGBA64{out[0], out[1], out[2], c.A}, outside
}

// toSRGB applies the profile of a file, and names what that cost or why it was not done. A profile of another kind is
// left to another engine where helped.
func (p *picture) toSRGB(data []byte, helped bool) error {
	if len(data) == 0 {
		return nil
	}
	profile := parseProfile(data)
	switch {
	case profile == nil && isSRGB(data), profile != nil && profile.isSRGB():
		return nil
	case (profile == nil || !profile.fits(p.image)) && helped:
		return notRead(p.format, "has a colour profile of a kind that is not applied")
	case profile == nil || !profile.fits(p.image):
		name := named(profileName(profileTags(pad(data))["desc"]))
		p.warnf("best_effort: the colour profile%s is of a kind that is not applied here, and was left out; colours may look different", name)
		return nil
	}

	var outside int
	p.image, outside = profile.apply(p.image)
	p.changed = true
	note := fmt.Sprintf("best_effort: colours were converted from the colour profile%s to sRGB", named(profile.name))
	if b := p.image.Bounds(); outside > 0 {
		note += fmt.Sprintf("; %d of %d pixels have colours outside of it and got the nearest ones", outside, b.Dx()*b.Dy())
	}
	p.warnings = append(p.warnings, note)
	return nil
}

// pad makes the header of a cut profile readable.
func pad(data []byte) []byte {
	return append(data[:len(data):len(data)], make([]byte, max(0, 132-len(data)))...)
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" %.60q", name)
}
