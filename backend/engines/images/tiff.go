package images

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// tiffTags are the values of the first directory of a TIFF, as far as they are numbers.
type tiffTags map[uint16][]uint32

// Tags of TIFF 6.0 that say how its pixels are stored.
const (
	tiffBits         = 258
	tiffCompression  = 259
	tiffPhotometric  = 262
	tiffFillOrder    = 266
	tiffSamples      = 277
	tiffPlanar       = 284
	tiffFaxOptions   = 292
	tiffPredictor    = 317
	tiffExtraSamples = 338
	tiffSampleFormat = 339
)

// isBigTIFF reports whether a file is of the variant of TIFF for more than 4 GB.
func isBigTIFF(data []byte) bool {
	return bytes.HasPrefix(data, []byte("II+\x00")) || bytes.HasPrefix(data, []byte("MM\x00+"))
}

func readTIFFTags(data []byte) tiffTags {
	tags := tiffTags{}
	if len(data) < 8 {
		return tags
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return tags
	}
	for i := range int64(order.Uint16(data[at:])) {
		entry := at + 2 + 12*i
		if entry+12 > int64(len(data)) {
			break
		}
		tag := order.Uint16(data[entry:])
		tags[tag] = tiffValues(data, entry, order)
	}
	return tags
}

// tiffValues are the first numbers of an entry; none where it holds others, or lies outside.
func tiffValues(data []byte, entry int64, order binary.ByteOrder) []uint32 {
	const most = 8 // samples of a pixel
	size := map[uint16]int64{1: 1, 3: 2, 4: 4}[order.Uint16(data[entry+2:])]
	count := min(int64(order.Uint32(data[entry+4:])), most)
	if size == 0 {
		return nil
	}
	from := entry + 8
	if int64(order.Uint32(data[entry+4:]))*size > 4 {
		from = int64(order.Uint32(data[from:]))
	}
	if from+count*size > int64(len(data)) {
		return nil
	}
	var out []uint32
	for i := range count {
		switch b := data[from+i*size:]; size {
		case 1:
			out = append(out, uint32(b[0]))
		case 2:
			out = append(out, uint32(order.Uint16(b)))
		default:
			out = append(out, order.Uint32(b))
		}
	}
	return out
}

// one is the first value of a tag.
func (t tiffTags) one(tag uint16, otherwise uint32) uint32 {
	if len(t[tag]) == 0 {
		return otherwise
	}
	return t[tag][0]
}

var tiffCompressions = map[uint32]string{
	2: "fax codes without line ends", 6: "JPEG", 7: "JPEG", 34712: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP",
}

var tiffModels = map[uint32]string{4: "a mask", 5: "CMYK", 6: "YCbCr", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab", 32844: "LogL", 32845: "LogLuv"}

func (t tiffTags) hasFurtherChannels() bool {
	samples := t.one(tiffSamples, 1)
	return samples > 4 || samples > 1 && t.one(tiffPhotometric, 0) != 2 || samples == 4 && t.one(tiffExtraSamples, 0) == 0
}

// tiffUnread is what of a TIFF the decoder does not know, or would read as something else; empty for none.
func tiffUnread(data []byte) string {
	t := readTIFFTags(data)
	compression, bits := t.one(tiffCompression, 1), t.one(tiffBits, 1)
	isFax := compression == 3 || compression == 4
	switch model := t.one(tiffPhotometric, 0); {
	case tiffCompressions[compression] != "":
		return "is compressed by " + tiffCompressions[compression]
	case !slices.Contains([]uint32{0, 1, 3, 4, 5, 8, 32773, 32946}, compression):
		return fmt.Sprintf("is compressed by method %d", compression)
	case model > 3:
		return "holds " + cmp.Or(tiffModels[model], fmt.Sprintf("colours of model %d", model))
	case t.one(tiffSampleFormat, 1) != 1 && t.one(tiffSampleFormat, 1) != 4:
		return "holds signed or complex numbers"
	case !slices.Contains([]uint32{1, 8, 16}, bits):
		return fmt.Sprintf("has %d bits a channel", bits)
	case t.one(tiffPlanar, 1) != 1 && t.one(tiffSamples, 1) > 1:
		return "keeps its channels apart"
	case t.hasFurtherChannels():
		return "has further channels"
	case t.one(tiffPredictor, 1) > 2:
		return "is packed as floating-point numbers are"
	case t.one(tiffFillOrder, 1) != 1 && !isFax:
		return "has its bits in reverse order"
	case compression == 3 && t.one(tiffFaxOptions, 0) != 0:
		return "is compressed by two-dimensional or aligned fax codes"
	default:
		return ""
	}
}
