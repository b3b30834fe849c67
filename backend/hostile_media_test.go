package backend_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"slices"
	"strings"
)

func pngChunk(kind string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// claiming is a PNG that says that it is so large; depth and kind as in its header.
func claiming(width, height uint32, depth, kind byte, data []byte) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, _ = w.Write(data)
	_ = w.Close()
	out := append([]byte("\x89PNG\r\n\x1a\n"), pngChunk("IHDR", append(head, depth, kind, 0, 0, 0))...)
	return append(append(out, pngChunk("IDAT", packed.Bytes())...), pngChunk("IEND", nil)...)
}

func jpegOf(width, height int) []byte {
	var out bytes.Buffer
	_ = jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, width, height)), nil)
	return out.Bytes()
}

// scanned is a progressive JPEG of so many scans, each a few bytes that stand for all blocks.
func scanned(width, height uint16, scans int) []byte {
	out := []byte("\xff\xd8\xff\xdb\x00\x43\x00" + strings.Repeat("\x01", 64))
	out = append(out, 0xff, 0xc2, 0, 11, 8)
	out = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(out, height), width)
	out = append(out, 1, 1, 0x11, 0)
	// One code each: DC of length 0, AC an end of 16,384 blocks.
	out = append(out, "\xff\xc4\x00\x14\x00\x01"+strings.Repeat("\x00", 15)+"\x00"...)
	out = append(out, "\xff\xc4\x00\x14\x10\x01"+strings.Repeat("\x00", 15)+"\xe0"...)
	blocks := int(width+7) / 8 * (int(height+7) / 8)
	out = append(out, "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00"...)
	out = append(out, make([]byte, blocks/8+1)...)
	run := make([]byte, blocks/16384*2+4)
	for range scans {
		out = append(out, "\xff\xda\x00\x08\x01\x01\x00\x01\x01\x00"...)
		out = append(out, run...)
	}
	return append(out, 0xff, 0xd9)
}

func framed(frames int) []byte {
	m := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Black, color.White})
	g := &gif.GIF{}
	for range frames {
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 0)
	}
	var out bytes.Buffer
	_ = gif.EncodeAll(&out, g)
	return out.Bytes()
}

// again is a GIF of one square picture, so many times.
func again(side, times int) []byte {
	var out bytes.Buffer
	_ = gif.EncodeAll(&out, &gif.GIF{Image: []*image.Paletted{image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.Black, color.White})}, Delay: []int{0}})
	const head = 13 // signature and screen, no colours for all
	data := out.Bytes()
	return slices.Concat(data[:head], bytes.Repeat(data[head:len(data)-1], times), data[len(data)-1:])
}

// directory is a TIFF of one directory: tag, type, count and value each.
func directory(entries ...[4]uint32) []byte {
	out := []byte("II*\x00\x08\x00\x00\x00")
	out = binary.LittleEndian.AppendUint16(out, uint16(len(entries)))
	for _, e := range entries {
		out = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(out, uint16(e[0])), uint16(e[1]))
		out = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, e[2]), e[3])
	}
	return append(out, 0, 0, 0, 0)
}

