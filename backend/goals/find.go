package goals

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a finding is.
type kind string

const (
	kindEmail kind = "e-mail"
	kindIBAN  kind = "IBAN"
	kindCard  kind = "card number"
	kindPhone kind = "phone number"
)

// kinds in the order in which they are looked for: what one has found, the next does not look at.
var kinds = []kind{kindEmail, kindIBAN, kindCard, kindPhone}

// finding is a place in a text, in bytes, and the value that is there.
type finding struct {
	start, end int
	kind       kind
	value      string // the same for all ways to write it
	sure       bool   // false where many things look like that
}

// id names a value without telling it.
func (f finding) id() string {
	sum := sha256.Sum256([]byte(string(f.kind) + "\x00" + f.value))
	return hex.EncodeToString(sum[:6])
}

// find lists what is in a text, in order; no two overlap.
func find(text string) []finding {
	var found []finding
	for _, k := range kinds {
		var more []finding
		for _, gap := range gaps(text, found) {
			for _, f := range finders[k](text[gap[0]:gap[1]]) {
				f.start, f.end, f.kind = f.start+gap[0], f.end+gap[0], k
				more = append(more, f)
			}
		}
		found = append(found, more...)
		slices.SortFunc(found, func(a, b finding) int { return a.start - b.start })
	}
	return found
}

// gaps is what lies between findings.
func gaps(text string, found []finding) [][2]int {
	var out [][2]int
	at := 0
	for _, f := range found {
		out = append(out, [2]int{at, f.start})
		at = f.end
	}
	return append(out, [2]int{at, len(text)})
}

var finders = map[kind]func(text string) []finding{
	kindEmail: findEmails, kindIBAN: findIBANs, kindCard: findCards, kindPhone: findPhones,
}

// A backslash may stand before a mark: Markdown escapes them so.
var emailPattern = regexp.MustCompile(`(?:[\p{L}\p{N}]|\\?[._%+\-'&])+@(?:[\p{L}\p{N}](?:[\p{L}\p{N}\-]*[\p{L}\p{N}])?\\?\.)+\p{L}{2,24}`)

func findEmails(text string) []finding {
	var out []finding
	for _, at := range emailPattern.FindAllStringIndex(text, -1) {
		start := at[0] + len(text[at[0]:at[1]]) - len(strings.TrimLeft(text[at[0]:at[1]], `.'&\-%`))
		if text[start] == '@' {
			continue
		}
		value := strings.ToLower(strings.ReplaceAll(text[start:at[1]], `\`, ""))
		out = append(out, finding{start: start, end: at[1], value: value, sure: true})
	}
	return out
}

// ibanLengths by country, as the registry of SWIFT has them.
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
	"CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22,
	"GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30,
	"KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31,
	"MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31,
	"SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

var ibanStart = regexp.MustCompile(`(?i)[a-z]{2}[0-9]{2}`)

// findIBANs takes a country's number of letters and digits, with single spaces or hyphens among them, that
// passes the check of ISO 7064.
func findIBANs(text string) []finding {
	var out []finding
	for at := 0; ; {
		next := ibanStart.FindStringIndex(text[at:])
		if next == nil {
			return out
		}
		start := at + next[0]
		length := ibanLengths[strings.ToUpper(text[start:start+2])]
		value, end := collect(text, start, length, isAlnum)
		if value = strings.ToUpper(value); length > 0 && len(value) == length && bounded(text, start, end) && isIBAN(value) {
			out = append(out, finding{start: start, end: end, value: value, sure: true})
			at = end
			continue
		}
		at = start + 1
	}
}

// isIBAN checks the remainder by 97 of the number with its head moved to the end, letters counting from 10.
func isIBAN(value string) bool {
	if len(value) < 5 {
		return false
	}
	rest := 0
	for _, c := range value[4:] + value[:4] {
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	return rest == 1
}

func isAlnum(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// collect takes at most so many characters from start on, skipping one separator between two of them.
func collect(text string, start, most int, wanted func(rune) bool) (value string, end int) {
	end = start
	separated := true
	for i, r := range text[start:] {
		switch {
		case wanted(r) && len(value) < most:
			value += string(r)
			end, separated = start+i+1, false
		case isSeparator(r) && !separated:
			separated = true
		default:
			return value, end
		}
	}
	return value, end
}

func isSeparator(r rune) bool {
	return strings.ContainsRune(" -\u00a0\u202f\u2009\u2010\u2011\u2012\u2013", r)
}

// bounded reports whether no letter or digit goes on where a finding ends.
func bounded(text string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return !isWord(before) && !isWord(after)
}

func isWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r))
}

const cardLeast, cardMost = 13, 19

// findCards takes 13 to 19 digits of a card's range that pass Luhn's check.
func findCards(text string) []finding {
	var out []finding
	for i := 0; i < len(text); i++ {
		if text[i] < '2' || text[i] > '6' {
			continue
		}
		if before, _ := utf8.DecodeLastRuneInString(text[:i]); isWord(before) {
			continue
		}
		for most := cardMost; most >= cardLeast; most-- {
			value, end := collect(text, i, most, isDigit)
			if len(value) == most && bounded(text, i, end) && isCard(value) {
				out = append(out, finding{start: i, end: end, value: value, sure: true})
				i = end - 1
				break
			}
		}
	}
	return out
}

// isCard is Luhn's check; a number of one digit alone passes it and is no card.
func isCard(digits string) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0 && strings.Trim(digits, digits[:1]) != ""
}

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
