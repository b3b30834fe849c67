package links

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
)

// place is where an address is written, which decides what a relative one means.
type place struct {
	alone bool   // a file without parts: nothing beside it belongs to it
	dir   string // of the part in the archive
}

var single = place{alone: true}

// longestScheme is how much of an address is looked at for one.
const longestScheme = 64

var scheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)

// outside reports whether an address means something that is not in the document.
func (p place) outside(address string) bool {
	address = plain(address)
	lower := strings.ToLower(address[:min(len(address), longestScheme)])
	switch {
	case address == "", address[0] == '#':
		return false
	case strings.HasPrefix(lower, "data:"):
		return carriesLinks(address)
	case strings.HasPrefix(lower, "about:"), strings.HasPrefix(lower, "cid:"), strings.HasPrefix(lower, "vnd.sun.star.package:"):
		return false
	case p.alone, address[0] == '/', address[0] == '\\', scheme.MatchString(lower):
		return true
	}
	name, _, _ := strings.Cut(address, "#")
	if unescaped, err := url.PathUnescape(name); err == nil {
		name = unescaped
	}
	return leaves(path.Join(p.dir, strings.ReplaceAll(name, `\`, "/")))
}

// leaves reports whether a clean path is not below the document.
func leaves(clean string) bool {
	return clean == ".." || strings.HasPrefix(clean, "../") || path.IsAbs(clean)
}

// plain is an address without what its readers take out of one.
func plain(address string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, address)
}

// carriesLinks looks into a drawing that is written as an address.
func carriesLinks(address string) bool {
	head, body, _ := strings.Cut(address, ",")
	if unescaped, err := url.PathUnescape(body); err == nil {
		body = unescaped
	}
	if !strings.Contains(strings.ToLower(head), "base64") {
		return drawingHasLinks([]byte(body))
	}
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(body, "="))
	return err == nil && drawingHasLinks(data)
}

// drawingHasLinks reports whether data is a drawing, or another piece of markup, with links.
func drawingHasLinks(data []byte) bool {
	if !isMarkup(data) {
		return false
	}
	c := cutter{}
	c.file(bytes.Clone(data), "svg")
	return len(c.found) > 0
}
