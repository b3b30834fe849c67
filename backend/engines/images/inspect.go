package images

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"slices"
)

// sniff tells a picture's format by its first bytes; empty for none that is known here.
func sniff(data []byte) string {
	has := func(at int, magic string) bool {
		return len(data) >= at+len(magic) && string(data[at:at+len(magic)]) == magic
	}
	switch {
	case has(0, "\x89PNG\r\n\x1a\n"):
		return "png"
	case has(0, "\xff\xd8\xff"):
		return "jpg"
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return "gif"
	case has(0, "BM"):
		return "bmp"
	case has(0, "II*\x00"), has(0, "MM\x00*"), isBigTIFF(data):
		return "tiff"
	case has(0, "RIFF") && has(8, "WEBP"):
		return "webp"
	case has(4, "ftyp") && isHEIC(data):
		return "heic"
	case has(4, "ftypavif"), has(4, "ftypavis"):
		return "avif"
	case has(0, "%PDF-"):
		return "pdf"
	default:
		return ""
	}
}

func isHEIC(data []byte) bool {
	return len(data) >= 12 && slices.Contains([]string{"heic", "heix", "hevc", "heim", "heis", "mif1", "msf1"}, string(data[8:12]))
}

// facts are what the decoders do not tell about a file.
type facts struct {
	frames      int    // 2 stands for two or more
	profile     []byte // an ICC profile
	exif        bool
	orientation int  // 1-8 as in EXIF; 0 where none is given
	alpha       bool // a layer of transparency that its decoder leaves out
	depth       int  // bits of a channel, where the decoder gives fewer; 0 for unknown
	width       int  // where the decoder needs it
	otherYCbCr  bool // colours are stored otherwise than the decoder takes them to be
}

// inspect never fails: a file whose structure it cannot follow simply has no further facts.
func inspect(data []byte, format string) facts {
	f := facts{frames: 1}
	switch format {
	case "png":
		inspectPNG(data, &f)
	case "jpg":
		inspectJPEG(data, &f)
	case "gif":
		f.frames = gifFrames(data)
	case "tiff":
		inspectTIFF(data, &f)
		f.exif = false // the tags of the picture itself
	case "webp":
		inspectWebP(data, &f)
	case "heic":
		inspectHEIC(data, &f)
	}
	return f
}

func inspectPNG(data []byte, f *facts) {
	for at := 8; at+12 <= len(data); {
		size := int(binary.BigEndian.Uint32(data[at:]))
		if size < 0 || at+12+size > len(data) {
			return
		}
		body := data[at+8 : at+8+size]
		switch string(data[at+4 : at+8]) {
		case "iCCP":
			f.profile = pngProfile(body)
		case "eXIf":
			inspectEXIF(body, f)
		case "acTL":
			f.frames = 2
		case "IEND":
			return
		}
		at += 12 + size
	}
}

