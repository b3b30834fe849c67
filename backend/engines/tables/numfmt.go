package tables

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// numberFormat is a number format of Excel (ECMA-376 part 1, 18.8.31) for numbers that are no dates.
type numberFormat struct {
	sections    []section
	conditional bool
}

type section struct {
	tokens    []token
	condition func(float64) bool // nil for none
	onlyBelow bool               // the condition holds for negative numbers alone
	percent   int
	scale     int // by how many thousands the number is divided
	grouped   bool
	whole     int // placeholders before the point
	decimals  int // and behind it
	point     bool
	exponent  int // placeholders of the exponent; 0 for none
	plus      bool
	general   bool
}

type tokenKind int

const (
	literal     tokenKind = iota
	placeholder           // 0, # or ?
	point
	exponent
	general
)

type token struct {
	kind     tokenKind
	text     string
	fraction bool // a placeholder behind the point
	power    bool // a placeholder of the exponent
}

// builtinFormats are the codes of formats that a workbook names by number alone, in English.
var builtinFormats = map[int]string{
	1: "0", 2: "0.00", 9: "0%", 10: "0.00%", 3: "#,##0", 4: "#,##0.00", 11: "0.00E+00", 37: "#,##0 ;(#,##0)", 38: "#,##0 ;[Red](#,##0)", 39: "#,##0.00 ;(#,##0.00)",
	40: "#,##0.00 ;[Red](#,##0.00)", 41: `_(* #,##0_);_(* \(#,##0\);_(* "-"_);_(@_)`, 42: `_("$"* #,##0_);_("$"* \(#,##0\);_("$"* "-"_);_(@_)`,
	43: `_(* #,##0.00_);_(* \(#,##0.00\);_(* "-"??_);_(@_)`, 44: `_("$"* #,##0.00_);_("$"* \(#,##0.00\);_("$"* "-"??_);_(@_)`, 48: "##0.0E+0",
}

// parseNumberFormat is nil for formats of dates, fractions, and anything that is not known here.
func parseNumberFormat(code string) *numberFormat {
	const longest = 500
	if len(code) > longest || !utf8.ValidString(code) {
		return nil
	}
	f := &numberFormat{}
	for len(f.sections) < 3 { // the fourth is for texts
		s, rest, more, ok := parseSection(code)
		if !ok && len(f.sections) > 0 && strings.Contains(code, "@") && !strings.Contains(code, ";") {
			break // so is the last, where it has an @
		}
		if !ok {
			return nil
		}
		f.sections = append(f.sections, s)
		f.conditional = f.conditional || s.condition != nil
		if !more {
			break
		}
		code = rest
	}
	return f
}

// parseSection reads up to a semicolon.
func parseSection(code string) (s section, rest string, more, ok bool) {
	p := sectionParser{section: &s, code: code}
	for p.at < len(code) {
		if code[p.at] == ';' {
			p.finish()
			return s, code[p.at+1:], true, true
		}
		if !p.next() {
			return s, "", false, false
		}
	}
	p.finish()
	return s, "", false, true
}

type sectionParser struct {
	*section
	code    string
	at      int
	commas  int // since the last placeholder
	seenE   bool
	started bool
}

func (p *sectionParser) put(kind tokenKind, text string) {
	p.tokens = append(p.tokens, token{kind: kind, text: text, fraction: p.point && !p.seenE, power: p.seenE})
}

// next reads one token; false for one that is not known.
func (p *sectionParser) next() bool {
	rest := p.code[p.at:]
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case strings.HasPrefix(strings.ToLower(rest), "general"):
		p.general = true
		p.put(general, "")
		p.at += len("general")
		return true
	case r == '"':
		return p.quoted(rest)
	case r == '[':
		return p.bracket(rest)
	case r == '\\' || r == '_' || r == '*':
		return p.escape(r, rest)
	case r == '.':
		if p.point || p.seenE {
			return false
		}
		p.decimalPoint()
	case (r == 'E' || r == 'e') && len(rest) > 1 && (rest[1] == '+' || rest[1] == '-'):
		if p.seenE || !p.started {
			return false
		}
		p.put(exponent, "E")
		p.seenE, p.plus = true, rest[1] == '+'
		size++
	default:
		if !p.sign(r) {
			return false
		}
	}
	p.at += size
	return true
}

func (p *sectionParser) decimalPoint() {
	if p.started { // commas behind the last place divide, as they do at the end
		p.scale += p.commas
		p.commas = 0
	}
	p.put(point, ".")
	p.point = true
}

// sign reads a letter of its own: a place of a digit, or what is shown as it is.
func (p *sectionParser) sign(r rune) bool {
	switch {
	case r == '0' || r == '#' || r == '?':
		p.digit(string(r))
	case r == ',':
		p.commas++
		if !p.started {
			p.put(literal, ",")
			p.commas = 0
		}
	case r == '%':
		p.percent++
		p.put(literal, "%")
	case r == '/' && p.started: // a fraction, or a date
		return false
	case strings.ContainsRune("$+-():!^&'~{}<>= /€£¥|", r) || r > 127:
		p.put(literal, string(r))
	default: // letters of dates, @, and what is not known
		return false
	}
	return true
}

