package text

import (
	"bytes"
	"context"
	"errors"
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
		case isError && (errors.Is(stopped, errTooManyPages) || ctx.Err() != nil):
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
	if err := p.blocks(blocks); err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	if err := p.pdf.Output(&buffer); err != nil {
		return nil, fmt.Errorf("write the PDF: %w", err)
	}
	return buffer.Bytes(), nil
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
		p.room(lineHeight(size))
		p.drawLine(l, p.left, p.y, size)
		p.y += lineHeight(size)
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
	if p.y > pageMargin {
		p.y += size * ptToMM * 0.7
	}
	// A heading stays with the lines that follow it.
	p.room(float64(len(lines))*lineHeight(size)*0.9 + 3*lineHeight(bodySize))
	p.pdf.Bookmark(plainText(h.runs), min(max(h.level, 1), 6)-1, p.y)
	for _, l := range lines {
		p.drawLine(l, p.left, p.y, size)
		p.y += lineHeight(size) * 0.9
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
		top = pageMargin
	}
	p.pdf.SetFillColor(edge.r, edge.g, edge.b)
	p.pdf.Rect(p.left+1, top, 1.1, max(0, p.y-gap-top), "F")
	return err
}

func (p *pdfWriter) list(l list) error {
	for i, item := range l.items {
		p.room(lineHeight(bodySize))
		p.marker(l, i)
		blocks := item.blocks
		if len(blocks) == 0 {
			p.y += lineHeight(bodySize)
			continue
		}
		if err := p.blocksIndented(indentStep, blocks); err != nil {
			return err
		}
		if len(blocks) == 1 {
			p.y -= gap * 0.7
		}
	}
	p.y += gap * 0.7
	return nil
}

func (p *pdfWriter) marker(l list, i int) {
	task := l.items[i].task
	if task == nil {
		text := []run{{text: l.marker(i)}}
		p.drawLine(p.breakRuns(text, bodySize, indentStep*2)[0], p.left+1.2, p.y, bodySize)
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

// picture sets a picture at 96 dots an inch, smaller where it would not fit.
func (p *pdfWriter) picture(b picture) {
	data, width, height, err := flatPNG(b.data)
	if err != nil {
		p.doc.warnings.add("best_effort: a picture could not be read (" + b.mime + ") and was left out; its description stands in for it")
		p.drawLines(p.breakRuns([]run{{text: "[" + b.alt + "]", style: style{italic: true}}}, bodySize, p.width), bodySize)
		return
	}
	name := fmt.Sprintf("picture-%d-%.0f", p.pdf.PageNo(), p.y*1000)
	options := fpdf.ImageOptions{ImageType: "JPG"}
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		options.ImageType = "PNG"
	}
	p.pdf.RegisterImageOptionsReader(name, options, bytes.NewReader(data))
	w, h := float64(width)*25.4/96, float64(height)*25.4/96
	scale := min(1, p.width/w, (p.bottom()-pageMargin)/h)
	w, h = w*scale, h*scale
	p.room(h)
	p.pdf.ImageOptions(name, p.left, p.y, w, h, false, options, 0, "")
	p.y += h + gap
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
				items[i] = listItem{task: item.task, blocks: drawableBlocks(g, item.blocks)}
			}
			out = append(out, list{ordered: b.ordered, start: b.start, items: items})
		case table:
			rows := make([]tableRow, len(b.rows))
			for i, row := range b.rows {
				rows[i].header = row.header
				for _, cell := range row.cells {
					cell.runs = drawableRuns(g, cell.runs)
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
		out[i] = r
	}
	return out
}
