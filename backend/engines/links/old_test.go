package links_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/links"
)

func wide(text string) (out []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}

// shape is a table of properties with the name of a picture.
func shape(property uint16, name string, flags uint32) []byte {
	value := append(wide(name), 0, 0)
	table := binary.LittleEndian.AppendUint16(nil, property|0xC000)
	table = binary.LittleEndian.AppendUint32(table, uint32(len(value)))
	table = binary.LittleEndian.AppendUint16(table, property+1)
	table = binary.LittleEndian.AppendUint32(table, flags)
	body := slices.Concat(table, value)
	out := []byte{0x23, 0x00, 0x0B, 0xF0}
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(body))), body...)
}

// What documents of the binary formats link to is named, and they stay as they are.
func TestCut_NamesLinksOfOldFormats(t *testing.T) {
	const linked = 0x0D
	for name, document := range map[string]struct {
		data []byte
		want []links.Link
	}{
		"field":            {[]byte("before\x13 INCLUDETEXT \"/x/a.txt\" \x14y\x15"), []links.Link{{Kind: "fields", Target: "/x/a.txt"}}},
		"field, wide":      {wide("before\x13 INCLUDEPICTURE  \"file:///x/a.png\" \\d \x14y\x15"), []links.Link{{Kind: "pictures", Target: "file:///x/a.png"}}},
		"field, odd":       {append([]byte{7}, wide("\x13DDEAUTO soffice \"/x\" a\x14")...), []links.Link{{Kind: "fields", Target: "/x"}}},
		"picture":          {shape(0x0105, "../x.png", linked), []links.Link{{Kind: "pictures", Target: "../x.png"}}},
		"fill":             {shape(0x0187, `\\host\x.png`, linked), []links.Link{{Kind: "pictures", Target: `\\host\x.png`}}},
		"picture inside":   {shape(0x0105, "x.png", 1), nil},
		"book":             {append([]byte{0xAE, 0x01, 0x12, 0x00, 0x01, 0x00, 0x0D, 0x00, 0x00}, "\x01\x02tmp\x03a.csv"...), nil},
		"book, as long":    {append([]byte{0xAE, 0x01, 0x12, 0x00, 0x01, 0x00, 0x0B, 0x00, 0x00}, "\x01\x02tmp\x03a.csv"...), []links.Link{{Kind: "tables", Target: "tmp/a.csv"}}},
		"the book itself":  {[]byte{0xAE, 0x01, 0x04, 0x00, 0x01, 0x00, 0x01, 0x04, 0xAE, 0x01}, nil},
		"film":             {wide("file:///x/film.avi"), []links.Link{{Kind: "files", Target: "file:///x/film.avi"}}},
		"for readers":      {[]byte("\x13 HYPERLINK \"file:///x\" \x14y\x15 and https://host/"), nil},
		"words of a field": {[]byte("INCLUDETEXT \"/x\" is a field"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"doc", "xls", "ppt"} {
				out, found, err := cut(t, format, document.data)
				require.NoError(t, err)
				assert.Equal(t, document.want, found)
				assert.Equal(t, document.data, out)
			}
		})
	}
}
