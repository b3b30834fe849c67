//go:build deep

package secrets

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
)

const (
	unpackDepth = 5        // containers in containers
	unpackMost  = 64 << 20 // bytes out of one place
)

// inner is what a container holds.
type inner struct {
	form string
	data []byte
}

// unpacker opens what is packed, wherever it stands: a database, a log and a container have no beginning to tell it by.
type unpacker struct {
	left     int  // bytes
	overflow bool // there was more than that
}

// opening is a form that begins by a mark. body is what comes after, as a stream; nil where it is none of that form.
type opening struct {
	form string
	mark []byte
	body func(data []byte) io.Reader // from the mark on
}

var openings = []opening{
	{"zip", []byte("PK\x03\x04"), zipMember},
	{"gzip", []byte{0x1f, 0x8b, 8}, func(data []byte) io.Reader {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil
		}
		r.Multistream(false)
		return r
	}},
	{"PDF stream", []byte("stream\n"), func(data []byte) io.Reader { return inflated(data[len("stream\n"):]) }},
	{"PDF stream", []byte("stream\r\n"), func(data []byte) io.Reader { return inflated(data[len("stream\r\n"):]) }},
	{"PNG text", []byte("zTXt"), func(data []byte) io.Reader { return pngText(data, 1, 0) }},
	{"PNG text", []byte("iTXt"), func(data []byte) io.Reader { return pngText(data, 2, 2) }},
	{"PNG text", []byte("iCCP"), func(data []byte) io.Reader { return pngText(data, 1, 0) }},
	{"zlib", []byte{0x78, 0x01}, inflated},
	{"zlib", []byte{0x78, 0x5e}, inflated},
	{"zlib", []byte{0x78, 0x9c}, inflated},
	{"zlib", []byte{0x78, 0xda}, inflated},
}

func inflated(data []byte) io.Reader {
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	return r
}

// zipMember goes by the member's own header, which archives that are cut off have, too. What is stored lies open.
func zipMember(data []byte) io.Reader {
	const header = 30
	if len(data) < header || binary.LittleEndian.Uint16(data[8:]) != zip.Deflate {
		return nil
	}
	start := header + int(binary.LittleEndian.Uint16(data[26:])) + int(binary.LittleEndian.Uint16(data[28:]))
	if start >= len(data) {
		return nil
	}
	return flate.NewReader(bytes.NewReader(data[start:]))
}

// pngText skips the chunk's name and its keyword, so many bytes that say how it is packed, and so many texts.
func pngText(data []byte, flags, texts int) io.Reader {
	data = afterZero(data[4:])
	if len(data) < flags {
		return nil
	}
	for data = data[flags:]; texts > 0; texts-- {
		data = afterZero(data)
	}
	return inflated(data)
}

// afterZero is what follows a short text that ends by a zero.
func afterZero(data []byte) []byte {
	end := bytes.IndexByte(data[:min(len(data), 256)], 0)
	if end < 0 {
		return nil
	}
	return data[end+1:]
}

// base64Min is how long runs are at least, in letters: shorter ones are words.
const base64Min = 32

// base64Runs are in both alphabets. With a regular expression the whole search takes four times as long.
func base64Runs(data []byte) (runs [][]byte) {
	start := 0
	for i := 0; i <= len(data); i++ {
		if i < len(data) && isBase64[data[i]] {
			continue
		}
		if i-start >= base64Min {
			runs = append(runs, data[start:i])
		}
		start = i + 1
	}
	return runs
}

var isBase64 = func() (is [256]bool) {
	for _, letter := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") {
		is[letter] = true
	}
	return is
}()

// open calls with everything that is packed in the data, one layer deep.
func (u *unpacker) open(data []byte, with func(inner)) {
	for _, o := range openings {
		for at := 0; ; at++ {
			next := bytes.Index(data[at:], o.mark)
			if next < 0 {
				break
			}
			at += next
			r := o.body(data[at:])
			if r == nil {
				continue
			}
			if out := u.read(r); len(out) >= formMin {
				with(inner{o.form, out})
			}
		}
	}
	for _, run := range base64Runs(data) {
		text := strings.NewReplacer("-", "+", "_", "/").Replace(string(run))
		for shift := range 4 { // a run may begin before what was encoded
			part := text[shift:]
			if len(part)%4 == 1 { // which cannot end so
				part = part[:len(part)-1]
			}
			if out, err := base64.RawStdEncoding.DecodeString(part); err == nil && u.take(len(out)) {
				with(inner{"base64", out})
			}
		}
	}
}