func (p *sectionParser) quoted(rest string) bool {
	end := strings.IndexByte(rest[1:], '"')
	if end < 0 {
		return false
	}
	p.put(literal, rest[1:1+end])
	p.at += end + 2
	return true
}

func (p *sectionParser) digit(kind string) {
	if p.commas > 0 && !p.point && !p.seenE {
		p.grouped = true
	}
	p.commas, p.started = 0, true
	p.put(placeholder, kind)
	switch {
	case p.seenE:
		p.exponent++
	case p.point:
		p.decimals++
	default:
		p.whole++
	}
}

// escape reads a letter that stands for itself, room as wide as a letter, or a letter that fills the cell.
func (p *sectionParser) escape(r rune, rest string) bool {
	next, size := utf8.DecodeRuneInString(rest[1:])
	if size == 0 {
		return false
	}
	switch r {
	case '\\':
		p.put(literal, string(next))
	case '_':
		p.put(literal, " ")
	}
	p.at += 1 + size
	return true
}

var formatColours = []string{"black", "blue", "cyan", "green", "magenta", "red", "white", "yellow"}

// bracket reads a colour, a condition, or a currency.
func (p *sectionParser) bracket(rest string) bool {
	inside, _, found := strings.Cut(rest[1:], "]")
	if !found {
		return false
	}
	p.at += len(inside) + 2
	lower := strings.ToLower(inside)
	switch {
	case strings.HasPrefix(inside, "$"):
		symbol, _, _ := strings.Cut(inside[1:], "-")
		p.put(literal, symbol)
		return true
	case strings.HasPrefix(lower, "color"):
		return true
	case slices.Contains(formatColours, lower):
		return true
	}
	return p.setCondition(inside)
}

func (p *sectionParser) setCondition(text string) bool {
	operator := strings.TrimRight(text, "0123456789.-+eE ")
	limit, err := strconv.ParseFloat(strings.TrimSpace(text[len(operator):]), 64)
	if err != nil {
		return false
	}
	compare := map[string]func(float64) bool{
		"<": func(v float64) bool { return v < limit }, "<=": func(v float64) bool { return v <= limit },
		">": func(v float64) bool { return v > limit }, ">=": func(v float64) bool { return v >= limit },
		"=": func(v float64) bool { return v == limit }, "<>": func(v float64) bool { return v != limit },
	}[strings.TrimSpace(operator)]
	if compare == nil {
		return false
	}
	p.condition = compare
	p.onlyBelow = operator == "<" && limit <= 0 || operator == "<=" && limit < 0
	return true
}

func (p *sectionParser) finish() {
	p.scale += p.commas

	if p.whole == 0 && p.decimals > 0 { // Excel shows the digits before the point, too, where nothing takes them
		at := slices.IndexFunc(p.tokens, func(t token) bool { return t.kind == point })
		p.tokens = slices.Insert(p.tokens, at, token{kind: placeholder, text: "#"})
		p.whole = 1
	}
}

// format is what a cell shows; false where the format leaves that to the width of the cell.
func (f *numberFormat) format(v float64) (string, bool) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "", false
	}
	i := f.choose(v)
	if i < 0 {
		return "", false
	}
	s := f.sections[i]
	signed := v < 0
	if !f.conditional && i == 1 || s.onlyBelow {
		signed = false // the section itself says how a negative number looks
	}
	text := s.render(math.Abs(v))
	if signed {
		text = "-" + strings.TrimLeft(text, " ")
	}
	return strings.TrimSpace(text), true
}

// choose is the section for a value; -1 for none.
func (f *numberFormat) choose(v float64) int {
	count := len(f.sections)
	if !f.conditional {
		switch {
		case v < 0 && count > 1:
			return 1
		case v == 0 && count > 2:
			return 2
		}
		return 0
	}
	for i, s := range f.sections {
		switch {
		case s.condition != nil && s.condition(v):
			return i
		case s.condition == nil && (i == count-1 || i == 1 && v < 0 || i == 0 && v > 0):
			return i
		}
	}
	return -1
}

// render sets a number that is not negative.
func (s section) render(v float64) string {
	if s.general {
		return s.renderGeneral(v)
	}
	if s.whole+s.decimals == 0 {
		var text strings.Builder
		for _, t := range s.tokens {
			text.WriteString(t.text)
		}
		return text.String()
	}
	v *= math.Pow(100, float64(s.percent)) / math.Pow(1000, float64(s.scale))
	power := 0
	if s.exponent > 0 {
		v, power = s.mantissa(v)
	}
	whole, fraction := roundedDigits(v, s.decimals)
	if whole == "0" {
		whole = ""
	}
	r := renderer{section: s, whole: s.fill(whole), fraction: s.trimFraction(fraction)}
	r.power = s.fillPower(power)
	return r.run()
}

func (s section) renderGeneral(v float64) string {
	var text strings.Builder
	for _, t := range s.tokens {
		if t.kind == general {
			text.WriteString(generalText(v))
			continue
		}
		text.WriteString(t.text)
	}
	return text.String()
}

