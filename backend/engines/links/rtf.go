package links

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// group is what lies between two braces of rich text.
type group struct {
	destination string // its first control word
	content     int    // where that ends
	skip        int    // characters that stand in for one of Unicode
	linked      bool   // of an object: its data lies elsewhere
	data        []span // of an object
	property    string // the name of a shape's
	text        strings.Builder
}

type span struct{ from, to int }

// richText is rich text that is being looked through.
type richText struct {
	*cutter

	data    []byte
	at      int
	groups  []*group
	pending int // characters to skip
	cut     []span
}

// rtf cuts rich text; nil where nothing was cut.
func (c *cutter) rtf(data []byte) []byte {
	r := &richText{cutter: c, data: data}
	for r.at < len(r.data) {
		switch r.data[r.at] {
		case '{':
			r.pending = 0
			r.groups = append(r.groups, &group{skip: r.skip()})
			r.at++
		case '}':
			r.pending = 0
			r.end()
			r.at++
		case '\\':
			r.control()
		case '\r', '\n':
			r.at++
		default:
			r.character(rune(r.data[r.at]))
			r.at++
		}
	}
	for len(r.groups) > 0 { // programs close what is open at the end
		r.end()
	}
	if len(r.cut) == 0 {
		return nil
	}
	return r.without()
}

func (r *richText) skip() int {
	if len(r.groups) == 0 {
		return 1
	}
	return r.groups[len(r.groups)-1].skip
}

// character is one of the text; those of commands are kept.
func (r *richText) character(letter rune) {
	if r.pending > 0 {
		r.pending--
		return
	}
	for _, g := range r.groups {
		if read[g.destination] && g.text.Len() < 1<<16 {
			g.text.WriteRune(letter)
		}
	}
}

// read are the destinations whose text counts: of commands, and of names and values of a shape.
var read = map[string]bool{"fldinst": true, "sn": true, "sv": true}

// control is a control word or symbol.
func (r *richText) control() {
	start := r.at
	r.at++
	if r.at >= len(r.data) {
		return
	}
	if !isLetter(r.data[r.at]) {
		r.symbol()
		return
	}
	for r.at < len(r.data) && isLetter(r.data[r.at]) {
		r.at++
	}
	word := string(r.data[start+1 : r.at])
	digits := r.at
	if r.at < len(r.data) && r.data[r.at] == '-' {
		r.at++
	}
	for r.at < len(r.data) && r.data[r.at] >= '0' && r.data[r.at] <= '9' {
		r.at++
	}
	number, err := strconv.Atoi(string(r.data[digits:r.at]))
	if r.at < len(r.data) && r.data[r.at] == ' ' {
		r.at++
	}
	r.word(word, number, err == nil)
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

func (r *richText) symbol() {
	letter := r.data[r.at]
	r.at++
	switch letter {
	case '\'':
		if r.at+2 <= len(r.data) {
			if value, err := strconv.ParseUint(string(r.data[r.at:r.at+2]), 16, 8); err == nil {
				r.character(charmap.Windows1252.DecodeByte(byte(value)))
			}
			r.at += 2
		}
	case '*', '\r', '\n':
	case '~':
		r.character(' ')
	default:
		r.character(rune(letter))
	}
}

// word is a control word with its number.
func (r *richText) word(word string, number int, has bool) {
	if len(r.groups) == 0 {
		return
	}
	now := r.groups[len(r.groups)-1]
	if now.destination == "" || word == "fldinst" || word == "objdata" || word == "object" {
		now.destination, now.content = word, r.at
	}
	switch word {
	case "bin":
		r.at = min(len(r.data), r.at+max(0, number))
	case "uc":
		now.skip = max(0, number)
	case "u":
		if has {
			r.pending = 0
			r.character(rune(uint16(number))) //nolint:gosec // it is written as a signed number of 16 bits
			r.pending = now.skip
		}
	case "objlink", "objautlink", "objsub", "objpub":
		for i := len(r.groups) - 1; i >= 0; i-- {
			if r.groups[i].destination == "object" {
				r.groups[i].linked = true
				break
			}
		}
	case "tab", "line", "par":
		r.character(' ')
	}
}

// end closes a group, and cuts what it loads.
func (r *richText) end() {
	if len(r.groups) == 0 {
		return
	}
	now := r.groups[len(r.groups)-1]
	r.groups = r.groups[:len(r.groups)-1]
	all := span{now.content, min(r.at, len(r.data))}
	switch now.destination {
	case "fldinst":
		if command := now.text.String(); isLoading(command) {
			r.add("fields", command)
			r.cut = append(r.cut, all)
		}
	case "sn":
		if len(r.groups) > 0 {
			r.groups[len(r.groups)-1].property = strings.ToLower(strings.TrimSpace(now.text.String()))
		}
	case "sv":
		if len(r.groups) > 0 && shownByName(r.groups[len(r.groups)-1].property) && strings.TrimSpace(now.text.String()) != "" {
			r.add("pictures", now.text.String())
			r.cut = append(r.cut, all)
		}
	case "objdata":
		for i := len(r.groups) - 1; i >= 0; i-- {
			if r.groups[i].destination == "object" {
				r.groups[i].data = append(r.groups[i].data, all)
				break
			}
		}
	case "object":
		if now.linked {
			for range now.data {
				r.add("objects", "")
			}
			r.cut = append(r.cut, now.data...)
		}
	}
}

// shownByName reports whether a property of a shape names a picture that it shows.
func shownByName(property string) bool {
	return property == "pibname" || property == "pibprintname" || strings.HasSuffix(property, "blipname")
}

// without is the text without what was cut. Cuts may lie in each other, but do not cross.
func (r *richText) without() []byte {
	gone := make([]span, 0, len(r.cut))
	for _, s := range r.cut {
		for len(gone) > 0 && gone[len(gone)-1].from >= s.from {
			gone = gone[:len(gone)-1]
		}
		gone = append(gone, s)
	}
	var out bytes.Buffer
	end := 0
	for _, s := range gone {
		out.Write(r.data[end:s.from])
		end = s.to
	}
	out.Write(r.data[end:])
	return out.Bytes()
}
