package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
)

// maxAnnotations bounds how many of a page are looked at.
const maxAnnotations = 5_000

// annotation is what lies over a page: a comment, a stamp, a field of a form.
type annotation struct {
	kind     enums.FPDF_ANNOTATION_SUBTYPE
	contents string
	name     string // of a field
	value    string // of a field; of a box that is ticked, its state
	box      bool   // a field that is ticked or not
	drawn    bool   // it brings its own drawing
}

// Flags of an annotation that keep it from being seen.
const (
	flagHidden = 2
	flagNoView = 32
)

// annotations are those of a page that can be seen, but for links.
func (d *document) annotations(number int) []annotation {
	counted, err := d.instance.FPDFPage_GetAnnotCount(&requests.FPDFPage_GetAnnotCount{Page: d.page(number)})
	if err != nil {
		return nil
	}
	var out []annotation
	for i := range min(counted.Count, maxAnnotations) {
		got, err := d.instance.FPDFPage_GetAnnot(&requests.FPDFPage_GetAnnot{Page: d.page(number), Index: i})
		if err != nil {
			continue
		}
		if a, seen := d.annotation(got.Annotation); seen {
			out = append(out, a)
		}
		_, _ = d.instance.FPDFPage_CloseAnnot(&requests.FPDFPage_CloseAnnot{Annotation: got.Annotation})
	}
	return out
}

func (d *document) annotation(ref references.FPDF_ANNOTATION) (annotation, bool) {
	kind, err := d.instance.FPDFAnnot_GetSubtype(&requests.FPDFAnnot_GetSubtype{Annotation: ref})
	if err != nil || kind.Subtype == enums.FPDF_ANNOT_SUBTYPE_LINK || kind.Subtype == enums.FPDF_ANNOT_SUBTYPE_POPUP {
		return annotation{}, false
	}
	if flags, err := d.instance.FPDFAnnot_GetFlags(&requests.FPDFAnnot_GetFlags{Annotation: ref}); err == nil && flags.Flags&(flagHidden|flagNoView) != 0 {
		return annotation{}, false
	}
	text := func(key string) string {
		got, err := d.instance.FPDFAnnot_GetStringValue(&requests.FPDFAnnot_GetStringValue{Annotation: ref, Key: key})
		if err != nil {
			return ""
		}
		return strings.TrimSpace(strings.Trim(got.Value, "\x00"))
	}
	a := annotation{kind: kind.Subtype, contents: text("Contents")}
	if has, err := d.instance.FPDFAnnot_HasKey(&requests.FPDFAnnot_HasKey{Annotation: ref, Key: "AP"}); err == nil {
		a.drawn = has.HasKey
	}
	if a.kind == enums.FPDF_ANNOT_SUBTYPE_WIDGET {
		a.name, a.value = text("T"), text("V")
		if state := text("AS"); state != "" {
			a.box, a.value = true, state
		}
	}
	return a, true
}

// flatten makes what lies over a page a part of it, so that its words are in the text, where they are.
func (d *document) flatten(number int) {
	_, _ = d.instance.FPDFPage_Flatten(&requests.FPDFPage_Flatten{Page: d.page(number), Usage: requests.FPDFPage_FlattenUsageNormalDisplay})
}

// fieldLines are the values of fields, and the texts typed over a page, that the text of the page does not have: a line
// for each.
func fieldLines(all []annotation, text string) []string {
	var out []string
	for _, a := range all {
		if isTyped(a) && !holds(text, a.contents) {
			out = append(out, a.contents)
			continue
		}
		isOff := a.box && strings.EqualFold(a.value, "off")
		if a.kind != enums.FPDF_ANNOT_SUBTYPE_WIDGET || a.value == "" || isOff || !a.box && holds(text, a.value) {
			continue
		}
		line := strings.Join(strings.Fields(a.value), " ")
		if a.name != "" {
			line = a.name + ": " + line
		}
		out = append(out, line)
	}
	return out
}

// isTyped reports whether an annotation is text that lies on the page itself.
func isTyped(a annotation) bool {
	return a.kind == enums.FPDF_ANNOT_SUBTYPE_FREETEXT && a.contents != ""
}

