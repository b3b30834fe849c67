package fidelity

import (
	"slices"
	"strings"
)

// Difference is a place where the output lacks words of the source. Its texts are words as they are compared.
type Difference struct {
	Source  string   // around the place
	Output  string   // likewise; empty where the place is not found
	Missing []string // in the order of Source
}

const (
	// maxDifferences are the places that are shown.
	maxDifferences = 12
	// around is how many words are shown on each side of a place.
	around = 8
	// maxPlace is how many words of the source a place has at most.
	maxPlace = 40
	// anchor is how many words in a row find a place of the source in the output.
	anchor = 3
	// maxFound is in how many words of an output places are looked for.
	maxFound = 200_000
)

// differences are the first places of the source with words that are missing so often.
func differences(source, output []string, missing map[string]int) []Difference {
	left := map[string]int{}
	for word, n := range missing {
		if n > 0 {
			left[word] = n
		}
	}
	if len(left) == 0 {
		return nil
	}

	find := newFinder(output)
	at := find.places(source, left)
	var out []Difference
	for len(at) > 0 && len(out) < maxDifferences {
		first := at[0]
		from, to := max(0, first-around), first+1
		d := Difference{}
		for len(at) > 0 && at[0] < to+around && at[0] < from+maxPlace {
			d.Missing = append(d.Missing, shown(source[at[0]]))
			to, at = at[0]+1, at[1:]
		}
		d.Source, d.Output = passage(source, from, to+around), find.near(source, first, to)
		out = append(out, d)
	}
	return out
}

// passage is words as a text.
func passage(words []string, from, to int) string {
	some := words[max(0, from):min(to, len(words))]
	texts := make([]string, len(some))
	for i, word := range some {
		texts[i] = shown(word)
	}
	return strings.Join(texts, " ")
}

// finder finds places of the source in the output.
type finder struct {
	words []string
	at    map[[anchor]string]int // where so many words follow each other first
}

func newFinder(words []string) *finder {
	f := &finder{words: words, at: map[[anchor]string]int{}}
	for i := 0; i+anchor <= min(len(words), maxFound); i++ {
		key := [anchor]string(words[i : i+anchor])
		if _, seen := f.at[key]; !seen {
			f.at[key] = i
		}
	}
	return f
}

// places are where the words of the source are that are missing so often: first those whose neighbours are not there either,
// then the last ones.
func (f *finder) places(source []string, left map[string]int) []int {
	var at []int
	taken := map[int]bool{}
	for _, sure := range []bool{true, false} {
		for i := len(source) - 1; i >= 0; i-- {
			if left[source[i]] == 0 || taken[i] || sure && f.has(source, i) {
				continue
			}
			left[source[i]]--
			taken[i] = true
			at = append(at, i)
		}
	}
	slices.Sort(at)
	return at
}

// has reports whether a word of the source is in the output beside one of the same neighbours.
func (f *finder) has(source []string, at int) bool {
	for i := max(0, at-anchor+1); i <= at && i+anchor <= len(source); i++ {
		if _, found := f.at[[anchor]string(source[i:i+anchor])]; found {
			return true
		}
	}
	return false
}

// near is what the output has around words first to end of the source; empty where nothing beside them is found.
func (f *finder) near(source []string, first, end int) string {
	for i := first - anchor; i >= max(0, first-2*around); i-- {
		if at, found := f.at[[anchor]string(source[i:i+anchor])]; found {
			at += first - i
			return passage(f.words, at-around, at+around)
		}
	}
	for i := end; i+anchor <= len(source) && i < end+2*around; i++ {
		if at, found := f.at[[anchor]string(source[i:i+anchor])]; found {
			at -= i - end
			return passage(f.words, at-around, at+around)
		}
	}
	return ""
}
