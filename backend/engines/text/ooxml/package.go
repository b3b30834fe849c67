// Package ooxml reads the packages that Word writes: parts in a zip, found by their relations.
package ooxml

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
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

// Damaged refuses a document.
func Damaged(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: fmt.Sprintf(format, args...)}
}

// Package is the zip around the parts. It is not for use by several at the same time.
type Package struct {
	files map[string]*zip.File // by lower-case name: parts differ by more than that
	left  int                  // bytes that may still be unpacked
	close func() error
}

// Open opens a file, or refuses it.
func Open(file string) (*Package, error) {
	reader, err := zip.OpenReader(file)
	if err != nil {
		return nil, notZip(file)
	}
	if len(reader.File) > maxZipEntries {
		return nil, errors.Join(Damaged("the document has more than %d parts", maxZipEntries), reader.Close())
	}
	return newPackage(&reader.Reader, maxUnpacked, reader.Close), nil
}

// Embedded opens a package that is a part of this one, and shares its bounds.
func (p *Package) Embedded(data []byte) (*Package, error) {
	reader, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(reader.File) > maxZipEntries {
		return nil, Damaged("an embedded document cannot be opened")
	}
	inner := newPackage(reader, p.left, func() error { return nil })
	p.left /= 2
	inner.left = p.left
	return inner, nil
}

func newPackage(reader *zip.Reader, left int, closeFile func() error) *Package {
	p := &Package{files: map[string]*zip.File{}, left: left, close: closeFile}
	for _, f := range reader.File {
		p.files[partName(f.Name)] = f
	}
	return p
}

func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, "\\", "/")), "/"))
}

// notZip names what the file is instead, where that can be known.
func notZip(file string) error {
	head := make([]byte, 8)
	if f, err := os.Open(file); err == nil { //nolint:gosec // the service's own input
		_, _ = io.ReadFull(f, head)
		_ = f.Close()
	}
	if bytes.Equal(head, []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")) {
		return &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "PROTECTED_OR_OLD",
			Message: "the document is protected by a password, or is an old Word document (doc) with the name of a new one; save it without a password, or as docx",
		}
	}
	return Damaged("the file is not a Word document (docx)")
}

// Close closes the file.
func (p *Package) Close() error { return p.close() }

// Has reports whether there is such a part.
func (p *Package) Has(part string) bool { return p.files[partName(part)] != nil }

// Read unpacks one part; false where it is missing.
func (p *Package) Read(part string) ([]byte, bool, error) {
	f := p.files[partName(part)]
	if f == nil {
		return nil, false, nil
	}
	content, err := f.Open()
	if err != nil {
		return nil, false, Damaged("part %.60s cannot be unpacked", part)
	}
	defer content.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(content, maxPartBytes+1))
	if err != nil {
		return nil, false, Damaged("part %.60s is cut off", part)
	}
	if len(data) > maxPartBytes {
		return nil, false, Damaged("part %.60s unpacks to more than %d MB", part, maxPartBytes>>20)
	}
	if p.left -= len(data); p.left < 0 {
		return nil, false, Damaged("the document unpacks to more than %d MB", maxUnpacked>>20)
	}
	return data, true, nil
}

// Parse reads a part as XML; nil where it is missing.
func (p *Package) Parse(part string) (*Node, error) {
	data, found, err := p.Read(part)
	if err != nil || !found {
		return nil, err
	}
	root, err := ParseXML(bytes.NewReader(data))
	if err != nil {
		return nil, Damaged("part %.60s is not well-formed: %v", part, err)
	}
	return root, nil
}

// Relation is a part's pointer to another part or to the outside.
type Relation struct {
	ID       string
	Kind     string // the last word of its type: styles, image, hyperlink, ...
	Target   string // a part, or an address
	External bool
}

// Relations of a part, in their order; "" is the package itself.
func (p *Package) Relations(part string) ([]Relation, error) {
	root, err := p.Parse(path.Join(path.Dir(part), "_rels", path.Base("/"+part)+".rels"))
	if err != nil {
		return nil, err
	}
	var out []Relation
	for _, n := range root.Child("Relationships").List() {
		r := Relation{ID: n.Attr("Id"), Kind: path.Base(n.Attr("Type")), Target: n.Attr("Target"), External: n.Attr("TargetMode") == "External"}
		if !r.External {
			r.Target = p.resolve(part, r.Target)
		}
		out = append(out, r)
	}
	return out, nil
}

// resolve makes a target the name of a part. Targets are addresses, so that letters may be written as %20.
func (p *Package) resolve(from, target string) string {
	if !strings.HasPrefix(target, "/") {
		target = path.Join(path.Dir(from), strings.ReplaceAll(target, "\\", "/"))
	}
	target = strings.TrimPrefix(path.Clean("/"+target), "/")
	if decoded, err := url.PathUnescape(target); err == nil && !p.Has(target) {
		return decoded
	}
	return target
}

// Main is the part that the package is about; empty where it names none.
func (p *Package) Main() (string, error) {
	relations, err := p.Relations("")
	for _, r := range relations {
		if r.Kind == "officeDocument" && !r.External {
			return r.Target, err
		}
	}
	return "", err
}
