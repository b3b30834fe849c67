package text

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/numbering"
	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
)

// docxReader turns Word's paragraphs into blocks. What it meets and does not know is counted and named: see silent, and
// the properties beside it.
type docxReader struct {
	ctx    context.Context
	pkg    *ooxml.Package
	doc    *document
	losses *docxLosses
	depth  int // of documents in documents

	styles       map[string]wordStyle
	resolved     map[string]wordStyle // with what they inherit
	defaultStyle string
	lists        *numbering.Lists

	part  wordPart // that is being read
	story *story

	notes     map[string]*wordNote // by kind and id
	noteOrder []string             // in the order of use
	noteItems []listItem

	spanning map[int]bool // columns in which a cell may go on in the next row

	pictures map[string][]byte // by part and crop
	shown    *int              // bytes of pictures, as often as they are shown

	anchors []run // bookmarks before the next text
	linked  map[string]bool
}

// wordPart is a part with its relations, which are its own.
type wordPart struct {
	name      string
	relations map[string]ooxml.Relation
}

type wordNote struct {
	part  string
	node  *ooxml.Node
	begun bool
}

func readDocx(ctx context.Context, file string) (*document, error) {
	pkg, err := ooxml.Open(file)
	if err != nil {
		return nil, err
	}
	defer pkg.Close() //nolint:errcheck // read only
	r := newDocxReader(ctx, pkg, &document{}, &docxLosses{}, new(int))
	if r.doc.blocks, err = r.document(); err != nil {
		return nil, err
	}
	r.doc.blocks = r.linkedAnchors(r.doc.blocks)
	r.losses.note(&r.doc.warnings, r.lists.Unknown)
	return r.doc, nil
}

func newDocxReader(ctx context.Context, pkg *ooxml.Package, doc *document, losses *docxLosses, shown *int) *docxReader {
	return &docxReader{
		ctx: ctx, pkg: pkg, doc: doc, losses: losses, shown: shown,
		styles: map[string]wordStyle{}, resolved: map[string]wordStyle{}, notes: map[string]*wordNote{},
		pictures: map[string][]byte{}, linked: map[string]bool{}, story: &story{},
	}
}

// document reads the main part and what belongs to it, each found by its relation.
func (r *docxReader) document() ([]block, error) {
	main, err := r.pkg.Main()
	if err != nil {
		return nil, err
	}
	if main == "" || !r.pkg.Has(main) {
		return nil, ooxml.Damaged("the file is not a Word document (docx): it does not say which of its parts is the text")
	}
	root, err := r.pkg.Parse(main)
	if err != nil {
		return nil, err
	}
	if root.Child("document").Child("body") == nil {
		return nil, ooxml.Damaged("the document has no body")
	}
	relations, err := r.pkg.Relations(main)
	if err != nil {
		return nil, err
	}
	if err := r.readParts(relations); err != nil {
		return nil, err
	}

	var blocks []block
	err = r.inPart(main, func() error {
		for _, n := range root.Child("document").Children {
			switch n.Name {
			case "body": // of which damaged files have several
				body, err := r.storyBlocks(n)
				if err != nil {
					return err
				}
				blocks = append(blocks, body...)
			case "background":
			default:
				r.losses.unknownElement(n)
			}
		}
		return nil
	})
	return append(blocks, r.noteBlocks()...), err
}

// inPart reads with the relations of a part.
func (r *docxReader) inPart(name string, read func() error) error {
	relations, err := r.pkg.Relations(name)
	if err != nil {
		return err
	}
	before := r.part
	r.part = wordPart{name: name, relations: map[string]ooxml.Relation{}}
	for _, relation := range relations {
		r.part.relations[relation.ID] = relation
	}
	err = read()
	r.part = before
	return err
}

// Parts that have nothing to carry over, or are reached by what refers to them.
var silentParts = wordSet(`styles numbering footnotes endnotes settings webSettings fontTable theme stylesWithEffects stylesWithtEffects intelligence
	image hyperlink aFChunk chart chartEx chartUserShapes diagramData diagramLayout diagramQuickStyle diagramColors diagramDrawing oleObject package control
	customXml glossaryDocument printerSettings attachedTemplate keyMapCustomizations recipientData mailMergeSource mailMergeHeaderSource
	commentsExtended commentsIds commentsExtensible people bibliography xmlPaths wordVbaData
	transform frame font customXmlProps classificationlabels documenttasks ink slicer activeXControlBinary video media embeddings`)

// maxHeaders is how many headers and footers are looked at; further ones are taken to hold text.
const maxHeaders = 24

func (r *docxReader) readParts(relations []ooxml.Relation) error {
	var numbers *ooxml.Node
	read := map[string]bool{} // many relations may lead to one part
	headers := 0
	for _, relation := range relations {
		if relation.External || read[relation.Kind+" "+relation.Target] {
			continue
		}
		read[relation.Kind+" "+relation.Target] = true
		var err error
		switch relation.Kind {
		case "styles":
			err = r.readStyles(relation.Target)
		case "numbering":
			numbers, err = r.pkg.Parse(relation.Target)
		case "footnotes", "endnotes":
			err = r.readNotes(relation.Target, strings.TrimSuffix(relation.Kind, "s"))
		case "comments":
			err = r.countComments(relation.Target)
		case "header", "footer":
			if headers++; headers > maxHeaders {
				r.losses.headers = max(r.losses.headers, headerText)
				continue
			}
			err = r.lookAtHeader(relation.Target)
		case "vbaProject":
			r.losses.left.add("set of macros")
		default:
			if !silentParts[relation.Kind] {
				r.losses.left.add(fmt.Sprintf("part of an unknown kind (%.40s)", relation.Kind))
			}
		}
		if err != nil {
			return err
		}
	}
	r.lists = numbering.New(numbers, func(style string) string { return r.style(style).listID })
	return nil
}

