package goals

import (
	"slices"
	"strings"
	"unicode"
)

// Match finds the goals that a text of a person points to: those that take all the formats and share most words
// with the text, in the order of the catalog. None where no word of any goal is in it.
func Match(text string, formats []string, all []Goal) []Goal {
	said := map[string]bool{}
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		said[word] = true
	}
	var best []Goal
	most := 0
	for _, goal := range all {
		if slices.ContainsFunc(formats, func(f string) bool { return !slices.Contains(goal.Formats, f) }) {
			continue
		}
		hits := map[string]bool{}
		for _, word := range goal.Words {
			if said[word] {
				hits[word] = true
			}
		}
		switch {
		case len(hits) == 0 || len(hits) < most:
		case len(hits) > most:
			best, most = []Goal{goal}, len(hits)
		default:
			best = append(best, goal)
		}
	}
	return best
}
