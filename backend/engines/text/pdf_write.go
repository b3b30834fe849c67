package text

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/draw"
	_ "image/gif" // pictures in documents
	"image/jpeg"
	"image/png"
	"strings"

	"codeberg.org/go-pdf/fpdf"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

var headingSizes = [...]float64{21, 16, 13.5, 12, 11, 10.5}

// writePDF sets the document. Letters that no font draws refuse the whole, and so do symbols where another engine
// may draw them; else those become their codes.
func writePDF(ctx context.Context, doc *document, helped bool) (out []byte, err error) {
	defer func() {
		// The library panics on text that it cannot take, and a new page where there may be none; that is this
		// document's failure alone.
		cause := recover()
		stopped, isError := cause.(error)
		switch {
		case cause == nil:
		case isError && (isRefusal(stopped) || ctx.Err() != nil):
			err = stopped
		default:
			err = engines.Errorf(engines.CodeConversionFailed, "the document could not be set as PDF: %v", cause)
		}
	}()
	var g glyphs
	blocks := drawableBlocks(&g, doc.blocks)
	if err := g.refusal(); err != nil {
		return nil, err
	}
	if warning := g.missingWarning(); warning != "" {
		if helped {
			return nil, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "MISSING_GLYPHS", Message: warning}
		}
		doc.warnings.add(warning)
	}
	p := newPDFWriter(ctx, doc)
	noteAnchors(p.anchors, blocks)
	if err := p.document(blocks); err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	if err := p.pdf.Output(&buffer); err != nil {
		return nil, fmt.Errorf("write the PDF: %w", err)
	}
	return buffer.Bytes(), nil
}

func isRefusal(err error) bool {
	_, refused := engines.AsError(err)
	return refused
}

// document sets blocks on upright pages, and tables that are too wide for these on pages that are turned, with the
// headings before them.
func (p *pdfWriter) document(blocks []block) error {
	for i, b := range blocks {
		p.turn(p.isWide(blocks[i:]))
		if err := p.blocks([]block{b}); err != nil {
			return err
		}
	}
	return nil
}

// headingsBefore is how many headings are looked over for the table that they belong to.
const headingsBefore = 3

func (p *pdfWriter) isWide(blocks []block) bool {
	for _, b := range blocks[:min(len(blocks), headingsBefore+1)] {
		switch b := b.(type) {
		case heading:
		case table:
			return p.needsTurning(b)
		default:
			return false
		}
	}
	return false
}

func (p *pdfWriter) blocks(blocks []block) error {
	for _, b := range blocks {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := p.block(b); err != nil {
			return err
		}
	}
	return nil
}

func (p *pdfWriter) block(b block) error {
	switch b := b.(type) {
	case heading:
		p.heading(b)
	case paragraph:
		p.drawLines(p.breakRuns(b.runs, bodySize, p.width), bodySize)
		p.y += gap
	case preformatted:
		p.preformatted(b)
	case rule:
		p.room(4)
		p.pdf.SetDrawColor(edge.r, edge.g, edge.b)
		p.pdf.Line(p.left, p.y+1, p.left+p.width, p.y+1)
		p.y += 4
	case quote:
		return p.quote(b)
	case list:
		return p.list(b)
	case table:
		p.table(b)
	case picture:
		p.picture(b)
	}
	return nil
}

func (p *pdfWriter) drawLines(lines []line, size float64) {
	for _, l := range lines {
		p.room(l.height(size))
		p.drawLine(l, p.left, p.y, size)
		p.y += l.height(size)
	}
}

func (p *pdfWriter) heading(h heading) {
	size := headingSizes[min(max(h.level, 1), 6)-1]
	runs := make([]run, len(h.runs))
	for i, r := range h.runs {
		r.bold = true
		runs[i] = r
	}
	lines := p.breakRuns(runs, size, p.width)
	if p.y > p.doc.sheet.Top {
		p.y += size * ptToMM * 0.7
	}
	// A heading stays with the lines that follow it.
	p.room(heightOf(lines, size)*0.9 + 3*lineHeight(bodySize))
	p.pdf.Bookmark(plainText(h.runs), min(max(h.level, 1), 6)-1, p.y)
	for _, l := range lines {
		p.drawLine(l, p.left, p.y, size)
		p.y += l.height(size) * 0.9
	}
	p.y += gap * 0.7
}

// linesMost is more than a page has.
const linesMost = 80

