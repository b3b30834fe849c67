package goals

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// rated writes a rating into an encoded picture, as XMP, where photo programs and file managers show it as stars.
func rated(picture []byte, format string, width, height, stars int) ([]byte, error) {
	packet := fmt.Appendf(nil, `<?xpacket begin="`+"\uFEFF"+`" id="W5M0MpCehiHzreSzNTczkc9d"?>`+
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">`+
		`<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="%d"/>`+
		`</rdf:RDF></x:xmpmeta><?xpacket end="w"?>`, stars)

	switch {
	case format == "jpg" && bytes.HasPrefix(picture, []byte("\xff\xd8")):
		return jpegWithXMP(picture, packet), nil
	case format == "png" && bytes.HasPrefix(picture, []byte("\x89PNG\r\n\x1a\n")) && len(picture) > pngHead:
		return pngWithXMP(picture, packet), nil
	case format == "webp" && bytes.HasPrefix(picture, []byte("RIFF")) && len(picture) > webpHead+8+5:
		return webpWithXMP(picture, packet, width, height)
	}
	return nil, fmt.Errorf("it is not the %s that was made", format)
}

// jpegWithXMP puts an APP1 segment first: our encoder writes no JFIF header, which would have to stay before it.
func jpegWithXMP(picture, packet []byte) []byte {
	const kind = "http://ns.adobe.com/xap/1.0/\x00"
	out := append([]byte{}, picture[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(kind)+len(packet))) //nolint:gosec // a packet of some hundred bytes
	out = append(append(out, kind...), packet...)
	return append(out, picture[2:]...)
}

// pngHead is the signature of a PNG and its first chunk, IHDR.
const pngHead = 8 + 25

func pngWithXMP(picture, packet []byte) []byte {
	chunk := append([]byte("iTXtXML:com.adobe.xmp\x00\x00\x00\x00\x00"), packet...)
	out := append([]byte{}, picture[:pngHead]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(chunk)-4)) //nolint:gosec // a packet of some hundred bytes
	out = append(out, chunk...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
	return append(out, picture[pngHead:]...)
}

const (
	webpHead  = 12 // RIFF, size, WEBP
	webpXMP   = 1 << 2
	webpAlpha = 1 << 4
)

// webpWithXMP appends the packet, and says in the header for extended files that it is there.
func webpWithXMP(picture, packet []byte, width, height int) ([]byte, error) {
	var flags byte = webpXMP
	chunks := append([]byte{}, picture[webpHead:]...)
	switch string(chunks[:4]) {
	case "VP8X":
		chunks[8] |= webpXMP
	case "VP8L":
		if binary.LittleEndian.Uint32(chunks[9:])>>28&1 == 1 {
			flags |= webpAlpha
		}
		fallthrough
	case "VP8 ":
		head := append([]byte("VP8X\x0a\x00\x00\x00"), flags, 0, 0, 0)
		head = append(head, uint24(width-1)...)
		head = append(head, uint24(height-1)...)
		chunks = append(head, chunks...)
	default:
		return nil, fmt.Errorf("a WebP begins with %.4q", chunks)
	}

	chunks = append(chunks, "XMP "...)
	chunks = binary.LittleEndian.AppendUint32(chunks, uint32(len(packet))) //nolint:gosec // a packet of some hundred bytes
	chunks = append(chunks, packet...)
	if len(packet)%2 == 1 {
		chunks = append(chunks, 0)
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(chunks))) //nolint:gosec // pictures stay below 4 GB
	return append(append(out, "WEBP"...), chunks...), nil
}

// uint24 writes a side of a picture, of which WebP has at most 16384.
func uint24(n int) []byte {
	return binary.LittleEndian.AppendUint32(nil, uint32(n))[:3] //nolint:gosec // see above
}
