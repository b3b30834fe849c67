package goals

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Ways to write a phone number. Those without a plus could be something else.
const (
	phoneGap   = `[ \-./()\x{a0}\x{202f}\x{2009}\x{2010}-\x{2013}]{0,3}`
	phoneTight = `[ \-.\x{a0}\x{202f}\x{2010}-\x{2013}]`
)

var phonePatterns = []struct {
	pattern *regexp.Regexp
	least   int // digits
	sure    bool
}{
	{regexp.MustCompile(`^\+` + phoneGap + `[1-9](?:` + phoneGap + `[0-9]){6,14}`), 7, true},                               // +45 62 52 40 00
	{regexp.MustCompile(`^\([0-9]{3}\) ?[0-9]{3}` + phoneTight + `[0-9]{4}`), 10, true},                                    // (555) 010-1234
	{regexp.MustCompile(`^[2-9][0-9]{2}` + phoneTight + `[0-9]{3}` + phoneTight + `[0-9]{4}`), 10, false},                  // 555-010-1234
	{regexp.MustCompile(`^\(?0[0-9](?:` + phoneGap + `[0-9]){7,12}`), 9, false},                                            // 030 1234567, 0045 62 52 40 00
	{regexp.MustCompile(`^[0-9]{2}(?:[ \x{a0}\x{202f}][0-9]{2}){3}`), 8, false},                                            // 62 52 40 00
	{regexp.MustCompile(`^[0-9]{3}[ \x{a0}\x{202f}][0-9]{2}[ \x{a0}\x{202f}][0-9]{2}[ \x{a0}\x{202f}][0-9]{2}`), 9, false}, // 612 34 56 78
}

// notPhone are dates, times and amounts that look like one.
var notPhone = regexp.MustCompile(`^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}\b|^[0-9]{4}[./-][0-9]{2}[./-][0-9]{2}\b|^0[.,][0-9]`)

// findPhones tries the ways in turn at every place where a number begins.
func findPhones(text string) []finding {
	var out []finding
	for i := 0; i < len(text); {
		if c := text[i]; c != '+' && c != '(' && (c < '0' || c > '9') {
			i++
			continue
		}
		f, ok := phoneAt(text, i)
		if ok {
			out = append(out, f)
			i = f.end
			continue
		}
		i++
		for text[i-1] >= '0' && text[i-1] <= '9' && i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++ // a number does not begin within a row of digits
		}
	}
	return out
}

func phoneAt(text string, at int) (finding, bool) {
	if before, _ := utf8.DecodeLastRuneInString(text[:at]); isWord(before) || before == '+' {
		return finding{}, false
	}
	window := text[at:min(len(text), at+80)]
	if notPhone.MatchString(window) {
		return finding{}, false
	}
	for _, way := range phonePatterns {
		match := way.pattern.FindStringIndex(window)
		if match == nil {
			continue
		}
		value := phoneValue(window[:match[1]])
		if len(strings.TrimPrefix(value, "+")) < way.least || !bounded(text, at, at+match[1]) {
			continue
		}
		return finding{start: at, end: at + match[1], value: value, sure: way.sure}, true
	}
	return finding{}, false
}

// phoneValue is the digits, with a plus for a number that begins with the country's code.
func phoneValue(written string) string {
	digits := strings.Map(func(r rune) rune {
		if isDigit(r) {
			return r
		}
		return -1
	}, written)
	if rest, international := strings.CutPrefix(digits, "00"); international {
		return "+" + rest
	}
	if strings.HasPrefix(written, "+") {
		return "+" + digits
	}
	return digits
}
