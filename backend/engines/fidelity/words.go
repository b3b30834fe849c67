package fidelity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	// maxWords bounds what is compared of a source. An output may have more.
	maxWords = 1_000_000
	// maxWord cuts what is no word of any writing, in bytes.
	maxWord = 200
)

// words takes the text of a document apart.
type words struct {
	all  []string
	full bool
	word []byte
	seen map[string]string // one copy of each word
}

func newWords() *words { return &words{seen: map[string]string{}} }

// text adds text, which may go on the word that text before it has begun.
func (w *words) text(s string) {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			w.ascii(c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		w.rune(r)
		i += size
	}
}

func (w *words) ascii(c byte) {
	switch {
	case 'A' <= c && c <= 'Z':
		w.add(c + 'a' - 'A')
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		w.add(c)
	default:
		w.end()
	}
}

func (w *words) add(c byte) {
	if len(w.word) < maxWord {
		w.word = append(w.word, c)
	}
}

var fold = cases.Fold()

// rune evens out what is written in several ways.
func (w *words) rune(r rune) {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return // accents, soft hyphens and marks of direction end no word
	case unicode.Is(unicode.No, r): // superscripts, circled digits, fractions
		w.end()
		w.letters(r)
		w.end()
	case !unicode.In(r, unicode.L, unicode.N, unicode.Mc):
		w.end()
	case unspaced(r):
		w.end()
		w.letters(r)
		w.end()
	default:
		w.letters(r)
	}
}

func (w *words) letters(r rune) {
	for _, part := range fold.String(norm.NFKD.String(string(r))) {
		switch {
		case part < utf8.RuneSelf:
			w.ascii(byte(part)) //nolint:gosec // ASCII
		case unicode.In(part, unicode.L, unicode.N, unicode.Mc) && len(w.word) < maxWord:
			w.word = utf8.AppendRune(w.word, part)
		}
	}
}

// unspaced reports whether a letter is of a writing that puts no spaces between words, and breaks lines within them.
func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// end ends the word that has begun.
func (w *words) end() {
	if len(w.word) == 0 {
		return
	}
	if len(w.all) >= maxWords {
		w.full, w.word = true, w.word[:0]
		return
	}
	word, ok := w.seen[string(w.word)]
	if !ok {
		word = strings.Clone(string(w.word))
		w.seen[word] = word
	}
	w.all, w.word = append(w.all, word), w.word[:0]
}

// raised adds text that is set above the line. An exponent or the mark of a note is no part of the word before it; the letters of
// 19th are.
func (w *words) raised(s string) {
	if first, _ := utf8.DecodeRuneInString(s); unicode.IsLetter(first) {
		w.text(s)
		return
	}
	w.end()
	w.text(s)
	w.end()
}
