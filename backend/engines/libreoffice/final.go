package libreoffice

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

// maxPart bounds what of a document is rewritten in memory, a part and all of them together; what is larger keeps its marks of
// changes.
const maxPart = 64 << 20

// changes are the tracked changes and comments of a document.
type changes struct {
	inserted, deleted, comments int
	kept                        bool // some are printed as they are marked
}

// accept rewrites a document of parts to what it is once every tracked change is accepted. LibreOffice would print the marks:
// text that was deleted stands there, struck out.
func accept(document, source string) (changes, error) { return acceptUpTo(document, source, maxPart) }

func acceptUpTo(document, source string, most int) (changes, error) {
	var all changes
	if source != "docx" && source != "odt" {
		return all, nil
	}
	if source == "odt" && scratch.IsFlat(document) {
		return acceptFlat(document)
	}
	in, err := zip.OpenReader(document)
	if err != nil {
		return all, nil // LibreOffice refuses it
	}
	defer in.Close() //nolint:errcheck // read only

	rewritten := map[string][]byte{}
	room := most
	for _, file := range in.File {
		if !hasText(file.Name, source) {
			continue
		}
		part, err := read(file, room)
		if err != nil {
			all.kept = true
			continue
		}
		final, found, err := finalPart(part)
		if err != nil {
			all.kept = true
			continue
		}
		all.inserted += found.inserted
		all.deleted += found.deleted
		all.comments += found.comments
		if !bytes.Equal(final, part) {
			rewritten[file.Name] = final
			room -= len(final)
		}
	}
	if len(rewritten) == 0 {
		return all, nil
	}
	return all, replaceParts(document, in, rewritten)
}

// acceptFlat is accept for a document that is one file of XML.
func acceptFlat(document string) (changes, error) {
	info, err := os.Stat(document)
	if err != nil {
		return changes{}, fmt.Errorf("look at the document: %w", err)
	}
	if info.Size() > maxPart {
		return changes{kept: true}, nil
	}
	data, err := os.ReadFile(document) //nolint:gosec // paths of our own
	if err != nil {
		return changes{}, fmt.Errorf("read the document: %w", err)
	}
	final, found, err := finalPart(data)
	if err != nil {
		return changes{kept: true}, nil //nolint:nilerr // LibreOffice judges it
	}
	if err := os.WriteFile(document, final, 0o600); err != nil {
		return changes{}, fmt.Errorf("write the document: %w", err)
	}
	return found, nil
}

// hasText reports whether a part may hold marks of changes: any but pictures and the like.
func hasText(name, source string) bool {
	if source == "odt" {
		return slices.Contains([]string{"content.xml", "styles.xml"}, name)
	}
	return strings.HasSuffix(name, ".xml") && strings.HasPrefix(name, "word/") && path.Dir(name) == "word"
}

var errLarge = errors.New("the part is too large to be rewritten")

func read(file *zip.File, most int) ([]byte, error) {
	content, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("open part %q: %w", file.Name, err)
	}
	defer content.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(content, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("read part %q: %w", file.Name, err)
	}
	if len(data) > most {
		return nil, errLarge
	}
	return data, nil
}

// replaceParts writes the document with other parts in the place of some.
func replaceParts(document string, in *zip.ReadCloser, parts map[string][]byte) error {
	made := document + ".final"
	file, err := os.OpenFile(made, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // paths of our own
	if err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	err = errors.Join(writeParts(file, &in.Reader, parts), file.Close(), in.Close())
	if err == nil {
		err = os.Rename(made, document)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the document: %w", err), os.Remove(made))
	}
	return nil
}

func writeParts(to io.Writer, in *zip.Reader, parts map[string][]byte) error {
	out := zip.NewWriter(to)
	for _, file := range in.File {
		part, replaced := parts[file.Name]
		if !replaced {
			if err := out.Copy(file); err != nil {
				return fmt.Errorf("copy part %q: %w", file.Name, err)
			}
			continue
		}
		to, err := out.Create(file.Name)
		if err == nil {
			_, err = to.Write(part)
		}
		if err != nil {
			return fmt.Errorf("write part %q: %w", file.Name, err)
		}
	}
	return out.Close()
}

// Elements that marks of changes are, by their local names, of both kinds of documents.
var (
	unwrapped = strings.Fields("ins moveTo")
	// removed goes with what is in it. deletion marks of a row and of a paragraph are empty elements of the same names.
	removed = strings.Fields("del moveFrom rPrChange pPrChange sectPrChange tblPrChange tblPrExChange trPrChange tcPrChange tblGridChange " +
		"numberingChange cellIns cellDel cellMerge tracked-changes change change-start change-end " +
		"moveFromRangeStart moveFromRangeEnd moveToRangeStart moveToRangeEnd")
)

// namespaces in which those names are marks.
const (
	wordMain   = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
	wordStrict = "http://purl.oclc.org/ooxml/wordprocessingml/main"
	odfText    = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
	odfOffice  = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
)

// container is a table or a row that is being copied.
type container struct {
	start   int // where its first byte is in the output
	rows    int // of a table, that stay
	deleted bool
}

// copier copies XML without marks of changes, the rest byte for byte.
type copier struct {
	out        bytes.Buffer
	found      changes
	open       []string
	skip       int // elements open in one that is left out
	containers []container
}

func finalPart(part []byte) ([]byte, changes, error) {
	decoder := xml.NewDecoder(bytes.NewReader(part))
	c := copier{}
	for at := int64(0); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return c.out.Bytes(), c.found, nil
		}
		if err != nil {
			return nil, changes{}, fmt.Errorf("read a part: %w", err)
		}
		end := decoder.InputOffset()
		c.token(token, part[at:end])
		at = end
	}
}