func hostilePictures() []hostile {
	of := func(source, target, name, want string, content func() []byte) hostile {
		return hostile{name: name, source: source, target: target, want: want, content: content}
	}
	damaged, many := "DAMAGED_IMAGE", "TOO_MANY_PIXELS"
	const wild = 0xfffffff0
	return []hostile{
		of("png", "jpg", "100,000 by 100,000 pixels", many, func() []byte { return claiming(100_000, 100_000, 8, 2, nil) }),
		of("png", "jpg", "2^31 by 2^31 pixels", damaged, func() []byte { return claiming(1<<31-1, 1<<31-1, 8, 2, nil) }),
		of("png", "jpg", "10,000 by 10,000 of 16 bits", many, func() []byte { return claiming(10_000, 10_000, 16, 6, make([]byte, 10_000*80_001)) }),
		of("png", "gif", "a picture as large as is taken", "", func() []byte { return claiming(10_000, 10_000, 1, 0, make([]byte, 10_000*1251)) }),
		of("png", "avif", "too large to be written as AVIF", many, func() []byte { return claiming(10_000, 10_000, 1, 0, make([]byte, 10_000*1251)) }),
		of("gif", "webp", "too large to be written as WebP", many, func() []byte { return again(10_000, 1) }),
		of("png", "jpg", "more data than pixels", damaged, func() []byte { return claiming(10, 10, 8, 0, make([]byte, 200<<20)) }),
		of("gif", "png", "100,000 frames", "", func() []byte { return framed(100_000) }),
		of("gif", "png", "1,000 frames of 9 megapixels", "", func() []byte { return again(3000, 1000) }),
		of("gif", "png", "a canvas of 65,535", many, func() []byte { return append([]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), framed(1)[13:]...) }),
		of("tiff", "png", "wild offsets", damaged, func() []byte {
			return directory([4]uint32{256, 4, 1, 1000}, [4]uint32{257, 4, 1, 1000}, [4]uint32{258, 3, 1, 8}, [4]uint32{259, 3, 1, 1}, [4]uint32{262, 3, 1, 1},
				[4]uint32{273, 4, wild, wild}, [4]uint32{278, 4, 1, 1}, [4]uint32{279, 4, wild, wild})
		}),
		of("tiff", "png", "tiles of one pixel", damaged, func() []byte {
			return directory([4]uint32{256, 4, 1, 9000}, [4]uint32{257, 4, 1, 9000}, [4]uint32{258, 3, 1, 8}, [4]uint32{259, 3, 1, 1}, [4]uint32{262, 3, 1, 1},
				[4]uint32{322, 4, 1, 1}, [4]uint32{323, 4, 1, 1}, [4]uint32{324, 4, 1, 8}, [4]uint32{325, 4, 1, 8})
		}),
		of("jpg", "png", "cut off", damaged, func() []byte { return jpegOf(4000, 4000)[:2000] }),
		of("jpg", "png", "5,000 scans", damaged, func() []byte { return scanned(8000, 8000, 5000) }),
		of("bmp", "png", "bitmap of 30,000 by 30,000", many, func() []byte {
			head := []byte("BM\x00\x00\x00\x00\x00\x00\x00\x006\x00\x00\x00(\x00\x00\x00")
			head = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(head, 30_000), 30_000)
			return append(head, append([]byte{1, 0, 24, 0}, make([]byte, 24)...)...)
		}),
		of("webp", "png", "broken webp", damaged, func() []byte {
			return []byte("RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff\x00\x00\x00\x9d\x01\x2a\xff\x3f\xff\x3f")
		}),
		of("webp", "png", "webp that says it moves", "", func() []byte {
			return []byte("RIFF\x40\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\xff\x00\x00\xff\x00\x00ANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00ANMF\xff\xff\xff\x7f")
		}),
		of("heic", "png", "broken heic", "UNSUPPORTED_VARIANT", func() []byte {
			return []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1\x00\x00\x00\x14ispe\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x10\x00")
		}),
		of("heic", "png", "a million sizes in a heic", many, func() []byte {
			return append([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1"), times(1_000_000, "ispe\x00\x00\x00\x00\x00\x0f\x00\x00\x00\x0f\x00\x00")...)
		}),
	}
}

// document is a PDF of objects, numbered from 1; the first is the catalog.
func pdfOf(trailer string, objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	for i, object := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	fmt.Fprintf(&b, "trailer\n<</Root 1 0 R/Size %d%s>>\n", len(objects)+1, trailer)
	return b.Bytes()
}

func stream(dictionary, content string) string {
	return fmt.Sprintf("<<%s/Length %d>>stream\n%s\nendstream", dictionary, len(content), content)
}

func packed(content string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write([]byte(content))
	_ = w.Close()
	return stream("/Filter/FlateDecode", out.String())
}

const (
	pdfCatalog = "<</Type/Catalog/Pages 2 0 R>>"
	pdfFont    = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
	pdfWord    = "BT /F 9 Tf 9 9 Td (word) Tj ET\n"
)

// doubling is a page that draws a form ten times, which draws one ten times, and so on.
func doubling(levels int) []byte {
	objects := []string{
		pdfCatalog, "<</Type/Pages/Count 1/Kids[3 0 R]>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 5 0 R/Resources<</XObject<</X 6 0 R>>>>>>", pdfFont, stream("", times(10, "/X Do\n")),
	}
	for i := range levels {
		objects = append(objects, stream(fmt.Sprintf("/Type/XObject/Subtype/Form/BBox[0 0 99 99]/Resources<</XObject<</X %d 0 R>>>>", 7+i), times(10, "/X Do\n")))
	}
	return pdfOf("", append(objects, stream("/Type/XObject/Subtype/Form/BBox[0 0 99 99]/Resources<</Font<</F 4 0 R>>>>", pdfWord))...)
}

