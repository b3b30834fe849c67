package text

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func element(name string) *html.Node {
	return &html.Node{Type: html.ElementNode, Data: name, DataAtom: atom.Lookup([]byte(name))}
}

func textNode(text string) *html.Node { return &html.Node{Type: html.TextNode, Data: text} }

// children is a list that stays as it is while the tree changes.
func children(n *html.Node) []*html.Node { return slices.Collect(n.ChildNodes()) }

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttribute(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func removeAttribute(n *html.Node, name string) {
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func setAttribute(n *html.Node, name, value string) {
	for i := range n.Attr {
		if n.Attr[i].Key == name {
			n.Attr[i].Val = value
			return
		}
	}
	n.Attr = append(n.Attr, html.Attribute{Key: name, Val: value})
}

// replace puts nodes where another was.
func replace(n *html.Node, by ...*html.Node) {
	for _, node := range by {
		n.Parent.InsertBefore(node, n)
	}
	n.Parent.RemoveChild(n)
}

func rawText(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		} else if d.DataAtom == atom.Br {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func integer(text string, otherwise int) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n > 1_000_000_000 || n < -1_000_000_000 {
		return otherwise
	}
	return n
}

// numeral writes a number as lists of a kind do: a, A, i, I, or digits.
func numeral(n int, kind string) string {
	text := strconv.Itoa(n)
	switch kind {
	case "a", "A":
		if n > 0 {
			text = letters(n)
		}
	case "i", "I":
		if n > 0 && n < 4000 {
			text = roman(n)
		}
	}
	if kind == "A" || kind == "I" {
		return strings.ToUpper(text)
	}
	return text
}

// letters counts a, b, ... z, aa, ab.
func letters(n int) string {
	var out []byte
	for ; n > 0; n = (n - 1) / 26 {
		out = append(out, byte('a'+(n-1)%26))
	}
	slices.Reverse(out)
	return string(out)
}

func roman(n int) string {
	var b strings.Builder
	for _, digit := range []struct {
		value int
		text  string
	}{
		{1000, "m"},
		{900, "cm"},
		{500, "d"},
		{400, "cd"},
		{100, "c"},
		{90, "xc"},
		{50, "l"},
		{40, "xl"},
		{10, "x"},
		{9, "ix"},
		{5, "v"},
		{4, "iv"},
		{1, "i"},
	} {
		for ; n >= digit.value; n -= digit.value {
			b.WriteString(digit.text)
		}
	}
	return b.String()
}
