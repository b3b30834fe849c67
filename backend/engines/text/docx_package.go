package text

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Bounds on what a document may unpack to: a few kilobytes can hide gigabytes.
const (
	maxPartBytes  = 64 << 20
	maxXMLDepth   = 400
	maxXMLNodes   = 4_000_000
	maxZipEntries = 10_000
)

func damaged(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: fmt.Sprintf(format, args...)}
}

// node is an element of a part, by local names.
type node struct {
	name     string
	attrs    map[string]string
	children []*node
	text     string
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
		return c.attrs["val"]
	}
	return ""
}

// on reads a toggle such as <w:b/>: present means on, unless it says otherwise.
func (n *node) on(name string) bool {
	c := n.child(name)
	return c != nil && c.attrs["val"] != "0" && c.attrs["val"] != "false" && c.attrs["val"] != "none"
}

// docxPackage is the zip around the parts.
type docxPackage struct {
	files map[string]*zip.File
	close func() error
}

func openPackage(file string) (*docxPackage, error) {
	reader, err := zip.OpenReader(file)
	if err != nil {
		return nil, damaged("the file is not a Word document (docx)")
	}
	p := &docxPackage{files: map[string]*zip.File{}, close: reader.Close}
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
		return nil, false, damaged("part %s cannot be unpacked", name)
	}
	defer content.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(content, maxPartBytes+1))
	if err != nil {
		return nil, false, damaged("part %s is cut off", name)
	}
	if len(data) > maxPartBytes {
		return nil, false, damaged("part %s unpacks to more than %d bytes", name, maxPartBytes)
	}
	return data, true, nil
}

// parse reads a part as XML; nil where it is missing.
func (p *docxPackage) parse(name string) (*node, error) {
	data, found, err := p.read(name)
	if err != nil || !found {
		return nil, err
	}
	root, err := parseXML(strings.NewReader(string(data)))
	if err != nil {
		return nil, damaged("part %s is not well-formed: %v", name, err)
	}
	return root, nil
}

func parseXML(from io.Reader) (*node, error) {
	decoder := xml.NewDecoder(from)
	root := &node{}
	stack := []*node{root}
	for count := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if count++; count > maxXMLNodes || len(stack) > maxXMLDepth {
				return nil, errors.New("too many or too deeply nested elements")
			}
			n := &node{name: t.Name.Local, attrs: map[string]string{}}
			for _, a := range t.Attr {
				n.attrs[a.Name.Local] = a.Value
			}
			top.children = append(top.children, n)
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(t)
		}
	}
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
		target := r.attrs["Target"]
		if r.attrs["TargetMode"] != "External" {
			if !strings.HasPrefix(target, "/") {
				target = path.Join(path.Dir(part), target)
			}
			target = strings.TrimPrefix(path.Clean(target), "/")
		}
		out[r.attrs["Id"]] = relation{target: target, kind: path.Base(r.attrs["Type"])}
	}
	return out, nil
}

func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.children
}