func hostilePDFs() []hostile {
	of := func(target, name, want string, content func() []byte) hostile {
		return hostile{name: name, source: "pdf", target: target, want: want, content: content, late: true}
	}
	page := "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 5 0 R/Resources<</Font<</F 4 0 R>>>>>>"
	pages := func(n int) []byte {
		return pdfOf("", pdfCatalog, fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", n, times(n, "3 0 R ")), page, pdfFont, stream("", pdfWord))
	}
	separate := func(n int) []byte {
		objects := []string{pdfCatalog, "", page, pdfFont, stream("", pdfWord)}
		var kids strings.Builder
		for i := range n {
			fmt.Fprintf(&kids, "%d 0 R ", 6+i)
			objects = append(objects, page)
		}
		objects[1] = fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", n, kids.String())
		return pdfOf("", objects...)
	}
	one := func(content string) []byte {
		return pdfOf("", pdfCatalog, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page, pdfFont, content)
	}
	damaged := "DAMAGED_DOCUMENT"
	return []hostile{
		of("png", "100,000 pages to draw", "TOO_MANY_PAGES", func() []byte { return separate(100_000) }),
		of("txt", "100,000 pages to read", "TOO_MANY_PAGES", func() []byte { return separate(100_000) }),
		of("txt", "2,000 pages that are one", "", func() []byte { return pages(2000) }),
		of("txt", "two billion pages", "", func() []byte {
			return pdfOf("", pdfCatalog, "<</Type/Pages/Count 2000000000/Kids[3 0 R]>>", page, pdfFont, stream("", pdfWord))
		}),
		of("txt", "a page tree that holds itself", "CONVERSION_FAILED", func() []byte { return pdfOf("", pdfCatalog, "<</Type/Pages/Count 9/Kids[2 0 R 2 0 R]>>") }),
		of("txt", "a tree of 100,000 levels", "CONVERSION_FAILED", func() []byte {
			objects := []string{pdfCatalog}
			for i := range 100_000 {
				objects = append(objects, fmt.Sprintf("<</Type/Pages/Count 1/Kids[%d 0 R]>>", i+3))
			}
			return pdfOf("", append(objects, "<</Type/Page/MediaBox[0 0 9 9]>>")...)
		}),
		of("txt", "a content of 300 megabytes", "CONVERSION_FAILED", func() []byte { return one(packed(times(300<<20, " "))) }),
		of("txt", "millions of words on a page", "", func() []byte { return one(packed(times(1_000_000, pdfWord))) }),
		of("png", "a billion drawings of a form", "CONVERSION_FAILED", func() []byte { return doubling(9) }),
		of("txt", "a billion words in forms", "CONVERSION_FAILED", func() []byte { return doubling(9) }),
		of("txt", "a million nested arrays", damaged, func() []byte { return pdfOf("", pdfCatalog, times(1_000_000, "["), page) }),
		of("txt", "an object stream of 300 megabytes", damaged, func() []byte {
			return pdfOf("", strings.Replace(packed(times(75<<20, "1 0 ")), "<<", "<</Type/ObjStm/N 100000000/First 1000", 1))
		}),
		of("png", "a page of no sensible size", "", func() []byte {
			return pdfOf("", pdfCatalog, "<</Type/Pages/Count 1/Kids[3 0 R]>>", "<</Type/Page/MediaBox[0 0 1e30 1e30]>>")
		}),
		of("txt", "locked by a password", "ENCRYPTED", func() []byte {
			return pdfOf("/Encrypt<</Filter/Standard/V 1/R 2/P -1/O("+times(32, "o")+")/U("+times(32, "u")+")>>/ID[(a)(a)]", pdfCatalog, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page, pdfFont, stream("", pdfWord))
		}),
	}
}

func hostileInputs() []hostile {
	var all []hostile
	for _, of := range []func() []hostile{hostileDocuments, hostileWorkbooks, hostileTexts, hostilePictures, hostilePDFs} {
		all = append(all, of()...)
	}
	return all
}
