package text

import (
	"slices"
	"strings"
)

// Drawable makes a text one that the Go fonts can draw. missing holds the letters and symbols that they cannot,
// each once; nothing stands in for them in drawn.
func Drawable(text string) (drawn, missing string) {
	// Halves of a letter must not meet where what lay between them is left out.
	text = strings.ToValidUTF8(text, "\uFFFD")
	var g glyphs
	g.drawable(text)
	var lost []rune
	for _, letters := range g.letters {
		lost = append(lost, letters...)
	}
	for symbol := range g.symbols {
		lost = append(lost, symbol)
	}
	slices.Sort(lost)
	covered := coverage()
	drawn = strings.Map(func(r rune) rune {
		if r <= 0xFFFF && covered(r) {
			return r
		}
		return -1
	}, substitutes.Replace(text))
	return strings.TrimSpace(drawn), string(lost)
}
