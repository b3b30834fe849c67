// Package corpus makes files of which it is known what they say, and judges what conversions make of them. Each file has the
// words, rows, links and colours that its outputs must show. It has no files of its own: all are generated, always the same.
package corpus

import (
	"fmt"
	"image/color"
	"math/rand/v2"
	"strings"
)

// File is one input and what it says.
type File struct {
	Name   string // unique; its beginning up to the slash is the family
	Format string
	Data   []byte
	Truth  Truth
}

// Family is the kind of a file for tables: docx, html, pictures, ...
func (f File) Family() string {
	family, _, _ := strings.Cut(f.Name, "/")
	return family
}

// Truth is what a faithful conversion shows.
type Truth struct {
	Words  []Word
	Rows   [][]string // words that stand in one row of a table, in this order, each in a cell of its own
	Links  []string   // addresses that md and html keep
	Colour *Colours
	Pages  int // of a document of pages; 0 where that is open
}

// Word is a word or number of a file; each is used once.
type Word struct {
	Text string
	// Hidden words are not for readers: an output that shows them has to say so.
	Hidden bool
	// Beside stands for what is not in the flow of the text, such as a header: it may be anywhere, and be left out with a note.
	Beside bool
	// Raised words stand right at the word before, and only their place says where they begin.
	Raised bool
	// Notes are what a note that excuses this word has in it; one of them is enough.
	Notes []string
}

// Colours are those of the four quarters of a picture that is upright: top left, top right, bottom left, bottom right.
type Colours struct {
	Width, Height int
	Quarters      [4]color.NRGBA
	Animated      bool
}

// seed makes the corpus the same at each call.
const seed = 16

// mixes is how many files of each kind of document hold several features, at random.
const mixes = 12

// Files are all files of the corpus.
func Files() []File {
	var out []File
	for _, format := range []string{"docx", "html", "md", "odt"} {
		out = append(out, documents(format)...)
	}
	out = append(out, texts()...)
	out = append(out, csvs()...)
	out = append(out, workbooks()...)
	return append(out, pictures()...)
}

// documents are one file for each feature that a format has, and mixes of them.
func documents(format string) []File {
	random := rand.New(rand.NewPCG(seed, uint64(len(format)))) //nolint:gosec // it is to be the same at each call
	words := &vocabulary{}
	var able []feature
	for _, f := range features {
		if f.in(format) != "" {
			able = append(able, f)
		}
	}
	var out []File
	add := func(name string, all ...feature) {
		b := &builder{format: format, words: words}
		for _, f := range all {
			b.add(f)
		}
		out = append(out, File{Name: format + "/" + name, Format: format, Data: b.file(), Truth: b.truth})
	}
	for _, f := range able {
		add(f.name, f)
	}
	for i := range mixes {
		var some []feature
		for range 3 + random.IntN(6) {
			some = append(some, able[random.IntN(len(able))])
		}
		add(fmt.Sprintf("mix %d", i+1), some...)
	}
	return out
}

// vocabulary gives words that were not used before: a number, or letters of some writing with a number.
type vocabulary struct{ used int }

var stems = strings.Fields("Kobalt Ufer Brücke Ελιά Мост Zange année Øst")

func (v *vocabulary) next() string {
	v.used++
	const first = 1000
	number := fmt.Sprint(first + v.used*7)
	if v.used%2 == 0 {
		return number
	}
	return stems[v.used/2%len(stems)] + number
}
