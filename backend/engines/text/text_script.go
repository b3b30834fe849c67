package text

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Letters of plain text that are raised or lowered by themselves.
var (
	raisedLetters = letterMap("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
	// Few fonts have the lowered letters, so they are digits and signs alone.
	loweredLetters = letterMap("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
)

func letterMap(from, to string) map[rune]rune {
	letters := map[rune]rune{}
	out := []rune(to)
	for i, r := range []rune(from) {
		letters[r] = out[i]
	}
	return letters
}

// raisedText writes a superscript so that 10 to the sixth is not 106. Marks that mean the same on the line stay there.
func raisedText(text string) string {
	bare := strings.TrimSpace(text)
	if bare == "" || strings.HasPrefix(bare, "[") || ordinalMarks[strings.ToLower(bare)] || !strings.ContainsFunc(bare, isWord) {
		return text
	}
	return scripted(text, "^", raisedLetters)
}

// loweredText writes a subscript.
func loweredText(text string) string {
	if !strings.ContainsFunc(text, isWord) {
		return text
	}
	return scripted(text, "_", loweredLetters)
}

// ordinalMarks are often set raised, and read the same where they are not.
var ordinalMarks = setOf("st nd rd th er re e è ème eme o a º ª os as tm sm (tm) (r) (c)")

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// scripted takes the letters of a script, or else a sign and brackets.
func scripted(text, sign string, letters map[rune]rune) string {
	bare := strings.TrimSpace(text)
	before, after, _ := strings.Cut(text, bare)
	if !strings.ContainsFunc(bare, func(r rune) bool { return letters[r] == 0 }) {
		return before + strings.Map(func(r rune) rune { return letters[r] }, bare) + after
	}
	if utf8.RuneCountInString(bare) > 1 {
		bare = "(" + bare + ")"
	}
	return before + sign + bare + after
}

// noteStruck names what is struck out, which a plain text does not show.
func noteStruck(doc *document) {
	var struck []string
	previous := false
	for _, r := range allRuns(doc.blocks) {
		switch {
		case !r.strike || strings.TrimSpace(r.text) == "":
		case previous:
			struck[len(struck)-1] += r.text
		default:
			struck = append(struck, r.text)
		}
		previous = r.strike
	}
	if len(struck) == 0 {
		return
	}
	doc.warnings.add(fmt.Sprintf("best_effort: %s not marked as such in the text: %s",
		counted(len(struck), "passage that is struck out is", "passages that are struck out are"), quoted(struck)))
}

const (
	quotedMost  = 5
	quotedRunes = 40
)

// quoted lists texts for a note, the first of many.
func quoted(texts []string) string {
	var parts []string
	for _, text := range texts[:min(len(texts), quotedMost)] {
		runes := []rune(strings.Join(strings.Fields(text), " "))
		if len(runes) > quotedRunes {
			runes = append(slices.Clone(runes[:quotedRunes]), '…')
		}
		parts = append(parts, "“"+string(runes)+"”")
	}
	if more := len(texts) - quotedMost; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}
