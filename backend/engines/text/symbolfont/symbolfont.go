// Package symbolfont turns the codes of fonts that draw symbols in the place of letters into Unicode.
package symbolfont

import "strings"

// Known reports whether a font draws symbols in the place of letters, and which ones.
func Known(font string) bool { return tables[normal(font)] != nil }

// Rune is what a font draws for a code: as Word writes it, from 0xF020 on, or from 0x20 on. False where it draws
// nothing that is known.
func Rune(font string, code rune) (rune, bool) {
	table := tables[normal(font)]
	if code >= 0xF000 && code <= 0xF0FF {
		code -= 0xF000
	}
	if code < 0x20 || int(code-0x20) >= len(table) {
		return 0, false
	}
	if r := table[code-0x20]; r != ' ' || code == 0x20 {
		return r, true
	}
	return 0, false
}

func normal(font string) string { return strings.ToLower(strings.TrimSpace(font)) }
