package text

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Bounds on what a document may unpack to: a few kilobytes can hide gigabytes.
const (
	maxPartBytes  = 64 << 20
	maxUnpacked   = 256 << 20 // all parts together, each counted as often as it is read
	maxXMLDepth   = 400
	maxXMLNodes   = 2_000_000 // elements and attributes
	maxZipEntries = 10_000
)

func damaged(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: fmt.Sprintf(format, args...)}
}

// node is an element of a part, by local names.
type node struct {
	name     string
	attrs    xmlAttributes
	children []*node
	text     string
}

type xmlAttributes []xmlAttribute

type xmlAttribute struct{ name, value string }

// get is empty where there is no such attribute; the last of a name counts.
func (a xmlAttributes) get(name string) string {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i].name == name {
			return a[i].value
		}
	}
	return ""
}

func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// attr of a child, the usual way that Word writes a property.
func (n *node) property(name string) string {
	if c := n.child(name); c != nil {
		return c.attrs.get("val")
	}
	return ""
}

// on reads a toggle such as <w:b/>: present means on, unless it says otherwise.
func (n *node) on(name string) bool {
	c := n.child(name)
	return c != nil && !slices.Contains([]string{"0", "false", "none"}, c.attrs.get("val"))
}

// docxPackage is the zip around the parts.
type docxPackage struct {
	files map[string]*zip.File
	left  int // bytes that may still be unpacked
	close func() error
}

func openPackage(file string) (*docxPackage, error) {
	reader, err := zip.OpenReader(file)
	if err != nil {
		return nil, damaged("the file is not a Word document (docx)")
	}
	p := &docxPackage{files: map[string]*zip.File{}, left: maxUnpacked, close: reader.Close}
	if len(reader.File) > maxZipEntries {
		return nil, errors.Join(damaged("the document has more than %d parts", maxZipEntries), reader.Close())
	}
	for _, f := range reader.File {
		p.files[strings.TrimPrefix(path.Clean("/"+f.Name), "/")] = f
	}
	if p.files["word/document.xml"] == nil {
		return nil, errors.Join(damaged("the file is not a Word document (docx)"), reader.Close())
	}
	return p, nil
}

// read unpacks one part; false where it is missing.
func (p *docxPackage) read(name string) ([]byte, bool, error) {
	f := p.files[name]
	if f == nil {
		return nil, false, nil
	}
	content, err := f.Open()
	if err != nil {
		return nil, false, damaged("part %.60s cannot be unpacked", name)
	}
	defer content.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(content, maxPartBytes+1))
	if err != nil {
		return nil, false, damaged("part %.60s is cut off", name)
	}
	if len(data) > maxPartBytes {
		return nil, false, damaged("part %.60s unpacks to more than %d bytes", name, maxPartBytes)
	}
	if p.left -= len(data); p.left < 0 {
		return nil, false, damaged("the document unpacks to more than %d bytes", maxUnpacked)
	}
	return data, true, nil
}

// parse reads a part as XML; nil where it is missing.
func (p *docxPackage) parse(name string) (*node, error) {
	data, found, err := p.read(name)
	if err != nil || !found {
		return nil, err
	}
	root, err := parseXML(bytes.NewReader(data))
	if err != nil {
		return nil, damaged("part %.60s is not well-formed: %v", name, err)
	}
	return root, nil
}

func parseXML(from io.Reader) (*node, error) {
	decoder := xml.NewDecoder(from)
	root := &node{}
	stack := []openNode{{node: root}}
	for count := 0; ; {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) && len(stack) == 1 {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		top := &stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if count += 1 + len(t.Attr); count > maxXMLNodes || len(stack) > maxXMLDepth {
				return nil, errors.New("too many or too deeply nested elements")
			}
			n := &node{name: t.Name.Local}
			if len(t.Attr) > 0 {
				n.attrs = make(xmlAttributes, len(t.Attr))
			}
			for i, a := range t.Attr {
				n.attrs[i] = xmlAttribute{name: a.Name.Local, value: a.Value}
			}
			top.node.children = append(top.node.children, n)
			stack = append(stack, openNode{node: n, tag: t.Name})
		case xml.EndElement:
			if t.Name != top.tag {
				return nil, fmt.Errorf("element %.60s is ended by %.60s", top.tag.Local, t.Name.Local)
			}
			top.node.text = string(top.text)
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text = append(top.text, t...)
		}
	}
}

// openNode is an element that is being read.
type openNode struct {
	node *node
	tag  xml.Name
	text []byte
}

// relation is a part's pointer to another part or to the outside.
type relation struct{ target, kind string }

func (p *docxPackage) relations(part string) (map[string]relation, error) {
	root, err := p.parse(path.Join(path.Dir(part), "_rels", path.Base(part)+".rels"))
	if err != nil || root == nil {
		return nil, err
	}
	out := map[string]relation{}
	for _, r := range root.child("Relationships").list() {
		target := r.attrs.get("Target")
		if r.attrs.get("TargetMode") != "External" {
			if !strings.HasPrefix(target, "/") {
				target = path.Join(path.Dir(part), target)
			}
			target = strings.TrimPrefix(path.Clean(target), "/")
		}
		out[r.attrs.get("Id")] = relation{target: target, kind: path.Base(r.attrs.get("Type"))}
	}
	return out, nil
}

func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.children
}
