package inbox

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		out[word] = true
	}
	return out
}

// All that the templates are made of: what else a page holds came in by what it shows.
var (
	ourElements = words(`html head meta title link script body a header span button main dialog h1 h2 dl dt dd kbd form div p input label select
		option textarea fieldset legend code time b br img ul ol li section table thead tbody tr th td progress svg rect path desc figure figcaption
		details summary`)
	ourAttributes = words(`lang charset name content rel href src defer class id role type value checked selected disabled multiple required readonly
		method action enctype title placeholder maxlength autocomplete inputmode min max rows tabindex alt loading download hidden open for
		width height x y d viewbox viewBox preserveaspectratio preserveAspectRatio`)
	ourPrefixes = []string{"aria-", "data-"}
	addresses   = words(`href src action`)
)

// sound parses a page: it has no elements or attributes but ours, one script, and leads nowhere but to us.
func sound(tb testing.TB, page string) *html.Node {
	tb.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(tb, err)
	scripts := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		require.True(tb, ourElements[n.Data], "an element %q in %s", n.Data, page)
		if n.DataAtom == atom.Script {
			scripts++
			require.Equal(tb, "/static/inbox.js", attribute(n, "src"))
			require.Nil(tb, n.FirstChild, "a script with a text in %s", page)
		}
		for _, a := range n.Attr {
			require.True(tb, ourAttributes[a.Key] || strings.HasPrefix(a.Key, ourPrefixes[0]) || strings.HasPrefix(a.Key, ourPrefixes[1]), "an attribute %q in %s", a.Key, page)
			if addresses[a.Key] && a.Val != "data:," && !strings.HasPrefix(a.Val, "#") {
				requireOurs(tb, a.Val)
			}
		}
	}
	require.Equal(tb, 1, scripts, page)
	return root
}

// requireOurs wants an address of this inbox, as browsers read it: they take a backslash for a slash, and drop tabs.
func requireOurs(tb testing.TB, address string) {
	tb.Helper()
	plain := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(address)
	require.True(tb, strings.HasPrefix(plain, "/") && !strings.HasPrefix(plain, "//"), "%q leads elsewhere", address)
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func textIn(n *html.Node) string {
	var text strings.Builder
	for inner := range n.Descendants() {
		if inner.Type == html.TextNode {
			text.WriteString(inner.Data)
		}
	}
	return text.String()
}

// sentBy is what a browser sends of the form of answers on a page if nobody changes anything.
func sentBy(root *html.Node) url.Values {
	form := url.Values{}
	for n := range root.Descendants() {
		if n.DataAtom != atom.Form || attribute(n, "class") != "answers" {
			continue
		}
		for control := range n.Descendants() {
			if name := attribute(control, "name"); name != "" {
				send(form, name, control)
			}
		}
	}
	return form
}

func send(form url.Values, name string, control *html.Node) {
	kind := attribute(control, "type")
	switch {
	case kind == "file", (kind == "radio" || kind == "checkbox") && !has(control, "checked"):
	case control.DataAtom == atom.Input && kind != "hidden":
		form.Add(name, strings.NewReplacer("\r", "", "\n", "").Replace(attribute(control, "value"))) // one line
	case control.DataAtom == atom.Input:
		form.Add(name, attribute(control, "value"))
	case control.DataAtom == atom.Textarea:
		form.Add(name, strings.ReplaceAll(textIn(control), "\n", "\r\n"))
	case control.DataAtom == atom.Select:
		for option := range control.Descendants() {
			if has(option, "selected") {
				form.Set(name, attribute(option, "value"))
			}
		}
	}
}