// generalText is a number that is not negative as Excel shows it without a format, in at most eleven letters. Codes of many digits
// stay as they are, as elsewhere.
func generalText(v float64) string {
	const letters, short = 11, 1e-4
	exact := strconv.FormatFloat(v, 'f', -1, 64)
	switch {
	case v == 0 || isCode(v) || len(exact) <= letters:
		return exact
	case v >= short && v < 1e11:
		before, _, _ := strings.Cut(exact, ".")
		text := strconv.FormatFloat(v, 'f', max(0, letters-1-len(before)), 64)
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		return text
	}
	mantissa, power, _ := strings.Cut(strconv.FormatFloat(v, 'E', 5, 64), "E")
	return strings.TrimRight(strings.TrimRight(mantissa, "0"), ".") + "E" + power
}

// mantissa splits a number so that its exponent is a multiple of the placeholders before the point.
func (s section) mantissa(v float64) (float64, int) {
	if v == 0 {
		return 0, 0
	}
	step := max(s.whole, 1)
	power := int(math.Floor(math.Log10(v)))
	power -= ((power % step) + step) % step
	for range 2 { // rounding may carry it to the next power
		m := v / math.Pow10(power)
		whole, _ := roundedDigits(m, s.decimals)
		if len(whole) <= step {
			return m, power
		}
		power += step
	}
	return v / math.Pow10(power), power
}

// roundedDigits are the digits before and behind the point, of a number of at most 15 digits as Excel keeps them.
func roundedDigits(v float64, decimals int) (whole, fraction string) {
	exact, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 14, 64), 64)
	if err != nil {
		exact = v
	}
	text := strconv.FormatFloat(exact, 'f', -1, 64)
	whole, fraction, _ = strings.Cut(text, ".")
	if len(fraction) <= decimals {
		return whole, fraction + strings.Repeat("0", decimals-len(fraction))
	}
	up := fraction[decimals] >= '5'
	digits := []byte(whole + fraction[:decimals])
	for i := len(digits) - 1; up && i >= 0; i-- {
		if digits[i]++; digits[i] <= '9' {
			up = false
			continue
		}
		digits[i] = '0'
	}
	if up {
		digits = append([]byte{'1'}, digits...)
	}
	return string(digits[:len(digits)-decimals]), string(digits[len(digits)-decimals:])
}

// fill gives each placeholder before the point its part of the digits: the first takes what is left over.
func (s section) fill(digits string) []string {
	kinds := s.kinds(false)
	out := make([]string, len(kinds))
	if len(out) == 0 {
		return out
	}
	written := 0 // digits to the right, for the separators
	put := func(i int, digit string) {
		if s.grouped && written > 0 && written%3 == 0 && digit != "" {
			digit += ","
		}
		out[i] = digit + out[i]
		written++
	}
	for i := len(kinds) - 1; i >= 0; i-- {
		switch {
		case digits != "":
			put(i, digits[len(digits)-1:])
			digits = digits[:len(digits)-1]
		case kinds[i] == "0":
			put(i, "0")
		case kinds[i] == "?":
			out[i] = " "
		}
	}
	for digits != "" {
		put(0, digits[len(digits)-1:])
		digits = digits[:len(digits)-1]
	}
	return out
}

func (s section) fillPower(power int) string {
	digits := strconv.Itoa(max(power, -power))
	digits = strings.Repeat("0", max(0, s.exponent-len(digits))) + digits
	switch {
	case power < 0:
		return "-" + digits
	case s.plus:
		return "+" + digits
	default:
		return digits
	}
}

// trimFraction gives each placeholder behind the point its digit; zeros at the end are shown by 0 alone.
func (s section) trimFraction(digits string) []string {
	kinds := s.kinds(true)
	out := strings.Split(digits, "")
	for i := len(kinds) - 1; i >= 0 && i < len(out) && kinds[i] != "0" && out[i] == "0"; i-- {
		out[i] = map[string]string{"?": " "}[kinds[i]]
	}
	return out
}

func (s section) kinds(fraction bool) []string {
	var out []string
	for _, t := range s.tokens {
		if t.kind == placeholder && t.fraction == fraction && !t.power {
			out = append(out, t.text)
		}
	}
	return out
}

// renderer puts the digits to their places among the literals.
type renderer struct {
	section
	whole    []string
	fraction []string
	power    string
}

func (r *renderer) run() string {
	var text strings.Builder
	powerDone := false
	take := func(from *[]string) string {
		if len(*from) == 0 {
			return ""
		}
		first := (*from)[0]
		*from = (*from)[1:]
		return first
	}
	for _, t := range r.tokens {
		switch {
		case t.kind == placeholder && t.power:
			if !powerDone {
				text.WriteString(r.power)
				powerDone = true
			}
		case t.kind == placeholder && t.fraction:
			text.WriteString(take(&r.fraction))
		case t.kind == placeholder:
			text.WriteString(take(&r.whole))
		default:
			text.WriteString(t.text)
		}
	}
	return text.String()
}