func (p *pdfWriter) preformatted(b preformatted) {
	height := lineHeight(codeSize) * 0.95
	pad := cellPad
	if b.plain {
		pad = 0
	}
	if strings.Count(b.text, "\n") > maxPages*linesMost {
		panic(errTooManyPages) // before all its lines are laid out
	}
	lines := p.breakRuns([]run{{text: b.text, style: style{code: true, unmarked: true}}}, codeSize/0.92, p.width-2*pad)
	for i, l := range lines {
		p.room(height)
		top, extra := p.y, height
		if i == 0 {
			extra += pad
			p.y += pad
		}
		if i == len(lines)-1 {
			extra += pad
		}
		if !b.plain {
			p.pdf.SetFillColor(shade.r, shade.g, shade.b)
			p.pdf.Rect(p.left, top, p.width, extra+0.1, "F")
		}
		p.drawLine(l, p.left+pad, p.y, codeSize/0.92)
		p.y += height
	}
	p.y += pad + gap
}

// indented sets blocks further in.
func (p *pdfWriter) blocksIndented(by float64, blocks []block) error {
	// Deep nesting must leave a column to write in.
	by = min(by, max(0, p.width-40))
	p.left, p.width = p.left+by, p.width-by
	err := p.blocks(blocks)
	p.left, p.width = p.left-by, p.width+by
	return err
}

func (p *pdfWriter) quote(q quote) error {
	page, top := p.pdf.PageNo(), p.y
	err := p.blocksIndented(indentStep, q.blocks)
	if p.pdf.PageNo() != page {
		top = p.doc.sheet.Top
	}
	p.pdf.SetFillColor(edge.r, edge.g, edge.b)
	p.pdf.Rect(p.left+1, top, 1.1, max(0, p.y-gap-top), "F")
	return err
}

func (p *pdfWriter) list(l list) error {
	step := p.markerWidth(l)
	for i, item := range l.items {
		p.room(lineHeight(bodySize))
		p.marker(l, i)
		blocks := item.blocks
		if len(blocks) == 0 {
			p.y += lineHeight(bodySize)
			continue
		}
		if err := p.blocksIndented(step, blocks); err != nil {
			return err
		}
		if len(blocks) == 1 {
			p.y -= gap * 0.7
		}
	}
	p.y += gap * 0.7
	return nil
}

// markerWidth is how far the items are indented, so that the longest number has room.
func (p *pdfWriter) markerWidth(l list) float64 {
	p.use(faceOf(style{}, bodySize))
	widest := indentStep
	for i, item := range l.items {
		if item.task == nil {
			widest = max(widest, p.pdf.GetStringWidth(l.marker(i))+2.4)
		}
	}
	return min(widest, p.width/2)
}

func (p *pdfWriter) marker(l list, i int) {
	task := l.items[i].task
	if task == nil {
		text := []run{{text: l.marker(i)}}
		p.drawLine(p.breakRuns(text, bodySize, p.width)[0], p.left+1.2, p.y, bodySize)
		return
	}
	side, x, y := bodySize*ptToMM*0.8, p.left+1.2, p.y+bodySize*ptToMM*0.35
	p.pdf.SetDrawColor(grey.r, grey.g, grey.b)
	p.pdf.Rect(x, y, side, side, "D")
	if *task {
		p.pdf.SetDrawColor(ink.r, ink.g, ink.b)
		p.pdf.SetLineWidth(0.4)
		p.pdf.Line(x+side*0.2, y+side*0.5, x+side*0.42, y+side*0.78)
		p.pdf.Line(x+side*0.42, y+side*0.78, x+side*0.85, y+side*0.2)
		p.pdf.SetLineWidth(0.2)
	}
}

// placedPicture is a picture as it is set: known to the library by its name, and small enough for its place.
type placedPicture struct {
	name          string
	options       fpdf.ImageOptions
	width, height float64 // mm
}

// picture sets a picture in a line of its own.
func (p *pdfWriter) picture(b picture) {
	p.drawLines(p.breakRuns([]run{{picture: &b}}, bodySize, p.width), bodySize)
	p.y += gap
}