// unread is how many comments have words that the text of a page does not have.
func unread(all []annotation, text string) int {
	n := 0
	for _, a := range all {
		if a.kind != enums.FPDF_ANNOT_SUBTYPE_WIDGET && !isTyped(a) && a.contents != "" && !holds(text, a.contents) {
			n++
		}
	}
	return n
}

// holds reports whether a text has the words, whatever is between them.
func holds(text, words string) bool {
	return strings.Contains(strings.Join(strings.Fields(text), ""), strings.Join(strings.Fields(words), ""))
}

// drawnByPDFium are the kinds that are drawn although they bring no drawing of their own.
var drawnByPDFium = []enums.FPDF_ANNOTATION_SUBTYPE{
	enums.FPDF_ANNOT_SUBTYPE_CIRCLE, enums.FPDF_ANNOT_SUBTYPE_HIGHLIGHT, enums.FPDF_ANNOT_SUBTYPE_INK, enums.FPDF_ANNOT_SUBTYPE_SQUARE,
	enums.FPDF_ANNOT_SUBTYPE_SQUIGGLY, enums.FPDF_ANNOT_SUBTYPE_STRIKEOUT, enums.FPDF_ANNOT_SUBTYPE_TEXT, enums.FPDF_ANNOT_SUBTYPE_UNDERLINE,
	enums.FPDF_ANNOT_SUBTYPE_WIDGET,
}

// undrawn is how many of a page are in no picture of it.
func undrawn(all []annotation) int {
	n := 0
	for _, a := range all {
		if !a.drawn && !slices.Contains(drawnByPDFium, a.kind) {
			n++
		}
	}
	return n
}

// shows are the kinds of things that pages without text have on them: "pictures", "drawings", or both.
func (d *document) shows(pages []int) (pictures, drawings bool) {
	const most = 200 // pages, and things on each
	for _, number := range pages[:min(len(pages), most)] {
		counted, err := d.instance.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: d.page(number)})
		if err != nil {
			continue
		}
		for i := range min(counted.Count, most) {
			object, err := d.instance.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: d.page(number), Index: i})
			if err != nil {
				continue
			}
			kind, err := d.instance.FPDFPageObj_GetType(&requests.FPDFPageObj_GetType{PageObject: object.PageObject})
			if err != nil {
				continue
			}
			pictures = pictures || kind.Type == enums.FPDF_PAGEOBJ_IMAGE
			drawings = drawings || kind.Type != enums.FPDF_PAGEOBJ_IMAGE
		}
	}
	return pictures, drawings
}

// noText is why a document has no text.
func (d *document) noText(comments int) string {
	pictures, drawings := d.shows(d.pages)
	const ocr = "; reading those takes OCR (install tesseract-ocr, and tesseract-ocr-LANGUAGE)"
	switch {
	case comments > 0:
		return fmt.Sprintf("the pages of the PDF hold no text; %d comments on them do, which are not read here", comments)
	case pictures && drawings:
		return "the PDF holds no text, only pictures and drawings" + ocr
	case pictures:
		return "the PDF holds no text, only pictures of it" + ocr
	case drawings:
		return "the PDF holds no text, only drawings; if they show writing, reading it takes OCR (install tesseract-ocr, and tesseract-ocr-LANGUAGE)"
	default:
		return "the pages of the PDF are empty"
	}
}

var (
	layersOff     = regexp.MustCompile(`/OFF\s*\[\s*\d+\s+\d+\s+R`)
	packedObjects = regexp.MustCompile(`/ObjStm\b[^>]{0,400}>>\s*stream\r?\n`)
)

// hasLayersOff reports whether a document names layers that are not shown. PDFium leaves them out of pictures, but not
// out of the text.
func hasLayersOff(data []byte) bool {
	if layersOff.Match(data) {
		return true
	}
	const most = 64 << 20 // of unpacked objects
	total := int64(0)
	for _, at := range packedObjects.FindAllIndex(data, 2000) {
		r, err := zlib.NewReader(bytes.NewReader(data[at[1]:]))
		if err != nil {
			continue
		}
		unpacked, _ := io.ReadAll(io.LimitReader(r, most-total)) // what is damaged is looked at as far as it goes
		if layersOff.Match(unpacked) {
			return true
		}
		if total += int64(len(unpacked)); total >= most {
			break
		}
	}
	return false
}
