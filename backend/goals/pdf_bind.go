package goals

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// footHeight is the strip below each page, in points, that holds its number.
const footHeight = 30.0

// bind joins chapters into one document: every page fitted to the paper, numbered but for the cover, and a
// bookmark each.
func bind(path string, chapters []chapter, paper size) (err error) {
	defer func() {
		// The library panics on some documents that it took for sound.
		if cause := recover(); cause != nil {
			err = engines.Errorf(engines.CodeConversionFailed, "the documents could not be bound: %v", cause)
		}
	}()
	joined, marks, err := join(chapters)
	if err != nil {
		return err
	}
	doc, err := api.ReadValidateAndOptimize(bytes.NewReader(joined), pdfRules())
	if err != nil {
		return fmt.Errorf("read the joined documents: %w", err)
	}
	if err := fitPages(doc, chapters, paper); err != nil {
		return err
	}
	if err := pdfcpu.AddBookmarks(doc, marks, true); err != nil {
		return fmt.Errorf("set the bookmarks: %w", err)
	}
	var out bytes.Buffer
	if err := api.WriteContext(doc, &out); err != nil {
		return fmt.Errorf("write the bound document: %w", err)
	}
	if err := api.Validate(bytes.NewReader(out.Bytes()), pdfRules()); err != nil {
		return fmt.Errorf("check the bound document: %w", err)
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
}

// join puts the documents one after the other. A document's own bookmarks hang below the one that it gets.
func join(chapters []chapter) (joined []byte, marks []pdfcpu.Bookmark, err error) {
	sources := make([]io.ReadSeeker, len(chapters))
	page := 1
	for i, c := range chapters {
		data, err := os.ReadFile(c.path)
		if err != nil {
			return nil, nil, fmt.Errorf("read a document again: %w", err)
		}
		sources[i] = bytes.NewReader(data)
		mark := pdfcpu.Bookmark{Title: c.title, PageFrom: page}
		if own, err := api.Bookmarks(bytes.NewReader(data), pdfRules()); err == nil {
			mark.Kids = shifted(own, page-1, c.pages)
		}
		marks = append(marks, mark)
		page += c.pages
	}
	var out bytes.Buffer
	if err := api.MergeRaw(sources, &out, false, pdfRules()); err != nil {
		return nil, nil, fmt.Errorf("join the documents: %w", err)
	}
	return out.Bytes(), marks, nil
}

// shifted moves bookmarks by so many pages; those that point nowhere are left out.
func shifted(own []pdfcpu.Bookmark, by, pages int) []pdfcpu.Bookmark {
	var out []pdfcpu.Bookmark
	for _, mark := range own {
		if mark.PageFrom < 1 || mark.PageFrom > pages || mark.Title == "" {
			continue
		}
		out = append(out, pdfcpu.Bookmark{
			Title: mark.Title, PageFrom: mark.PageFrom + by, Bold: mark.Bold, Italic: mark.Italic, Kids: shifted(mark.Kids, by, pages),
		})
	}
	return out
}

func fitPages(doc *model.Context, chapters []chapter, paper size) error {
	numbers := map[int]*model.Watermark{}
	page, number := 1, 1
	for _, c := range chapters {
		for range c.pages {
			if !c.cover {
				if err := fitPage(doc, page, paper); err != nil {
					return fmt.Errorf("fit page %d: %w", page, err)
				}
				mark, err := api.TextWatermark(fmt.Sprint(number), "font:Helvetica, points:9, scale:1 abs, rot:0, pos:br, off:-36 12, fillc:#464C55, op:1", true, false, types.POINTS)
				if err != nil {
					return fmt.Errorf("number page %d: %w", page, err)
				}
				numbers[page] = mark
				number++
			}
			page++
		}
	}
	if err := pdfcpu.AddWatermarksMap(doc, numbers); err != nil {
		return fmt.Errorf("number the pages: %w", err)
	}
	return nil
}

// placement is a PDF matrix: a b c d e f.
type placement [6]float64

func (m placement) point(x, y float64) (float64, float64) {
	return m[0]*x + m[2]*y + m[4], m[1]*x + m[3]*y + m[5]
}

// placing turns a box upright and fits it into a frame that stands so high above the page's edge.
func placing(box *types.Rectangle, rotation int, frame size, above float64) placement {
	var m placement
	w, h := box.Width(), box.Height()
	switch (rotation%360 + 360) % 360 {
	case 90:
		m = placement{0, -1, 1, 0, -box.LL.Y, box.UR.X}
		w, h = h, w
	case 180:
		m = placement{-1, 0, 0, -1, box.UR.X, box.UR.Y}
	case 270:
		m = placement{0, 1, -1, 0, box.UR.Y, -box.LL.X}
		w, h = h, w
	default:
		m = placement{1, 0, 0, 1, -box.LL.X, -box.LL.Y}
	}
	scale := math.Min(frame.width/w, frame.height/h)
	for i := range m {
		m[i] *= scale
	}
	m[4] += (frame.width - w*scale) / 2
	m[5] += above + (frame.height-h*scale)/2
	return m
}

// fitPage puts a page on the paper, upright or lying as the page is, with a foot free for its number.
func fitPage(doc *model.Context, number int, paper size) error {
	page, _, inherited, err := doc.PageDict(number, false)
	if err != nil {
		return err
	}
	box := inherited.MediaBox
	if inherited.CropBox != nil {
		box = inherited.CropBox
	}
	if box == nil || !(box.Width() > 0 && box.Height() > 0) {
		return engines.Errorf(engines.CodeUnsupportedInput, "the page has no size")
	}
	lying := box.Width() > box.Height()
	if inherited.Rotate%180 != 0 {
		lying = !lying
	}
	if lying {
		paper = size{paper.height, paper.width}
	}
	m := placing(box, inherited.Rotate, size{paper.width, paper.height - footHeight}, footHeight)
	if err := placeContent(doc, page, number, m, box); err != nil {
		return err
	}
	if err := placeNotes(doc, page, m); err != nil {
		return err
	}
	edges := types.RectForDim(paper.width, paper.height).Array()
	page["MediaBox"], page["CropBox"], page["Rotate"] = edges, edges, types.Integer(0)
	for _, other := range []string{"BleedBox", "TrimBox", "ArtBox", "UserUnit"} {
		page.Delete(other)
	}
	return nil
}

// placeContent draws what the page's box shows, and nothing that lay outside of it.
func placeContent(doc *model.Context, page types.Dict, number int, m placement, box *types.Rectangle) error {
	content, err := doc.PageContent(page, number)
	if err != nil && !errors.Is(err, model.ErrNoContent) {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "q %.5f %.5f %.5f %.5f %.5f %.5f cm %.4f %.4f %.4f %.4f re W n\n", m[0], m[1], m[2], m[3], m[4], m[5], box.LL.X, box.LL.Y, box.Width(), box.Height())
	out.Write(content)
	out.WriteString("\nQ\n")
	stream, err := doc.NewStreamDictForBuf(out.Bytes())
	if err != nil {
		return err
	}
	if err := stream.Encode(); err != nil {
		return err
	}
	ref, err := doc.IndRefForNewObject(*stream)
	if err != nil {
		return err
	}
	page["Contents"] = *ref
	return nil
}

// placeNotes moves links and notes along with what they mark.
func placeNotes(doc *model.Context, page types.Dict, m placement) error {
	found, ok := page.Find("Annots")
	if !ok {
		return nil
	}
	notes, err := doc.DereferenceArray(found)
	if err != nil {
		return err
	}
	for _, object := range notes {
		note, err := doc.DereferenceDict(object)
		if err != nil || note == nil {
			continue
		}
		for _, key := range []string{"Rect", "QuadPoints"} {
			points, ok := note.Find(key)
			if !ok {
				continue
			}
			moved, err := movePoints(doc, points, m)
			if err != nil {
				return err
			}
			if key == "Rect" && len(moved) == 4 {
				moved = ordered(moved)
			}
			note[key] = moved
		}
	}
	return nil
}

func movePoints(doc *model.Context, points types.Object, m placement) (types.Array, error) {
	list, err := doc.DereferenceArray(points)
	if err != nil {
		return nil, err
	}
	var out types.Array
	for i := 0; i+1 < len(list); i += 2 {
		x, errX := doc.DereferenceNumber(list[i])
		y, errY := doc.DereferenceNumber(list[i+1])
		if errX != nil || errY != nil {
			return list, nil //nolint:nilerr // a note in an odd place is no reason to lose the page
		}
		x, y = m.point(x, y)
		out = append(out, types.Float(x), types.Float(y))
	}
	return out, nil
}

// ordered is a rectangle with its lower left corner first.
func ordered(r types.Array) types.Array {
	at := func(i int) float64 { return float64(r[i].(types.Float)) }
	return types.Array{
		types.Float(math.Min(at(0), at(2))), types.Float(math.Min(at(1), at(3))),
		types.Float(math.Max(at(0), at(2))), types.Float(math.Max(at(1), at(3))),
	}
}
