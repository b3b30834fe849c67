package fidelity

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"

	"golang.org/x/net/html/charset"
)

// node is an element of a document; nodes are read into a tree, since what counts of one is often said by another within it.
type node struct {
	name  string // without its name space
	space string
	attrs []xml.Attr
	kids  []*node
	text  string // of a node without a name
}

const maxNodes = 4_000_000

// parse reads a part of a document. It resolves no entities but those of XML.
func parse(data []byte) (*node, error) {
	decoder := xml.NewDecoder(bytes.NewReader(data))
	decoder.CharsetReader = charset.NewReaderLabel
	root := &node{}
	stack := []*node{root}
	for count := 0; ; count++ {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil || len(stack) > maxDepth || count > maxNodes {
			return nil, unreadable("a part of it is no XML, or too large")
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			kid := &node{name: token.Name.Local, space: token.Name.Space, attrs: token.Attr}
			top.kids = append(top.kids, kid)
			stack = append(stack, kid)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.kids = append(top.kids, &node{text: string(token)})
		}
	}
}

func (n *node) attr(name string) string {
	for _, a := range n.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// kid is the first child of a name; nil where there is none.
func (n *node) kid(name string) *node {
	if n == nil {
		return nil
	}
	for _, kid := range n.kids {
		if kid.name == name {
			return kid
		}
	}
	return nil
}

// find is the first node of a name, at any depth; nil where there is none.
func (n *node) find(name string) *node {
	if n.name == name {
		return n
	}
	for _, kid := range n.kids {
		if found := kid.find(name); found != nil {
			return found
		}
	}
	return nil
}

// on reports whether a property such as w:vanish is set.
func (n *node) on() bool {
	if n == nil {
		return false
	}
	switch n.attr("val") {
	case "0", "false", "off", "none":
		return false
	}
	return true
}

// content is the text directly in a node.
func (n *node) content() string {
	if len(n.kids) == 1 {
		return n.kids[0].text
	}
	text := ""
	for _, kid := range n.kids {
		text += kid.text
	}
	return text
}
