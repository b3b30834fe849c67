package backend

import (
	"slices"
	"strings"
	"unicode"

	"github.com/convilyn/convilyn-temporal/backend/goals"
)

// matchGoals gives the goals that take all the formats and of whose words the text holds the most.
func matchGoals(text string, formats []string, all []goals.Goal) []goals.Goal {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var best []goals.Goal
	most := 0
	for _, goal := range all {
		if slices.ContainsFunc(formats, func(format string) bool { return !slices.Contains(goal.Formats, format) }) {
			continue
		}
		hits := 0
		for _, word := range goal.Words {
			if slices.Contains(words, word) {
				hits++
			}
		}
		switch {
		case hits == 0 || hits < most:
		case hits > most:
			best, most = []goals.Goal{goal}, hits
		default:
			best = append(best, goal)
		}
	}
	return best
}
