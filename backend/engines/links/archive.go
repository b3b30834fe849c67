package links

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// archive copies a document of parts. Parts without links are copied as they are packed.
func (c *cutter) archive(source io.ReaderAt, size int64, depth int, to io.Writer) error {
	in, err := zip.NewReader(source, size)
	if err != nil {
		return damaged("the document is damaged: it cannot be unpacked")
	}
	if len(in.File) > maxEntries {
		return damaged("the document has more than %d parts", maxEntries)
	}
	related, err := c.related(in)
	if err != nil {
		return err
	}
	cut, err := c.parts(in, related, depth)
	if err != nil {
		return err
	}
	if len(cut) == 0 {
		_, err := io.Copy(to, io.NewSectionReader(source, 0, size))
		return wrap(err)
	}
	return c.rewrite(in, related, cut, depth, to)
}

func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// parts names the links of all parts, and gives the places in the archive of those that have some. Relations come last,
// when it is known what uses them.
func (c *cutter) parts(in *zip.Reader, related map[string]relations, depth int) (map[int]bool, error) {
	cut := map[int]bool{}
	for _, rels := range []bool{false, true} {
		for i, file := range in.File {
			if isRels(file.Name) != rels {
				continue
			}
			if !local(file.Name) {
				c.add("files", file.Name)
				cut[i] = true
				continue
			}
			changed, err := c.copyPart(file, related[ownerOf(file.Name)], depth, io.Discard)
			if err != nil {
				return nil, err
			}
			if changed {
				cut[i] = true
			}
		}
	}
	return cut, nil
}

// canonical is how programs compare names of parts.
func canonical(name string) string {
	return strings.ToLower(strings.TrimLeft(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/"))
}

var drive = regexp.MustCompile(`^[A-Za-z]:`)

// local reports whether a part is unpacked below the document.
func local(name string) bool {
	name = strings.TrimLeft(strings.ReplaceAll(name, `\`, "/"), "/")
	return !leaves(path.Clean(name)) && !drive.MatchString(name)
}

func isRels(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".rels") }

// ownerOf is the part that a list of relations belongs to, or else the part itself.
func ownerOf(name string) string {
	name = canonical(name)
	if !isRels(name) {
		return name
	}
	dir, file := path.Split(name)
	return path.Join(path.Dir(path.Clean(dir)), strings.TrimSuffix(file, ".rels"))
}

// rewrite writes the archive with those parts without their links.
func (c *cutter) rewrite(in *zip.Reader, related map[string]relations, cut map[int]bool, depth int, to io.Writer) error {
	again := &cutter{ctx: c.ctx, left: maxUnpacked} // what it finds is known
	out := zip.NewWriter(to)
	for i, file := range in.File {
		var err error
		switch {
		case !cut[i]:
			err = out.Copy(file)
		case local(file.Name):
			var writer io.Writer
			writer, err = out.CreateHeader(&zip.FileHeader{Name: file.Name, Method: file.Method, Modified: file.Modified})
			if err == nil {
				_, err = again.copyPart(file, related[ownerOf(file.Name)], depth, writer)
			}
		}
		if err != nil {
			return wrap(err)
		}
	}
	return wrap(out.Close())
}

// copyPart copies what a part unpacks to.
func (c *cutter) copyPart(file *zip.File, rel relations, depth int, to io.Writer) (changed bool, err error) {
	content, err := file.Open()
	if err != nil {
		return false, damaged("part %.60q of the document cannot be unpacked", file.Name)
	}
	defer content.Close() //nolint:errcheck // read only
	bounded := &bounded{from: content, left: &c.left}
	head := make([]byte, 512)
	n, err := io.ReadFull(bounded, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, unreadable(file, err)
	}
	head = head[:n]
	all := io.MultiReader(bytes.NewReader(head), bounded)
	where := place{dir: path.Dir(canonical(file.Name))}
	lower := strings.ToLower(path.Ext(file.Name))
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")) && depth < maxNested:
		return c.nested(file, all, depth, to)
	case lower == ".css":
		return c.sheet(all, where, to)
	case isRTF(head), isPage(lower, head):
		data, err := c.text(all)
		if err != nil {
			return false, unreadable(file, err)
		}
		changed := c.pageOrText(data, where)
		return changed != nil, write(to, data, changed)
	case isMarkup(head):
		changed, err := c.xml(all, to, where, rel, isRels(file.Name))
		if err != nil {
			return false, unreadable(file, err)
		}
		return changed, nil
	}
	return false, nil // it is copied as it is packed
}

func isPage(extension string, head []byte) bool {
	return isMarkup(head) && slices.Contains([]string{".html", ".htm", ".xhtml", ".xht"}, extension)
}

func (c *cutter) pageOrText(data []byte, where place) []byte {
	if isRTF(data) {
		return c.rtf(data)
	}
	return c.markup(data, where)
}

// nested cuts a document in a document.
func (c *cutter) nested(file *zip.File, from io.Reader, depth int, to io.Writer) (bool, error) {
	data, err := c.text(from)
	if err != nil {
		return false, unreadable(file, err)
	}
	before := len(c.found)
	var out bytes.Buffer
	if err := c.archive(bytes.NewReader(data), int64(len(data)), depth+1, &out); err != nil {
		return false, err
	}
	_, err = to.Write(out.Bytes())
	return len(c.found) > before, err
}

// sheet empties a style sheet that loads something.
func (c *cutter) sheet(from io.Reader, where place, to io.Writer) (bool, error) {
	data, err := c.text(from)
	if err != nil {
		return false, err
	}
	target := styleLoads(where, string(data))
	if target == "" {
		_, err = to.Write(data)
		return false, err
	}
	c.add("style sheets", target)
	return true, nil
}

// unreadable is why a part cannot be looked through. Its links may be followed all the same, so the document is refused.
func unreadable(file *zip.File, err error) error {
	if _, ok := engines.AsError(err); ok {
		return err
	}
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, errLongToken) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("part %.60q of the document is not well-formed: %v", file.Name, err)
	}
	return damaged("part %.60q of the document cannot be read: %v", file.Name, err)
}

// related are the lists of relations of all parts.
func (c *cutter) related(in *zip.Reader) (map[string]relations, error) {
	out := map[string]relations{}
	for _, file := range in.File {
		if !isRels(file.Name) || !local(file.Name) {
			continue
		}
		content, err := file.Open()
		if err != nil {
			return nil, damaged("part %.60q of the document cannot be unpacked", file.Name)
		}
		list := relations{}
		look := &cutter{ctx: c.ctx}
		reading := &bounded{from: content, left: &c.left}
		_, err = look.xml(reading, io.Discard, place{}, list, true)
		if err := errors.Join(err, content.Close()); err != nil {
			return nil, unreadable(file, err)
		}
		if len(list) > 0 {
			out[ownerOf(file.Name)] = list
		}
	}
	return out, nil
}
