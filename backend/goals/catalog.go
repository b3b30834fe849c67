package goals

import (
	"slices"
	"strings"
	"unicode"
)

// Catalog is the goals that a service offers, in their order.
type Catalog []Goal

// Find is the goal of an id.
func (c Catalog) Find(id string) (Goal, bool) {
	at := slices.IndexFunc(c, func(g Goal) bool { return g.ID == id })
	if at < 0 {
		return Goal{}, false
	}
	return c[at], true
}

// IDs lists the ids with commas, for people.
func (c Catalog) IDs() string {
	ids := make([]string, len(c))
	for i, goal := range c {
		ids[i] = goal.ID
	}
	if len(ids) == 0 {
		return "no goals"
	}
	return strings.Join(ids, ", ")
}

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

// All lists the goals in the order of the catalog.
func All() []Goal {
	all := []Goal{documentBinder(), tableExtractor(), imageSet(), redactor()}
	for i := range all {
		all[i].InChild = true
	}
	return all
}
