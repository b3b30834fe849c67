// Package numbering counts the numbered paragraphs of a Word document, and writes their numbers as Word does.
package numbering

import (
	"strconv"
	"strings"
)

// alphabets of formats that count in letters or signs.
var alphabets = map[string]string{
	"upperLetter": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "lowerLetter": "abcdefghijklmnopqrstuvwxyz",
	"russianUpper": "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЫЭЮЯ", "russianLower": "абвгдежзиклмнопрстуфхцчшщыэюя",
	"chicago": "*†‡§",
}

// format writes a number; false where the format is not known, and it is written as digits.
func format(n int, name string) (text string, known bool) {
	digits := strconv.Itoa(n)
	if alphabet := alphabets[name]; alphabet != "" {
		return letters(n, alphabet), true
	}
	if width, ok := strings.CutPrefix(name, "pad"); ok {
		const widest = 10 // the file tells how wide
		wide, _ := strconv.Atoi(width)
		return strings.Repeat("0", max(min(wide, widest)-len(digits), 0)) + digits, true
	}
	switch name {
	case "decimal", "":
		return digits, true
	case "decimalZero":
		return format(n, "pad2")
	case "upperRoman":
		return roman(n), true
	case "lowerRoman":
		return strings.ToLower(roman(n)), true
	case "ordinal":
		return digits + ordinalSuffix(n), true
	case "none":
		return "", true
	case "hex":
		return strings.ToUpper(strconv.FormatInt(int64(n), 16)), true
	case "chineseCounting", "chineseCountingThousand", "japaneseCounting", "ideographDigital", "taiwaneseCounting", "taiwaneseCountingThousand", "koreanDigital2", "japaneseDigitalTenThousand":
		return chinese(n)
	}
	return decorated(n, digits, name)
}

// decorated writes digits with what is around them.
func decorated(n int, digits, name string) (text string, known bool) {
	switch name {
	case "numberInDash":
		return "- " + digits + " -", true
	case "decimalFullWidth", "decimalFullWidth2":
		return fullWidth(digits), true
	case "decimalEnclosedParen":
		return "(" + digits + ")", true
	case "decimalEnclosedFullstop":
		return digits + ".", true
	case "decimalEnclosedCircle", "decimalEnclosedCircleChinese":
		if n >= 1 && n <= 20 {
			return string(rune('①' + n - 1)), true
		}
		return digits, true
	}
	return digits, false
}

func roman(n int) string {
	if n < 1 || n > 20_000 {
		return strconv.Itoa(n)
	}
	var b strings.Builder
	for _, step := range []struct {
		value int
		text  string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= step.value; n -= step.value {
			b.WriteString(step.text)
		}
	}
	return b.String()
}

// letters goes on after the last one with it doubled: y, z, aa, bb.
func letters(n int, alphabet string) string {
	all := []rune(alphabet)
	if n < 1 || n > 30*len(all) {
		return strconv.Itoa(n)
	}
	return strings.Repeat(string(all[(n-1)%len(all)]), (n-1)/len(all)+1)
}

func ordinalSuffix(n int) string {
	if n%100 >= 11 && n%100 <= 13 {
		return "th"
	}
	switch n % 10 {
	case 1:
		return "st"
	case 2:
		return "nd"
	case 3:
		return "rd"
	}
	return "th"
}

func fullWidth(digits string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '０'
		}
		return r
	}, digits)
}

// chinese writes numbers up to 99, which is as far as these formats agree.
func chinese(n int) (string, bool) {
	digits := []rune("〇一二三四五六七八九")
	switch {
	case n < 1 || n > 99:
		return strconv.Itoa(n), false
	case n < 10:
		return string(digits[n]), true
	case n < 20:
		return "十" + strings.TrimSuffix(string(digits[n%10]), "〇"), true
	}
	return string(digits[n/10]) + "十" + strings.TrimSuffix(string(digits[n%10]), "〇"), true
}
