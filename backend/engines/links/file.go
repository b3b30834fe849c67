package links

import "bytes"

// file cuts a file that is not in parts; nil where nothing was cut. Programs guess formats by content, so that rich text
// called txt is read as rich text.
func (c *cutter) file(data []byte, format string) []byte {
	switch {
	case isRTF(data):
		return c.rtf(data)
	case format == "svg" || format == "html" || isMarkup(data):
		return c.markup(data, single)
	case format == "csv":
		return c.cells(data)
	}
	return nil
}

// cells makes text of formulas that take something from elsewhere; nil where there are none.
func (c *cutter) cells(data []byte) []byte {
	var out []byte
	start, end := true, 0
	for i, letter := range data {
		if start && letter == '=' && c.cell(data[i:]) {
			out = append(out, data[end:i]...)
			end = i + 1
		}
		start = bytes.IndexByte([]byte("\n\r\t,;|\""), letter) >= 0 || start && letter == ' '
	}
	if end == 0 {
		return nil
	}
	return append(out, data[end:]...)
}

// markup cuts what is read as a page by some programs, and as XML by others where it is that.
func (c *cutter) markup(data []byte, where place) []byte {
	out := data
	before := len(c.found)
	if changed, err := c.whole(out, where); err != nil {
		c.found = c.found[:before] // it is none
	} else if changed != nil {
		out = changed
	}
	if changed := c.page(out, where); changed != nil {
		out = changed
	}
	if bytes.Equal(out, data) {
		return nil
	}
	return out
}

// cell reports whether a formula is to be cut, and names it.
func (c *cutter) cell(rest []byte) bool {
	line, _, _ := bytes.Cut(rest[:min(len(rest), longestFormula)], []byte("\n"))
	target := formulaLoads(string(line))
	if target != "" {
		c.add("formulas", target)
	}
	return target != ""
}