// place makes a picture known to the library, at 96 dots an inch where it says no size of its own, smaller where it
// would not fit. False where it cannot be read.
func (p *pdfWriter) place(b picture, width float64) (*placedPicture, bool) {
	sum := sha256.Sum256(b.data)
	name := hex.EncodeToString(sum[:])
	natural, known := p.placed[name]
	if !known {
		natural = p.register(name, b)
		p.placed[name] = natural
	}
	if natural == nil {
		return nil, false
	}
	fitted := *natural
	if b.width > 0 && b.height > 0 {
		fitted.width, fitted.height = float64(b.width)*25.4/96, float64(b.height)*25.4/96
	}
	scale := min(1, width/fitted.width, (p.bottom()-p.doc.sheet.Top-2*cellPad-2*pictureGap)/fitted.height)
	fitted.width, fitted.height = fitted.width*scale, fitted.height*scale
	return &fitted, true
}

// register returns nil where the picture cannot be read.
func (p *pdfWriter) register(name string, b picture) *placedPicture {
	data, width, height, err := flatPNG(b.data)
	if err != nil || width == 0 || height == 0 {
		p.doc.warnings.add("best_effort: a picture could not be read (" + b.mime + ") and was left out; its description stands in for it")
		return nil
	}
	options := fpdf.ImageOptions{ImageType: "JPG"}
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		options.ImageType = "PNG"
	}
	p.pdf.RegisterImageOptionsReader(name, options, bytes.NewReader(data))
	return &placedPicture{name: name, options: options, width: float64(width) * 25.4 / 96, height: float64(height) * 25.4 / 96}
}

func heightOf(lines []line, size float64) float64 {
	var h float64
	for _, l := range lines {
		h += l.height(size)
	}
	return h
}

// noteAnchors finds the places that links may lead to.
func noteAnchors(found map[string]bool, blocks []block) {
	for _, r := range allRuns(blocks) {
		if r.anchor != "" {
			found[r.anchor] = true
		}
	}
}

const maxPicturePixels = 40_000_000

// flatPNG passes a JPEG as it is and makes anything else an 8-bit PNG, the forms that a PDF takes.
func flatPNG(data []byte) (out []byte, width, height int, err error) {
	config, kind, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, 0, 0, err
	}
	if config.Width*config.Height > maxPicturePixels {
		return nil, 0, 0, fmt.Errorf("the picture has %d x %d pixels", config.Width, config.Height)
	}
	if kind == "jpeg" {
		if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
			return nil, 0, 0, err
		}
		return data, config.Width, config.Height, nil
	}
	decoded, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, 0, 0, err
	}
	flat := image.NewNRGBA(decoded.Bounds())
	draw.Draw(flat, flat.Bounds(), decoded, decoded.Bounds().Min, draw.Src)
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, flat); err != nil {
		return nil, 0, 0, err
	}
	return buffer.Bytes(), config.Width, config.Height, nil
}

// drawableBlocks copies blocks with every text made drawable.
func drawableBlocks(g *glyphs, blocks []block) []block {
	out := make([]block, 0, len(blocks))
	for _, b := range blocks {
		switch b := b.(type) {
		case heading:
			out = append(out, heading{level: b.level, runs: drawableRuns(g, b.runs)})
		case paragraph:
			out = append(out, paragraph{runs: drawableRuns(g, b.runs)})
		case preformatted:
			out = append(out, preformatted{text: g.drawable(strings.ReplaceAll(b.text, "\f", "\n")), plain: b.plain})
		case quote:
			out = append(out, quote{blocks: drawableBlocks(g, b.blocks)})
		case list:
			items := make([]listItem, len(b.items))
			for i, item := range b.items {
				items[i] = listItem{task: item.task, label: g.drawable(item.label), blocks: drawableBlocks(g, item.blocks)}
			}
			out = append(out, list{ordered: b.ordered, start: b.start, items: items})
		case table:
			rows := make([]tableRow, len(b.rows))
			for i, row := range b.rows {
				rows[i].header = row.header
				for _, cell := range row.cells {
					cell.blocks = drawableBlocks(g, cell.blocks)
					rows[i].cells = append(rows[i].cells, cell)
				}
			}
			out = append(out, table{rows: rows})
		case picture:
			b.alt = g.drawable(b.alt)
			out = append(out, b)
		default:
			out = append(out, b)
		}
	}
	return out
}

func drawableRuns(g *glyphs, runs []run) []run {
	out := make([]run, len(runs))
	for i, r := range runs {
		r.text = g.drawable(r.text)
		if r.picture != nil {
			drawn := *r.picture
			drawn.alt = g.drawable(drawn.alt)
			r.picture = &drawn
		}
		out[i] = r
	}
	return out
}
