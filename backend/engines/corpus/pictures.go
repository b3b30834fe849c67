package corpus

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"

	"github.com/gen2brain/webp"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

var (
	red    = color.NRGBA{R: 200, G: 30, B: 40, A: 255}
	green  = color.NRGBA{R: 20, G: 160, B: 60, A: 255}
	blue   = color.NRGBA{R: 30, G: 60, B: 210, A: 255}
	yellow = color.NRGBA{R: 240, G: 220, B: 20, A: 255}
	black  = color.NRGBA{A: 255}
	white  = color.NRGBA{R: 255, G: 255, B: 255, A: 255}
	grey   = color.NRGBA{R: 128, G: 128, B: 128, A: 255}
	glass  = color.NRGBA{}
	faint  = color.NRGBA{R: 200, G: 30, B: 40, A: 128}
)

// quartered is a picture of four colours.
func quartered(m draw.Image, q [4]color.NRGBA) image.Image {
	b := m.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			i := 0
			if x >= b.Dx()/2 {
				i++
			}
			if y >= b.Dy()/2 {
				i += 2
			}
			m.Set(x, y, q[i])
		}
	}
	return m
}

// pictures are of every size (the middle of a quarter is in no block of a lossy format that the next one reaches into), kind of colours and format that is made here.
func pictures() []File {
	colours := map[string][4]color.NRGBA{"colours": {red, green, blue, yellow}, "extremes": {black, white, grey, red}, "transparent": {glass, green, faint, yellow}}
	var out []File
	for _, size := range []struct {
		name string
		at   image.Rectangle
	}{{"small", image.Rect(0, 0, 64, 32)}, {"odd", image.Rect(0, 0, 127, 95)}, {"middle", image.Rect(0, 0, 320, 200)}} {
		for _, name := range []string{"colours", "extremes", "transparent"} {
			q := colours[name]
			all := color.Palette{red, green, blue, yellow, black, white, grey, glass, faint}
			truth := Truth{Colour: &Colours{Width: size.at.Dx(), Height: size.at.Dy(), Quarters: q}, Pages: 1}
			add := func(kind, format string, data []byte) {
				out = append(out, File{Name: "pictures/" + format + " " + kind + " " + name + " " + size.name, Format: format, Data: data, Truth: truth})
			}
			add("32 bit", "png", encoded(quartered(image.NewNRGBA(size.at), q), "png"))
			add("64 bit", "png", encoded(quartered(image.NewNRGBA64(size.at), q), "png"))
			add("palette", "png", encoded(quartered(image.NewPaletted(size.at, all), q), "png"))
			add("lossless", "webp", encoded(quartered(image.NewNRGBA(size.at), q), "webp lossless"))
			add("lossy", "webp", encoded(quartered(image.NewNRGBA(size.at), q), "webp"))
			add("32 bit", "tiff", encoded(quartered(image.NewNRGBA(size.at), q), "tiff"))
			if name != "transparent" {
				add("32 bit", "jpg", encoded(quartered(image.NewNRGBA(size.at), q), "jpg"))
				add("24 bit", "bmp", encoded(quartered(image.NewRGBA(size.at), q), "bmp"))
				add("palette", "gif", encoded(quartered(image.NewPaletted(size.at, all[:7]), q), "gif"))
			}
		}
	}
	return append(out, turned()...)
}

// turned are pictures that a camera held otherwise, and moving ones.
func turned() []File {
	q := [4]color.NRGBA{red, green, blue, yellow}
	lying := quartered(image.NewNRGBA(image.Rect(0, 0, 48, 32)), q)
	// Where each quarter is once the picture is upright, by EXIF 2.3, table of Orientation.
	upright := map[int][4]int{1: {0, 1, 2, 3}, 2: {1, 0, 3, 2}, 3: {3, 2, 1, 0}, 4: {2, 3, 0, 1}, 5: {0, 2, 1, 3}, 6: {2, 0, 3, 1}, 7: {3, 1, 2, 0}, 8: {1, 3, 0, 2}}
	var out []File
	for orientation := 1; orientation <= 8; orientation++ {
		width, height := 48, 32
		if orientation > 4 {
			width, height = height, width
		}
		c := Colours{Width: width, Height: height}
		for to, from := range upright[orientation] {
			c.Quarters[to] = q[from]
		}
		truth := Truth{Colour: &c, Pages: 1}
		name := "turned " + string(rune('0'+orientation))
		exif := []byte{'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, byte(orientation), 0, 0, 0, 0, 0, 0, 0}
		jpg := encoded(lying, "jpg")
		segment := append([]byte("Exif\x00\x00"), exif...)
		head := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(segment)+2)) //nolint:gosec // some thirty bytes
		out = append(out, File{Name: "pictures/jpg " + name, Format: "jpg", Data: bytes.Join([][]byte{head, segment, jpg[2:]}, nil), Truth: truth})
		data := encoded(lying, "png")
		const header = 33
		out = append(out, File{Name: "pictures/png " + name, Format: "png", Data: bytes.Join([][]byte{data[:header], pngChunk("eXIf", exif), data[header:]}, nil), Truth: truth})
	}
	var moving gif.GIF
	for i := range 3 {
		frame := image.NewPaletted(image.Rect(0, 0, 48, 32), color.Palette{red, green, blue, yellow})
		quartered(frame, [4]color.NRGBA{q[i], q[(i+1)%4], q[(i+2)%4], q[(i+3)%4]})
		moving.Image, moving.Delay = append(moving.Image, frame), append(moving.Delay, 10)
	}
	var data bytes.Buffer
	must(0, gif.EncodeAll(&data, &moving))
	truth := Truth{Colour: &Colours{Width: 48, Height: 32, Quarters: [4]color.NRGBA{red, green, blue, yellow}, Animated: true}, Pages: 1}
	return append(out, File{Name: "pictures/gif moving", Format: "gif", Data: data.Bytes(), Truth: truth})
}

func pngChunk(kind string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body))) //nolint:gosec // some thirty bytes
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

func encoded(m image.Image, format string) []byte {
	var out bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&out, m)
	case "jpg":
		err = jpeg.Encode(&out, m, &jpeg.Options{Quality: 95})
	case "bmp":
		err = bmp.Encode(&out, m)
	case "gif":
		err = gif.Encode(&out, m, nil)
	case "tiff":
		err = tiff.Encode(&out, m, nil)
	case "webp":
		err = webp.Encode(&out, m, webp.Options{Quality: 95, Method: webp.DefaultMethod})
	case "webp lossless":
		err = webp.Encode(&out, m, webp.Options{Lossless: true, Exact: true, Method: webp.DefaultMethod})
	}
	must(0, err)
	return out.Bytes()
}
