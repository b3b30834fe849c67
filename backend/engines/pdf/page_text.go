package pdf

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/klippa-app/go-pdfium/requests"
)

// textWith is what is written on a page and over it. Where making one of both spoils letters of the page, as it does where
// its fonts are found by way of others, what is over it is left to its caller.
func (d *document) textWith(number int, over []annotation) (string, error) {
	plain, err := d.text(number)
	if err != nil || len(over) == 0 {
		return tidy(plain), err
	}
	d.flatten(number)
	flat, err := d.text(number)
	if err != nil || !hasWords(flat, plain) {
		return tidy(plain), nil //nolint:nilerr // the page itself could be read
	}
	return tidy(flat), nil
}

// hasWords reports whether a text has each of the words.
func hasWords(text, words string) bool {
	have := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		have[word] = true
	}
	for word := range strings.FieldsSeq(words) {
		if !have[word] && !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// text is what is written on a page. PDFium keeps UTF-16, and so what lies beyond 16 bits (emoji, letters of formulas, rare
// Chinese ones) as two units, each of which is no letter.
func (d *document) text(number int) (string, error) {
	loaded, err := d.instance.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: d.page(number)})
	if err != nil {
		return "", err //nolint:wrapcheck // its caller names the page
	}
	defer d.instance.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: loaded.TextPage}) //nolint:errcheck // the document is closed next
	counted, err := d.instance.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: loaded.TextPage})
	if err != nil {
		return "", err //nolint:wrapcheck // its caller names the page
	}

	var out strings.Builder
	before := rune(0) // the first of two units
	for i := range counted.Count {
		got, err := d.instance.FPDFText_GetUnicode(&requests.FPDFText_GetUnicode{TextPage: loaded.TextPage, Index: i})
		if err != nil {
			return "", err //nolint:wrapcheck // its caller names the page
		}
		unit := rune(got.Unicode) //nolint:gosec // at most 32 bits
		switch {
		case unit == 0:
			continue
		case before != 0:
			out.WriteRune(utf16.DecodeRune(before, unit))
			if before = 0; !utf16.IsSurrogate(unit) {
				out.WriteRune(unit)
			}
		case utf16.IsSurrogate(unit):
			before = unit
		default:
			out.WriteRune(unit)
		}
	}
	if before != 0 {
		out.WriteRune('\uFFFD')
	}
	text, found := fromUTF8Units(out.String())
	d.utf8Units = d.utf8Units || found
	return text, nil
}

// fromUTF8Units reads what a document wrote in UTF-8 where PDF has UTF-16: each Cyrillic letter comes out as a Hangul one. Korean
// is never of those 128 syllables alone.
func fromUTF8Units(text string) (string, bool) {
	const least = 8
	isUnit := func(r rune) bool { return r >= 0xD080 && r <= 0xD0BF || r >= 0xD180 && r <= 0xD1BF }
	found := 0
	for _, r := range text {
		if isUnit(r) {
			found++
		} else if unicode.Is(unicode.Hangul, r) {
			return text, false
		}
	}
	if found < least {
		return text, false
	}
	return strings.Map(func(r rune) rune {
		if !isUnit(r) {
			return r
		}
		letter, _ := utf8.DecodeRune([]byte{byte(r >> 8), byte(r & 0xFF)}) //nolint:gosec // 16 bits
		return letter
	}, text), true
}
