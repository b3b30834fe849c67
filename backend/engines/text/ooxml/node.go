package ooxml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Node is an element of a part, by local names. The methods may be called on nil, which has nothing.
type Node struct {
	Name     string
	Prefix   string // as the part writes it; for messages alone
	Attrs    []Attribute
	Children []*Node
	Text     string // of the element itself, not of those in it
}

// Attribute is one of a Node, by its local name. Those that declare namespaces are left out.
type Attribute struct{ Name, Value string }

// Attr is empty where there is no such attribute; the last of a name counts.
func (n *Node) Attr(name string) string {
	if n == nil {
		return ""
	}
	for i := len(n.Attrs) - 1; i >= 0; i-- {
		if n.Attrs[i].Name == name {
			return n.Attrs[i].Value
		}
	}
	return ""
}

// List is the children.
func (n *Node) List() []*Node {
	if n == nil {
		return nil
	}
	return n.Children
}

// Child is the first child of a name, nil where there is none.
func (n *Node) Child(name string) *Node {
	for _, c := range n.List() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Find is the first descendant of a name, nil where there is none.
func (n *Node) Find(name string) *Node {
	for _, c := range n.List() {
		if c.Name == name {
			return c
		}
		if found := c.Find(name); found != nil {
			return found
		}
	}
	return nil
}

// Property is the attribute val of a child, the usual way that Word writes one.
func (n *Node) Property(name string) string { return n.Child(name).Attr("val") }

// Int is a property as a number; false where it is none, or beyond what any of Word's is.
func (n *Node) Int(name string) (int, bool) {
	i, err := strconv.Atoi(n.Property(name))
	return i, err == nil && i > -1_000_000 && i < 1_000_000
}

// Toggle reads a child such as <w:b/>: present means on, unless it says otherwise.
func (n *Node) Toggle(name string) (on, present bool) {
	c := n.Child(name)
	if c == nil {
		return false, false
	}
	return !slices.Contains([]string{"0", "false", "off", "none"}, c.Attr("val")), true
}

// On is Toggle without the difference between off and absent.
func (n *Node) On(name string) bool {
	on, _ := n.Toggle(name)
	return on
}

// AllText is the text of all elements of a name.
func (n *Node) AllText(name string) string {
	var b strings.Builder
	n.allText(name, &b)
	return b.String()
}

func (n *Node) allText(name string, b *strings.Builder) {
	for _, c := range n.List() {
		if c.Name == name {
			b.WriteString(c.Text)
		}
		c.allText(name, b)
	}
}

// ParseXML reads a part.
func ParseXML(from io.Reader) (*Node, error) {
	decoder := xml.NewDecoder(from)
	root := &Node{}
	stack := []openNode{{node: root}}
	for count := 0; ; {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) && len(stack) == 1 {
			return root, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read XML: %w", err)
		}
		top := &stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if count += 1 + len(t.Attr); count > maxXMLNodes || len(stack) > maxXMLDepth {
				return nil, errors.New("too many or too deeply nested elements")
			}
			n := &Node{Name: t.Name.Local, Prefix: t.Name.Space}
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					n.Attrs = append(n.Attrs, Attribute{Name: a.Name.Local, Value: a.Value})
				}
			}
			top.node.Children = append(top.node.Children, n)
			stack = append(stack, openNode{node: n, tag: t.Name})
		case xml.EndElement:
			if t.Name != top.tag {
				return nil, fmt.Errorf("element %.60s is ended by %.60s", top.tag.Local, t.Name.Local)
			}
			top.node.Text = string(top.text)
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text = append(top.text, t...)
		}
	}
}

// openNode is an element that is being read.
type openNode struct {
	node *Node
	tag  xml.Name
	text []byte
}
