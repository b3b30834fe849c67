package goals

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Bounds on what a Word document may unpack to.
const (
	maxWordPart    = 64 << 20
	maxWordParts   = 10_000
	maxWordContent = 512 << 20
)

// wordFile is a Word document: its parts that are XML, with their passages.
type wordFile struct {
	path  string
	parts map[string][]byte
	order []string
	seen  []string

	pictures int
	embedded []string
	tracked  bool
}

func unreadable(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: fmt.Sprintf(format, args...)}
}

func openWord(file string) (*wordFile, error) {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return nil, unreadable("the file is not a Word document (docx), or is protected by a password")
	}
	defer archive.Close() //nolint:errcheck // read only
	if len(archive.File) > maxWordParts {
		return nil, unreadable("the document has more than %d parts", maxWordParts)
	}
	w := &wordFile{path: file, parts: map[string][]byte{}}
	total := 0
	for _, f := range archive.File {
		if !isXML(f.Name) {
			w.hide(f.Name)
			continue
		}
		data, err := unpack(f)
		if err != nil {
			return nil, err
		}
		if total += len(data); total > maxWordContent {
			return nil, unreadable("the document unpacks to more than %d MB", maxWordContent>>20)
		}
		if _, twice := w.parts[f.Name]; twice {
			return nil, unreadable("the document has two parts of the name %.60q", f.Name)
		}
		passages, err := readPart(f.Name, data)
		if err != nil {
			return nil, unreadable("part %.60s of the document is not well-formed", f.Name)
		}
		w.parts[f.Name] = data
		w.order = append(w.order, f.Name)
		w.see(passages)
		w.tracked = w.tracked || bytes.Contains(data, []byte("delText"))
	}
	if w.parts["word/document.xml"] == nil {
		return nil, unreadable("the file is not a Word document (docx)")
	}
	return w, nil
}

func isXML(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".xml", ".rels", ".vml":
		return true
	}
	return false
}

func unpack(f *zip.File) ([]byte, error) {
	content, err := f.Open()
	if err != nil {
		return nil, unreadable("part %.60s of the document cannot be unpacked", f.Name)
	}
	defer content.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(content, maxWordPart+1))
	if err != nil || len(data) > maxWordPart {
		return nil, unreadable("part %.60s of the document is cut off, or has more than %d MB", f.Name, maxWordPart>>20)
	}
	return data, nil
}

func (w *wordFile) hide(name string) {
	switch {
	case strings.HasSuffix(name, "/"), isThumbnail(name), path.Dir(name) == "word/fonts":
	case path.Dir(name) == "word/media":
		w.pictures++
	default:
		w.embedded = append(w.embedded, path.Base(name))
	}
}

func (w *wordFile) unseen() []string {
	var out []string
	if w.pictures > 0 {
		out = append(out, "what "+plural(w.pictures, "picture")+" may show")
	}
	if n := len(w.embedded); n > 0 {
		out = append(out, fmt.Sprintf("%s (%.200s)", plural(n, "embedded file"), strings.Join(w.embedded, ", ")))
	}
	if w.tracked {
		out = append(out, "what tracked changes cut in two")
	}
	return out
}

func (w *wordFile) see(passages []passage) {
	for _, p := range passages {
		// A passage of one kind is shown by its findings alone, parted from each other.
		text := p.text()
		if p.only != "" {
			var of []string
			for _, f := range find(text) {
				if f.kind == p.only {
					of = append(of, text[f.start:f.end])
				}
			}
			text = strings.Join(of, "\n")
		}
		if text != "" {
			w.seen = append(w.seen, text)
		}
	}
}

func (w *wordFile) texts() []string { return w.seen }

// write copies the document with the changed parts in place of the old. A picture of its first page, which shows
// what is redacted, is left out as soon as anything is.
func (w *wordFile) write(file string, r redaction) (counts, error) {
	done := counts{}
	changed := map[string][]byte{}
	for _, name := range w.order {
		data, n, err := redactPart(name, w.parts[name], r)
		if err != nil {
			return nil, err
		}
		if len(n) > 0 {
			changed[name] = data
			done.add(n)
		}
	}
	if len(changed) > 0 {
		rels := changed[packageRels]
		if rels == nil {
			rels = w.parts[packageRels]
		}
		changed[packageRels] = thumbnailRelation.ReplaceAll(rels, nil)
	}
	return done, w.copyTo(file, changed)
}

const packageRels = "_rels/.rels"

var thumbnailRelation = regexp.MustCompile(`<(?:\w+:)?Relationship\b[^>]*metadata/thumbnail"[^>]*(?:/>|>\s*</(?:\w+:)?Relationship>)`)

func isThumbnail(name string) bool { return strings.HasPrefix(name, "docProps/thumbnail") }

func redactPart(name string, data []byte, r redaction) ([]byte, counts, error) {
	done := counts{}
	for range maxRounds {
		passages, err := readPart(name, data)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s again: %w", name, err)
		}
		var edits []edit
		for _, p := range passages {
			found := p.among(r)
			for _, f := range found {
				done[f.kind]++
			}
			if len(found) > 0 {
				edits = append(edits, p.edits(found, r)...)
			}
		}
		if len(edits) == 0 {
			return data, done, nil
		}
		data = apply(data, edits)
	}
	return nil, nil, errRemains
}

func (w *wordFile) copyTo(file string, changed map[string][]byte) error {
	from, err := zip.OpenReader(w.path)
	if err != nil {
		return fmt.Errorf("open the document again: %w", err)
	}
	defer from.Close()          //nolint:errcheck // read only
	out, err := os.Create(file) //nolint:gosec // inside the job's own folder
	if err != nil {
		return fmt.Errorf("create the copy: %w", err)
	}
	to := zip.NewWriter(out)
	for _, f := range from.File {
		data, isChanged := changed[f.Name]
		switch {
		case err != nil:
		case isThumbnail(f.Name) && len(changed) > 0:
		case !isChanged:
			err = to.Copy(f)
		default:
			err = addPart(to, f, data)
		}
	}
	if err := errors.Join(err, to.Close(), out.Close()); err != nil {
		return fmt.Errorf("write the copy: %w", err)
	}
	return nil
}

func addPart(to *zip.Writer, like *zip.File, data []byte) error {
	part, err := to.CreateHeader(&zip.FileHeader{Name: like.Name, Method: zip.Deflate, Modified: like.Modified})
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	return err
}
