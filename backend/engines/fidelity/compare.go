package fidelity

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"
)

const (
	// maxLacking are the missing words that are named.
	maxLacking = 8
	// maxShown cuts a long word, in letters.
	maxShown = 24
	// maxSought bounds how many words are looked for among broken ones.
	maxSought = 2_000
)

// kinds of formats that have something in common.
var (
	withWords   = set("docx", "pptx", "xlsx", "odt", "ods", "odp", "html", "md", "epub", "txt", "csv", "rtf", "pdf")
	withValues  = set("xlsx", "ods") // numbers are kept as values, and shown by formats
	withObjects = set("odt", "odp")  // formulas are documents in the document
	withPixels  = set("png", "jpg", "gif", "bmp", "tiff", "webp", "heic", "avif")
)

func set(all ...string) map[string]bool {
	out := map[string]bool{}
	for _, one := range all {
		out[one] = true
	}
	return out
}

// isComparable reports whether two formats have anything in common.
func isComparable(source, target string) bool {
	switch {
	case withWords[source] && withWords[target]:
		return true
	case withPixels[source]:
		return withPixels[target] || target == "pdf"
	}
	return source == "pdf" && withPixels[target]
}

// Compare names what the source has and the output lacks. Where a format does not have a thing at all, as text has no
// pictures, its absence is the nature of the format and not named.
func Compare(source, output Content) Report {
	r := compareWords(source, output)
	if r.count(source.Tables, output.Tables, "tables", "table in the output") {
		r.count(source.Rows, output.Rows, "rows of tables", "row of a table in the output")
	}
	r.count(source.Pictures, output.Pictures, "pictures", "picture in the output")
	if source.Width >= 0 || output.Width >= 0 { // documents have as many pages as their type and paper make
		r.count(max(source.Pages, source.Frames), max(output.Pages, output.Frames), "pages or frames", "page or frame in the output")
	}
	r.pixels(source, output)
	return r
}

// count compares how many there are of a kind, and reports whether none is missing.
func (r *Report) count(source, output int, many, one string) bool {
	if source < 0 || output < 0 || output >= source {
		return true
	}
	if lack := source - output; lack == 1 {
		r.lose("1 of %s %s of the source is no %s", number(source), many, one)
	} else {
		r.lose("%s of %s %s of the source have no %s", number(lack), number(source), many, one)
	}
	return false
}

func (r *Report) lose(format string, args ...any) {
	r.Losses = append(r.Losses, fmt.Sprintf(format, args...))
}

func (r *Report) pixels(source, output Content) {
	if source.Width <= 0 || output.Width <= 0 || source.Pages > 1 {
		return
	}
	upright := source.Width == output.Width && source.Height == output.Height
	turned := source.Width == output.Height && source.Height == output.Width
	if !upright && !turned {
		r.lose("the source has %d × %d pixels, the output %d × %d", source.Width, source.Height, output.Width, output.Height)
	}
}

func number(n int) string { return humanize.Comma(int64(n)) }

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func compareWords(source, output Content) Report {
	broken := source.Paged || output.Paged
	if broken {
		source.Words = forward(source.Words)
	}
	r := Report{Words: len(source.Words)}
	if output.Width >= 0 {
		return Report{} // letters are drawn there
	}
	if len(source.Words) == 0 {
		return r
	}
	left := make(map[string]int, len(output.Words)/2)
	for _, word := range output.Words {
		left[word]++
	}
	missing := map[string]int{}
	var order []string
	for _, word := range source.Words {
		if left[word]--; left[word] < 0 {
			if missing[word]++; missing[word] == 1 {
				order = append(order, word)
			}
		}
	}
	if len(order) > 0 && broken {
		order = unbroken(order, missing, source, output)
	}
	r.Differences = differences(source.Words, output.Words, missing)
	for i, word := range order {
		r.Missing += missing[word]
		if i < maxLacking {
			r.Lacking = append(r.Lacking, shown(word))
		}
	}
	r.nameWords(len(order))
	return r
}

// nameWords puts the missing words into a sentence.
func (r *Report) nameWords(distinct int) {
	if r.Missing == 0 {
		return
	}
	list := strings.Join(r.Lacking, ", ")
	if distinct > len(r.Lacking) {
		list += ", …"
	}
	r.lose("%s of %s words of the source %s not in the output: %s", number(r.Missing), number(r.Words), isOrAre(r.Missing), list)
}

// unbroken leaves out the words that are there, but are broken at the end of a line or spaced out on one side: their letters
// follow each other as often as in the source.
func unbroken(order []string, missing map[string]int, source, output Content) []string {
	in, out := strings.Join(source.Words, ""), strings.Join(output.Words, "")
	still := order[:0]
	for i, word := range order {
		if i < maxSought {
			lack := strings.Count(in, word) - strings.Count(out, word)
			missing[word] = min(missing[word], lack)
		}
		if missing[word] > 0 {
			still = append(still, word)
		}
	}
	return still
}

// forward are the words that are not written from right to left: on a page those are glyphs whose order and letters cannot be
// told for sure.
func forward(all []string) []string {
	if !slices.ContainsFunc(all, mirrored) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), mirrored)
}

// mirrored reports whether a word is written from right to left.
func mirrored(word string) bool {
	for _, r := range word {
		if unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana) {
			return true
		}
	}
	return false
}

func shown(word string) string {
	letters := []rune(word)
	return string(letters[:min(len(letters), maxShown)])
}
