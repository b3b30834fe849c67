package fidelity

import (
	"archive/zip"
	"encoding/xml"
	"io"
	"os"
	"path"
	"strings"
)

const (
	maxFile  = 64 << 20  // bytes that are read of a file
	maxPart  = 64 << 20  // bytes that a part of a package unpacks to
	maxAll   = 256 << 20 // and all that are read together
	maxParts = 20_000
	maxDepth = 2_000 // of elements in elements
)

// archive is a package of parts.
type archive struct {
	zip   *zip.ReadCloser
	parts map[string]*zip.File
	left  int64
}

func openArchive(file string) (*archive, error) {
	if err := checkSize(file); err != nil {
		return nil, err
	}
	opened, err := zip.OpenReader(file)
	if err != nil {
		return nil, unreadable("it is no package of its format, or it is locked")
	}
	a := &archive{zip: opened, parts: map[string]*zip.File{}, left: maxAll}
	if len(opened.File) > maxParts {
		_ = opened.Close()
		return nil, unreadable("it has more than %d parts", maxParts)
	}
	for _, part := range opened.File {
		a.parts[strings.TrimPrefix(part.Name, "/")] = part
	}
	return a, nil
}

func (a *archive) close() { _ = a.zip.Close() }

func checkSize(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() > maxFile {
		return unreadable("it has more than %d MB", maxFile>>20)
	}
	return nil
}

func (a *archive) has(name string) bool { return a.parts[name] != nil }

// read is a part; nil where there is none.
func (a *archive) read(name string) ([]byte, error) {
	part := a.parts[name]
	if part == nil {
		return nil, nil
	}
	from, err := part.Open()
	if err != nil {
		return nil, unreadable("its part %.80q cannot be read", name)
	}
	defer from.Close() //nolint:errcheck // read only
	most := min(maxPart, a.left)
	data, err := io.ReadAll(io.LimitReader(from, most+1))
	switch {
	case err != nil:
		return nil, unreadable("its part %.80q cannot be read", name)
	case int64(len(data)) > most:
		return nil, unreadable("its part %.80q is too large", name)
	}
	a.left -= int64(len(data))
	return data, nil
}

// relation is where a part of an Office document points to.
type relation struct {
	ID     string `xml:"Id,attr"`
	Type   string `xml:"Type,attr"`
	Target string `xml:"Target,attr"`
	Mode   string `xml:"TargetMode,attr"`
}

func (r relation) is(kind string) bool { return strings.HasSuffix(r.Type, "/"+kind) }

// relations are those of a part, with targets from the root of the package; of the package itself where part is empty.
func (a *archive) relations(part string) ([]relation, error) {
	data, err := a.read(path.Join(path.Dir(part), "_rels", path.Base("/"+part)+".rels"))
	if part == "" {
		data, err = a.read("_rels/.rels")
	}
	if err != nil || data == nil {
		return nil, err
	}
	var list struct {
		Relations []relation `xml:"Relationship"`
	}
	if xml.Unmarshal(data, &list) != nil {
		return nil, unreadable("its relations cannot be read")
	}
	for i, r := range list.Relations {
		if strings.HasPrefix(r.Target, "/") {
			list.Relations[i].Target = strings.TrimPrefix(path.Clean(r.Target), "/")
		} else {
			list.Relations[i].Target = path.Join(path.Dir(part), r.Target)
		}
	}
	return list.Relations, nil
}

// main is the part of an Office document that its root points to.
func (a *archive) main() (string, error) {
	all, err := a.relations("")
	if err != nil {
		return "", err
	}
	for _, r := range all {
		if r.is("officeDocument") && a.has(r.Target) {
			return r.Target, nil
		}
	}
	return "", unreadable("it is no document of its format")
}
