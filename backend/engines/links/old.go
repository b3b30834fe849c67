package links

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// old names what a document of a binary format links to. Nothing of it is cut: its strings are counted and lie in pieces, and what
// reads it is held by its sandbox.
func (c *cutter) old(data []byte) {
	before := len(c.found)
	add := func(kind, target string) {
		target = strings.TrimSpace(target)
		// A picture is often named by its shape and by its field.
		if !slices.ContainsFunc(c.found[before:], func(l Link) bool { return l.Target == target }) {
			c.add(kind, target)
		}
	}
	for _, text := range [][]byte{data, narrow(data, 0), narrow(data, 1)} {
		for _, m := range oldField.FindAllSubmatch(text, -1) {
			if command := latin(m[1]); isLoading(command) {
				add(kindOfField(command), addressIn(command))
			}
		}
	}
	shapeNames(data, func(name string) { add("pictures", name) })
	outerBooks(data, func(name string) { add("tables", name) })
	for _, text := range [][]byte{data, narrow(data, 0), narrow(data, 1)} {
		for _, m := range fileAddress.FindAllIndex(text, -1) {
			if !bytes.Contains(text[max(0, m[0]-16):m[0]], []byte("HYPERLINK")) {
				add("files", latin(text[m[0]:m[1]]))
			}
		}
	}
}

var (
	oldField    = regexp.MustCompile(`\x13 *([A-Z]{2,16} [^\x13-\x15]{1,400})`)
	fileAddress = regexp.MustCompile(`(?i)file:/[^\x00-\x1F\x7F"<>|]{2,400}`)
	inQuotes    = regexp.MustCompile(`"([^"]+)"`)
)

func kindOfField(command string) string {
	if strings.HasPrefix(command, "INCLUDEPICTURE") {
		return "pictures"
	}
	return "fields"
}

// addressIn is the first address of a command, or the command.
func addressIn(command string) string {
	if m := inQuotes.FindStringSubmatch(command); m != nil {
		return m[1]
	}
	return command
}

// narrow is text of two bytes a letter with one, of which those that do not fit are zero. It begins at the first or the second byte.
func narrow(data []byte, from int) []byte {
	out := make([]byte, 0, len(data)/2)
	for i := from; i+1 < len(data); i += 2 {
		letter := data[i]
		if data[i+1] != 0 {
			letter = 0
		}
		out = append(out, letter)
	}
	return out
}

func latin(text []byte) string {
	out := make([]rune, len(text))
	for i, letter := range text {
		out[i] = rune(letter)
	}
	return string(out)
}

// Properties of shapes, of [MS-ODRAW] 2.3: names of pictures, each followed by flags that say whether it is a link.
var pictureNames = map[uint16]uint16{0x0105: 0x0106, 0x0187: 0x0188, 0x01C7: 0x01C8}

const isLink = 0x8

// shapeNames finds the pictures that shapes link to, in their tables of properties.
func shapeNames(data []byte, found func(name string)) {
	for at := 0; ; {
		next := bytes.Index(data[at:], []byte{0x0B, 0xF0})
		if next < 0 {
			return
		}
		at += next + 2
		head := at - 4
		if head < 0 || head+8 > len(data) || data[head]&0x0F != 3 {
			continue
		}
		count := int(binary.LittleEndian.Uint16(data[head:]) >> 4)
		body := data[head+8:]
		if length := binary.LittleEndian.Uint32(data[head+4:]); int64(length) < int64(len(body)) {
			body = body[:length]
		}
		if count*6 <= len(body) {
			tableNames(body[:count*6], body[count*6:], found)
		}
	}
}

func tableNames(table, values []byte, found func(name string)) {
	numbers, names := map[uint16]uint32{}, map[uint16]string{}
	for ; len(table) >= 6; table = table[6:] {
		id, number := binary.LittleEndian.Uint16(table), binary.LittleEndian.Uint32(table[2:])
		numbers[id&0x3FFF] = number
		if id&0x8000 == 0 {
			continue
		}
		length := int(min(int64(number), int64(len(values))))
		if _, picture := pictureNames[id&0x3FFF]; picture {
			names[id&0x3FFF] = wide(values[:length])
		}
		values = values[length:]
	}
	for id, name := range names {
		if name != "" && numbers[pictureNames[id]]&isLink != 0 {
			found(name)
		}
	}
}

func wide(data []byte) string {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		unit := binary.LittleEndian.Uint16(data)
		if unit == 0 {
			break
		}
		units = append(units, unit)
	}
	return string(utf16.Decode(units))
}

// outerBooks finds the books and programs that a workbook takes values from: the SupBook records of [MS-XLS] 2.4.271.
func outerBooks(data []byte, found func(name string)) {
	const head = 4 + 2 + 2 + 1 // type and length, number of sheets, number of letters, flags
	for at := 0; ; {
		next := bytes.Index(data[at:], []byte{0xAE, 0x01})
		if next < 0 {
			return
		}
		record := data[at+next:]
		at += next + 2
		if len(record) < head {
			return
		}
		length, letters := int(binary.LittleEndian.Uint16(record[2:])), int(binary.LittleEndian.Uint16(record[6:]))
		size := letters
		if record[8]&1 != 0 {
			size *= 2
		}
		if record[8] > 1 || letters == 0 || letters > 255 || size+5 > length || head+size > len(record) {
			continue
		}
		name := latin(record[head : head+size])
		if record[8]&1 != 0 {
			name = wide(record[head : head+size])
		}
		// An address is written with marks between its parts; what has none is the workbook itself.
		if strings.ContainsAny(name, "\x01\x02\x03") {
			found(strings.Trim(strings.NewReplacer("\x01", "", "\x02", "/", "\x03", "/").Replace(name), "/"))
		}
	}
}