// pngProfile unpacks a profile, which follows its name.
func pngProfile(body []byte) []byte {
	_, packed, found := bytes.Cut(body, []byte{0, 0})
	if !found {
		return nil
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	profile, err := io.ReadAll(io.LimitReader(r, maxProfile))
	if err != nil {
		return nil
	}
	return profile
}

// inspectEXIF reads a block of a camera's metadata, which has the structure of a TIFF. Its second directory is a
// thumbnail.
func inspectEXIF(block []byte, f *facts) {
	f.exif = true
	var in facts
	inspectTIFF(bytes.TrimPrefix(block, []byte("Exif\x00\x00")), &in)
	f.orientation = in.orientation
}

func inspectHEIC(data []byte, f *facts) {
	h := parseHEIF(data)
	f.frames, f.alpha, f.depth, f.exif, f.profile = h.pictures(), h.alpha(), h.depth(), h.exif(), h.profile()
	f.otherYCbCr = !h.plainColours()
	if config, err := heicConfig(data); err == nil {
		f.width = min(config.Width, config.Height) // one of them, as the picture may be turned
	}
}

func inspectJPEG(data []byte, f *facts) {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		if marker == 0xff {
			at++
			continue
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if marker == 0xda || size < 2 || at+2+size > len(data) {
			return
		}
		body := data[at+4 : at+2+size]
		switch {
		case marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
			inspectEXIF(body, f)
		case marker == 0xe2 && bytes.HasPrefix(body, []byte("ICC_PROFILE\x00")) && len(body) > 14 && len(f.profile) < maxProfile:
			f.profile = append(f.profile, body[14:]...) // parts come in their order
		}
		at += 2 + size
	}
}

const (
	tagOrientation = 0x0112
	tagICCProfile  = 0x8773
)

// inspectTIFF reads the first directory of a TIFF, or of the same structure within EXIF.
func inspectTIFF(data []byte, f *facts) {
	if len(data) < 8 {
		return
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return
	}
	count := int64(order.Uint16(data[at:]))
	for i := range count {
		entry := at + 2 + 12*i
		if entry+12 > int64(len(data)) {
			return
		}
		value := order.Uint16(data[entry+8:])
		switch order.Uint16(data[entry:]) {
		case tagOrientation:
			if value >= 1 && value <= 8 {
				f.orientation = int(value)
			}
		case tagICCProfile:
			size, from := int64(order.Uint32(data[entry+4:])), int64(order.Uint32(data[entry+8:]))
			if from+size <= int64(len(data)) {
				f.profile = data[from : from+size]
			}
		}
	}
	if next := at + 2 + 12*count; next+4 <= int64(len(data)) && order.Uint32(data[next:]) != 0 {
		f.frames = 2
	}
}

func inspectWebP(data []byte, f *facts) {
	for at := 12; at+8 <= len(data); {
		size := int(binary.LittleEndian.Uint32(data[at+4:]))
		switch string(data[at : at+4]) {
		case "ICCP":
			f.profile = webpChunk(data, at)
		case "EXIF":
			inspectEXIF(webpChunk(data, at), f)
		case "ANIM":
			f.frames = 2
		}
		if size < 0 || size > len(data) {
			return
		}
		at += 8 + size + size%2
	}
}

// webpChunk is the content of the chunk that begins at a place; nothing where it is cut.
func webpChunk(data []byte, at int) []byte {
	size := int(binary.LittleEndian.Uint32(data[at+4:]))
	if size < 0 || size > len(data)-at-8 {
		return nil
	}
	return data[at+8 : at+8+size]
}

// webpKind is the name of the first chunk with pixels: "VP8 ", "VP8L", or "" for none.
func webpKind(data []byte) string {
	for at := 12; at+8 <= len(data); {
		kind := string(data[at : at+4])
		if kind == "VP8 " || kind == "VP8L" {
			return kind
		}
		size := int(binary.LittleEndian.Uint32(data[at+4:]))
		if size < 0 || size > len(data) {
			return ""
		}
		at += 8 + size + size%2
	}
	return ""
}

func isAnimatedWebP(data []byte) bool {
	f := facts{frames: 1}
	inspectWebP(data, &f)
	return f.frames > 1
}

// isSRGB looks for the name that profiles of this colour space carry, in both of ICC's encodings.
func isSRGB(profile []byte) bool {
	return bytes.Contains(profile, []byte("sRGB")) || bytes.Contains(profile, []byte("s\x00R\x00G\x00B"))
}

// gifFrames counts pictures, up to two.
func gifFrames(data []byte) int {
	if len(data) < 13 {
		return 1
	}
	at := 13 + colourTable(data[10])
	frames := 0
	for at < len(data) && frames < 2 {
		switch data[at] {
		case 0x21: // an extension: its label, then blocks
			at = skipBlocks(data, at+2)
		case 0x2c: // a picture: its descriptor, its colours, the code size, then blocks
			frames++
			if at+10 > len(data) {
				return max(frames, 1)
			}
			at = skipBlocks(data, at+10+colourTable(data[at+9])+1)
		default:
			return max(frames, 1)
		}
	}
	return max(frames, 1)
}

func colourTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

func skipBlocks(data []byte, at int) int {
	for at < len(data) && data[at] != 0 {
		at += 1 + int(data[at])
	}
	return at + 1
}

// heicConfig finds the largest picture extent that the file declares: an ispe box holds a width and a height.
func heicConfig(data []byte) (image.Config, error) {
	var found image.Config
	for at := 0; ; {
		next := bytes.Index(data[at:], []byte("ispe"))
		if next < 0 || at+next+16 > len(data) {
			break
		}
		at += next + 8
		w, h := int(binary.BigEndian.Uint32(data[at:])), int(binary.BigEndian.Uint32(data[at+4:]))
		if found.Width*found.Height < w*h && w < 1<<20 && h < 1<<20 {
			found.Width, found.Height = w, h
		}
	}
	if found.Width == 0 {
		return found, errors.New("it declares no size")
	}
	return found, nil
}