func (r *docxReader) readNotes(part, kind string) error {
	root, err := r.pkg.Parse(part)
	for _, n := range root.Child(kind + "s").List() {
		if n.Name == kind && (n.Attr("type") == "" || n.Attr("type") == "normal") {
			r.notes[kind+n.Attr("id")] = &wordNote{part: part, node: n}
		}
	}
	return err
}

// note is the number of a note, which is read when it is first referred to; 0 where there is no such note.
func (r *docxReader) note(id string) (int, error) {
	n := r.notes[id]
	if n == nil {
		return 0, nil
	}
	if n.begun {
		return slices.Index(r.noteOrder, id) + 1, nil
	}
	n.begun = true
	r.noteOrder = append(r.noteOrder, id)
	r.noteItems = append(r.noteItems, listItem{})
	number := len(r.noteItems)
	err := r.inPart(n.part, func() error {
		blocks, err := r.storyBlocks(n.node)
		r.noteItems[number-1].blocks = blocks
		return err
	})
	return number, err
}

// noteBlocks sets the notes that the text refers to at its end.
func (r *docxReader) noteBlocks() []block {
	if len(r.noteItems) == 0 {
		return nil
	}
	return []block{rule{}, list{ordered: true, start: 1, items: r.noteItems}}
}

func (r *docxReader) countComments(part string) error {
	root, err := r.pkg.Parse(part)
	for _, n := range root.Child("comments").List() {
		if n.Name == "comment" {
			r.losses.left.add("comment")
		}
	}
	return err
}

// lookAtHeader names what pages have at their top and foot, of which a text without pages has none.
func (r *docxReader) lookAtHeader(part string) error {
	root, err := r.pkg.Parse(part)
	if err != nil || root == nil {
		return err
	}
	if watermark := root.Find("textpath").Attr("string"); watermark != "" {
		r.doc.warnings.add(fmt.Sprintf("best_effort: a watermark was left out: %.80s", watermark))
	}
	for _, drawn := range []string{"blip", "imagedata", "txbxContent", "wsp", "chart", "OLEObject"} {
		if root.Find(drawn) != nil {
			r.losses.headers = headerPictures
			return nil
		}
	}
	if strings.TrimSpace(root.AllText("t")) != "" {
		r.losses.headers = max(r.losses.headers, headerText)
	}
	return nil
}

// chunk reads a document that is embedded as a part of the text.
func (r *docxReader) chunk(n *ooxml.Node) ([]block, error) {
	relation := r.part.relations[n.Attr("id")]
	if relation.External {
		r.losses.left.add("linked document")
		return nil, nil
	}
	data, found, err := r.pkg.Read(relation.Target)
	if err != nil || !found {
		r.losses.left.add("embedded document (missing)")
		return nil, err
	}
	kind := chunkKind(data)
	var inner *document
	switch kind {
	case "html":
		page, warning, err := DecodePage(data)
		if err != nil {
			return nil, err
		}
		if inner, err = readHTML(r.ctx, page); err != nil {
			return nil, err
		}
		if warning != "" {
			inner.warnings.add(warning)
		}
	case "txt":
		content, _, err := DecodeText(data)
		if err != nil {
			return nil, err
		}
		inner = &document{blocks: []block{preformatted{text: strings.TrimRight(content, "\n"), plain: true}}}
	case "docx":
		return r.embedded(data)
	default:
		r.losses.left.add("embedded document (" + kind + ")")
		return nil, nil
	}
	for _, warning := range inner.warnings.list {
		r.doc.warnings.add(warning)
	}
	return inner.blocks, nil
}

// chunkKind knows a document by how it begins.
func chunkKind(data []byte) string {
	head := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(data[:min(len(data), 1024)], []byte("\xef\xbb\xbf"))))
	switch {
	case bytes.HasPrefix(head, []byte("pk\x03\x04")):
		return "docx"
	case bytes.HasPrefix(head, []byte(`{\rtf`)):
		return "rtf"
	case bytes.HasPrefix(head, []byte("mime-version")) || bytes.Contains(head, []byte("multipart/related")):
		return "mht"
	case bytes.HasPrefix(head, []byte("<")):
		return "html"
	}
	return "txt"
}

// maxEmbedded is how deep documents may lie in documents.
const maxEmbedded = 3

func (r *docxReader) embedded(data []byte) ([]block, error) {
	if r.depth >= maxEmbedded {
		return nil, nestedTooDeep()
	}
	pkg, err := r.pkg.Embedded(data)
	if err != nil {
		return nil, err
	}
	inner := newDocxReader(r.ctx, pkg, r.doc, r.losses, r.shown)
	inner.depth = r.depth + 1
	blocks, err := inner.document()
	return inner.linkedAnchors(blocks), err
}

// linkedAnchors leaves the anchors that something leads to, and unlinks what leads to none.
func (r *docxReader) linkedAnchors(blocks []block) []block {
	present := map[string]bool{}
	noteAnchors(present, blocks)
	return mapRuns(blocks, func(in run) (run, bool) {
		if in.anchor != "" {
			return in, r.linked[in.anchor]
		}
		if anchor, ok := strings.CutPrefix(in.link, "#"); ok && anchor != "top" && !present[anchor] {
			in.link = ""
			r.losses.deadLinks++
		}
		return in, true
	})
}

// anchorLink is a link to a bookmark. Word's own name for the beginning is none.
func (r *docxReader) anchorLink(name string) string {
	if strings.EqualFold(name, "_top") {
		return "#top"
	}
	r.linked[name] = true
	return "#" + name
}

func baseOf(part string) string { return path.Base(part) }