// read takes what comes before an error, too: streams may be cut off.
func (u *unpacker) read(r io.Reader) []byte {
	out, _ := io.ReadAll(io.LimitReader(r, int64(u.left)+1))
	if !u.take(len(out)) {
		return nil
	}
	return out
}

func (u *unpacker) take(n int) bool {
	if n > u.left {
		u.overflow = true
		return false
	}
	u.left -= n
	return true
}

// findDeep names the forms in the data and in all that is packed in it. whole is false where there was too much.
func (h *search) findDeep(data []byte) (found map[string]bool, whole bool) {
	u := &unpacker{left: h.most}
	found = map[string]bool{}
	h.dig(u, data, "", unpackDepth, found)
	return found, !u.overflow
}

func (h *search) dig(u *unpacker, data []byte, within string, depth int, found map[string]bool) {
	for _, hit := range h.find(data) {
		found[hit+within] = true
	}
	if depth > 0 {
		u.open(data, func(in inner) { h.dig(u, in.data, " in "+in.form+within, depth-1, found) })
	}
}

// packings make of a text what the search must open, by what it says where it found something.
var packings = []struct {
	where string
	pack  func(text []byte) []byte
}{
	{" in zip", zipped},
	{" in gzip", gzipped},
	{" in zlib", deflated},
	{" in PDF stream", func(text []byte) []byte {
		return append([]byte("7 0 obj\n<</Filter/FlateDecode>>\nstream\r\n"), narrow(deflated(text))...)
	}},
	{" in PNG text", func(text []byte) []byte {
		return pngChunk("zTXt", append([]byte("Comment\x00\x00"), narrow(deflated(text))...))
	}},
	{" in PNG text", func(text []byte) []byte {
		return pngChunk("iTXt", append([]byte("Comment\x00\x01\x00de\x00Kommentar\x00"), narrow(deflated(text))...))
	}},
	{" in base64", func(text []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(text)) }},
	{" in base64", func(text []byte) []byte { return []byte(base64.RawURLEncoding.EncodeToString(text)) }},
	{" in PDF stream in zip in gzip in base64", func(text []byte) []byte {
		return []byte(base64.StdEncoding.EncodeToString(gzipped(zipped(append([]byte("stream\n"), narrow(deflated(text))...)))))
	}},
}

func zipped(text []byte) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	member, _ := w.Create("word/document.xml")
	_, _ = member.Write(text)
	_ = w.Close()
	return out.Bytes()
}

func gzipped(text []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text)
	_ = w.Close()
	return out.Bytes()
}

func deflated(text []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write(text)
	_ = w.Close()
	return out.Bytes()
}

// narrow gives a stream the header of one with a small window, as libpng writes it: the place alone tells what it is.
func narrow(stream []byte) []byte { return append([]byte{0x48, 0x0d}, stream[2:]...) }

func pngChunk(name string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, name...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// plantPacked puts the secrets, packed in every way, into the middle of the data.
func (h *search) plantPacked(data []byte) []byte {
	if h.packed == nil {
		for _, p := range packings {
			h.packed = append(append(h.packed, '\n'), p.pack(h.plain())...)
		}
		h.packed = append(h.packed, '\n')
	}
	out := append(append([]byte(nil), data[:len(data)/2]...), h.packed...)
	return append(out, data[len(data)/2:]...)
}

// plain is a text of all secrets as they are.
func (h *search) plain() (text []byte) {
	for _, n := range h.forms {
		if n.form == "plain" {
			text = append(append(text, n.bytes...), '\n')
		}
	}
	return text
}

// missed are the secrets that are not found in a way of packing.
func (h *search) missed(found map[string]bool) (out []string) {
	for _, n := range h.forms {
		for _, p := range packings {
			if name := n.secret + " as plain" + p.where; n.form == "plain" && !found[name] {
				out = append(out, name)
			}
		}
	}
	return out
}
