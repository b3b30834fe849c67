package text

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// isControl knows the elements of forms that show something other than what is in them.
func isControl(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Input, atom.Select, atom.Textarea, atom.Button, atom.Progress, atom.Meter:
		return true
	}
	return false
}

// control puts the text that a control shows in its place.
func (p *page) control(n *html.Node, depth int) error {
	kind := strings.ToLower(attribute(n, "type"))
	switch {
	case n.DataAtom == atom.Input && kind == "hidden":
		n.Parent.RemoveChild(n)
		return nil
	case n.DataAtom == atom.Input && kind == "checkbox" && boxOf(n) == n:
		return nil // of a list of tasks, which the readers know
	}
	p.losses.controls.add(n.Data)

	switch n.DataAtom {
	case atom.Button:
		n.Data, n.DataAtom = "span", atom.Span
		return p.clean(n, depth)
	case atom.Select:
		replace(n, textNode(strings.Join(selected(n), ", ")))
	case atom.Textarea:
		replace(n, linesOf(rawText(n))...)
	case atom.Progress, atom.Meter:
		text := strings.TrimSpace(rawText(n))
		if text == "" {
			text = attribute(n, "value")
		}
		replace(n, textNode(text))
	default:
		replace(n, textNode(inputText(n, kind)))
	}
	return nil
}

// boxOf is the box to tick that an item begins with, nil where there is none.
func boxOf(n *html.Node) *html.Node {
	for parent := n.Parent; parent != nil; parent = parent.Parent {
		if parent.DataAtom == atom.Li {
			return firstBox(parent)
		}
	}
	return nil
}

func firstBox(item *html.Node) *html.Node {
	for c := range item.ChildNodes() {
		switch {
		case c.DataAtom == atom.P || c.DataAtom == atom.Label:
			return firstBox(c)
		case c.DataAtom == atom.Input && strings.EqualFold(attribute(c, "type"), "checkbox"):
			return c
		case c.Type == html.TextNode && strings.TrimSpace(c.Data) == "":
		default:
			return nil
		}
	}
	return nil
}

func inputText(n *html.Node, kind string) string {
	value := attribute(n, "value")
	switch kind {
	case "checkbox", "radio":
		if hasAttribute(n, "checked") {
			return " [x] "
		}
		return " [ ] "
	case "submit", "reset":
		if value == "" {
			return strings.ToUpper(kind[:1]) + kind[1:]
		}
	case "image":
		return attribute(n, "alt")
	case "password", "file":
		return ""
	}
	return value
}

// selected is what a menu shows: what is chosen, or else its first entry.
func selected(n *html.Node) []string {
	var chosen []string
	first := ""
	for d := range n.Descendants() {
		if d.DataAtom != atom.Option {
			continue
		}
		text := strings.TrimSpace(rawText(d))
		if text == "" {
			text = attribute(d, "label")
		}
		if first == "" {
			first = text
		}
		if hasAttribute(d, "selected") {
			chosen = append(chosen, text)
		}
	}
	if len(chosen) == 0 && first != "" && !hasAttribute(n, "multiple") {
		chosen = []string{first}
	}
	return chosen
}

// linesOf keeps the line breaks of a text.
func linesOf(text string) []*html.Node {
	var out []*html.Node
	for i, line := range strings.Split(strings.Trim(text, "\n"), "\n") {
		if i > 0 {
			out = append(out, element("br"))
		}
		out = append(out, textNode(line))
	}
	return out
}