func (c *copier) token(token xml.Token, raw []byte) {
	switch token := token.(type) {
	case xml.StartElement:
		c.begin(token.Name, raw)
	case xml.EndElement:
		c.end(token.Name, raw)
	default:
		c.write(raw)
	}
}

func (c *copier) write(raw []byte) {
	if c.skip == 0 {
		c.out.Write(raw)
	}
}

func (c *copier) begin(name xml.Name, raw []byte) {
	parent := ""
	if len(c.open) > 0 {
		parent = c.open[len(c.open)-1]
	}
	c.open = append(c.open, name.Local)
	switch {
	case c.skip > 0:
		c.skip++
		if name.Local == "deletion" && name.Space == odfText {
			c.found.deleted++
		} else if name.Local == "insertion" && name.Space == odfText {
			c.found.inserted++
		}
		return
	case marks(name, removed):
		c.skip = 1
		c.count(name.Local, parent)
		return
	case marks(name, unwrapped):
		c.found.inserted++
		return
	case isWord(name) && (name.Local == "tbl" || name.Local == "tr"):
		c.containers = append(c.containers, container{start: c.out.Len()})
	case isWord(name) && name.Local == "commentReference", name.Space == odfOffice && name.Local == "annotation":
		c.found.comments++
	}
	c.write(raw)
}

func (c *copier) count(name, parent string) {
	if name != "del" && name != "moveFrom" {
		return
	}
	c.found.deleted++
	if parent == "trPr" && len(c.containers) > 0 {
		c.containers[len(c.containers)-1].deleted = true
	}
}

func (c *copier) end(name xml.Name, raw []byte) {
	if len(c.open) > 0 {
		c.open = c.open[:len(c.open)-1]
	}
	if c.skip > 0 {
		c.skip--
		return
	}
	if marks(name, unwrapped) {
		return
	}
	c.write(raw)
	if isWord(name) && (name.Local == "tbl" || name.Local == "tr") && len(c.containers) > 0 {
		c.close(name.Local)
	}
}

// close leaves a row out that was deleted, and a table of which nothing is left.
func (c *copier) close(name string) {
	last := len(c.containers) - 1
	closed := c.containers[last]
	c.containers = c.containers[:last]
	switch {
	case name == "tr" && closed.deleted, name == "tbl" && closed.deleted && closed.rows == 0:
		c.out.Truncate(closed.start)
		if name == "tr" && last > 0 {
			c.containers[last-1].deleted = true
		}
	case name == "tr" && last > 0:
		c.containers[last-1].rows++
	}
}

func isWord(name xml.Name) bool { return name.Space == wordMain || name.Space == wordStrict }

func marks(name xml.Name, names []string) bool {
	return (isWord(name) || name.Space == odfText) && slices.Contains(names, name.Local)
}

// notes name what became of the changes.
func (c changes) notes(target string) []string {
	var out []string
	if c.inserted+c.deleted > 0 {
		out = append(out, fmt.Sprintf("best_effort: tracked changes were accepted: %d insertions are in the %s as plain text, and %d deletions are left out",
			c.inserted, target, c.deleted))
	}
	if c.comments > 0 {
		out = append(out, fmt.Sprintf("best_effort: %d comments of the document are not in the %s", c.comments, target))
	}
	if c.kept {
		out = append(out, "best_effort: tracked changes of the document, if it has any, are printed as they are marked")
	}
	return out
}
