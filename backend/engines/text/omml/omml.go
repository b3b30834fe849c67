// Package omml writes the formulas of a Word document as a line of text.
package omml

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
)

// Text is a formula (m:oMath) in a line: fractions as 1/2, powers as x^2, indices as x_i, roots as √(x).
func Text(n *ooxml.Node) string { return strings.TrimSpace(plainLetters(inner(n))) }

// plainLetters makes the slanted and other letters of formulas those that every font has: 𝑥 is x.
func plainLetters(text string) string {
	if !strings.ContainsFunc(text, isMathLetter) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isMathLetter(r) {
			b.WriteString(norm.NFKC.String(string(r)))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isMathLetter(r rune) bool { return r >= 0x1D400 && r <= 0x1D7FF }

func inner(n *ooxml.Node) string {
	var b strings.Builder
	for _, c := range n.List() {
		b.WriteString(element(c))
	}
	return b.String()
}

func element(n *ooxml.Node) string {
	switch n.Name {
	case "t":
		return n.Text
	case "br", "cr", "tab":
		return " "
	case "noBreakHyphen":
		return "-"
	case "delText", "instrText":
		return ""
	}
	if strings.HasSuffix(n.Name, "Pr") {
		return ""
	}
	if text, ok := scripts(n); ok {
		return text
	}
	return construct(n)
}

// scripts writes what has parts above or below the line.
func scripts(n *ooxml.Node) (string, bool) {
	part := func(name string) string { return inner(n.Child(name)) }
	switch n.Name {
	case "sSup":
		return part("e") + raised(part("sup")), true
	case "sSub":
		return part("e") + lowered(part("sub")), true
	case "sSubSup":
		return part("e") + lowered(part("sub")) + raised(part("sup")), true
	case "sPre":
		return lowered(part("sub")) + raised(part("sup")) + part("e"), true
	case "limLow":
		return part("e") + lowered(part("lim")), true
	case "limUpp":
		return part("e") + raised(part("lim")), true
	}
	return "", false
}

// construct writes fractions, roots, sums, brackets and tables.
func construct(n *ooxml.Node) string {
	switch n.Name {
	case "f":
		return fraction(n)
	case "rad":
		return root(n)
	case "nary":
		return nary(n)
	case "d":
		return delimited(n)
	case "func":
		return inner(n.Child("fName")) + " " + inner(n.Child("e"))
	case "acc":
		return inner(n.Child("e")) + mark(n.Child("accPr"), "chr", "\u0302")
	case "bar":
		return inner(n.Child("e")) + "\u0305"
	case "m":
		return rows(n, "mr", "[", "]")
	case "eqArr":
		return strings.Join(each(n, "e"), "; ")
	}
	return inner(n)
}

func fraction(n *ooxml.Node) string {
	above, below := inner(n.Child("num")), inner(n.Child("den"))
	if n.Child("fPr").Property("type") == "noBar" { // as in binomials
		return above + " over " + below
	}
	return group(above) + "/" + group(below)
}

func root(n *ooxml.Node) string {
	degree := inner(n.Child("deg"))
	sign, known := map[string]string{"": "√", "2": "√", "3": "∛", "4": "∜"}[strings.TrimSpace(degree)]
	if !known {
		sign = "root" + lowered(degree) + " "
	}
	return sign + "(" + inner(n.Child("e")) + ")"
}

func nary(n *ooxml.Node) string {
	text := mark(n.Child("naryPr"), "chr", "∫")
	if sub := inner(n.Child("sub")); sub != "" {
		text += lowered(sub)
	}
	if sup := inner(n.Child("sup")); sup != "" {
		text += raised(sup)
	}
	return text + " " + inner(n.Child("e"))
}

func delimited(n *ooxml.Node) string {
	properties := n.Child("dPr")
	return mark(properties, "begChr", "(") + strings.Join(each(n, "e"), mark(properties, "sepChr", "|")) + mark(properties, "endChr", ")")
}

func rows(n *ooxml.Node, name, open, end string) string {
	var lines []string
	for _, row := range n.Children {
		if row.Name == name {
			lines = append(lines, strings.Join(each(row, "e"), ", "))
		}
	}
	return open + strings.Join(lines, "; ") + end
}

func each(n *ooxml.Node, name string) []string {
	var out []string
	for _, c := range n.Children {
		if c.Name == name {
			out = append(out, inner(c))
		}
	}
	return out
}

// mark is a sign that a property may change, or take away.
func mark(properties *ooxml.Node, name, usual string) string {
	if c := properties.Child(name); c != nil {
		return c.Attr("val")
	}
	return usual
}

func raised(text string) string  { return script("^", text) }
func lowered(text string) string { return script("_", text) }

func script(sign, text string) string {
	if text == "" {
		return ""
	}
	return sign + group(text)
}

// group sets brackets around what would else be read otherwise: all but a number and a single letter.
func group(text string) string {
	text = strings.TrimSpace(text)
	if number := strings.TrimLeft(text, "-−"); strings.Trim(number, "0123456789.,") == "" || utf8.RuneCountInString(text) == 1 {
		return text
	}
	return "(" + text + ")"
}
