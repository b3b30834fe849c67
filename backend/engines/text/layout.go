package text

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
)

// face is a font at a size.
type face struct {
	family, style string
	size          float64 // points
}

func (p *pdfWriter) use(f face) { p.pdf.SetFont(f.family, f.style, f.size) }

// faceOf picks the font of a run within text of this size.
func faceOf(s style, size float64) face {
	f := face{family: familyText, size: size}
	if s.bold {
		f.style += "B"
	}
	if s.code {
		f.family, f.size = familyMono, size*0.92
	} else if s.italic {
		f.style += "I"
	}
	if s.raised || s.lowered {
		f.size *= 0.7
	}
	return f
}

// span is a piece of a line in one style.
type textSpan struct {
	text  string
	width float64 // mm
	style
	picture *placedPicture
	anchor  string
}

func (s textSpan) isText() bool { return s.picture == nil && s.anchor == "" }

type line []textSpan

func (l line) measure() float64 {
	var w float64
	for _, s := range l {
		w += s.width
	}
	return w
}

// height is that of a line of text of this size, or what its highest picture asks for.
func (l line) height(size float64) float64 {
	h := lineHeight(size)
	for _, s := range l {
		if s.picture != nil {
			h = max(h, s.picture.height+pictureGap)
		}
	}
	return h
}

// breaker fills lines with words.
type breaker struct {
	p     *pdfWriter
	size  float64
	width float64
	lines []line
	open  line
	used  float64
}

// breakRuns lays runs out in lines that fit a width in mm. Words that are wider than a line are cut.
func (p *pdfWriter) breakRuns(runs []run, size, width float64) []line {
	b := &breaker{p: p, size: size, width: width}
	for _, r := range runs {
		if !r.isText() {
			b.object(r)
			continue
		}
		p.use(faceOf(r.style, size))
		for i, part := range strings.Split(r.text, "\n") {
			if i > 0 {
				b.newLine()
			}
			for _, word := range words(part) {
				b.add(word, r.style)
			}
		}
	}
	b.newLine()
	for len(b.lines) > 1 && len(b.lines[len(b.lines)-1]) == 0 {
		b.lines = b.lines[:len(b.lines)-1]
	}
	return b.lines
}

// object puts a picture or an anchor into the line.
func (b *breaker) object(r run) {
	if r.picture == nil {
		b.open = append(b.open, textSpan{anchor: r.anchor})
		return
	}
	placed, ok := b.p.place(*r.picture, b.width)
	if !ok {
		stand := style{italic: true, link: r.link}
		b.p.use(faceOf(stand, b.size))
		for _, word := range words("[" + r.picture.alt + "]") {
			b.add(word, stand)
		}
		return
	}
	if b.used > 0 && b.used+placed.width > b.width {
		b.newLine()
	}
	b.open = append(b.open, textSpan{width: placed.width, style: r.style, picture: placed})
	b.used += placed.width
}

// words cuts before each space, so that a space leads the word it separates.
func words(text string) []string {
	var out []string
	start := 0
	for i := 1; i < len(text); i++ {
		if text[i] == ' ' && text[i-1] != ' ' {
			out = append(out, text[start:i])
			start = i
		}
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

func (b *breaker) add(word string, s style) {
	if len(word) > longWord {
		b.addLong(word, s)
		return
	}
	width := b.p.pdf.GetStringWidth(word)
	if b.used+width > b.width && b.used > 0 {
		b.newLine()
		if trimmed := strings.TrimLeft(word, " "); !s.code {
			word, width = trimmed, b.p.pdf.GetStringWidth(trimmed)
		}
	}
	for width > b.width && utf8.RuneCountInString(word) > 1 {
		head, headWidth := b.fitting(word)
		b.put(head, headWidth, s)
		b.newLine()
		word, width = word[len(head):], width-headWidth
	}
	if word != "" {
		b.put(word, width, s)
	}
}

// longWord is the bytes of a word that is set piece by piece, or measuring it again for each line took for ever.
const longWord = 4096

func (b *breaker) addLong(word string, s style) {
	for len(word) > longWord {
		end := longWord
		for !utf8.RuneStart(word[end]) {
			end--
		}
		b.add(word[:end], s)
		word = word[end:]
	}
	b.add(word, s)
}

// fitting is the longest beginning of a word that fits a line, one letter at least, and its width.
func (b *breaker) fitting(word string) (head string, width float64) {
	for i, r := range word {
		letter := b.p.pdf.GetStringWidth(string(r))
		if i > 0 && width+letter > b.width {
			return word[:i], width
		}
		width += letter
	}
	return word, width
}

func (b *breaker) put(text string, width float64, s style) {
	if n := len(b.open); n > 0 && b.open[n-1].style == s && b.open[n-1].isText() && len(b.open[n-1].text) < longWord {
		b.open[n-1].text += text
		b.open[n-1].width += width
	} else {
		b.open = append(b.open, textSpan{text: text, width: width, style: s})
	}
	b.used += width
}

func (b *breaker) newLine() {
	b.lines = append(b.lines, b.open)
	b.open, b.used = nil, 0
}

// drawLine sets one line with its top at y.
func (p *pdfWriter) drawLine(l line, x, y, size float64) {
	y += l.height(size) - lineHeight(size) // text is set at the foot of pictures
	baseline := y + size*ptToMM*1.05
	for _, s := range l {
		if !s.isText() {
			p.drawObject(s, x, baseline)
			x += s.width
			continue
		}
		f := faceOf(s.style, size)
		p.use(f)
		at := baseline
		switch {
		case s.raised:
			at -= size * ptToMM * 0.35
		case s.lowered:
			at += size * ptToMM * 0.15
		}
		p.decorate(s, x, y, size)
		p.pdf.Text(x, at, s.text)
		p.pdf.SetTextColor(ink.r, ink.g, ink.b)
		x += s.width
	}
}

func (p *pdfWriter) drawObject(s textSpan, x, foot float64) {
	if s.picture == nil {
		p.pdf.SetLink(p.linkTo(s.anchor), foot-lineHeight(bodySize), -1)
		return
	}
	top := foot - s.picture.height
	p.pdf.ImageOptions(s.picture.name, x, top, s.picture.width, s.picture.height, false, s.picture.options, 0, "")
	if s.link != "" && safeLink(s.link) && !strings.HasPrefix(s.link, "#") {
		p.pdf.LinkString(x, top, s.picture.width, s.picture.height, s.link)
	}
}

// linkTo is the library's number of an anchor.
func (p *pdfWriter) linkTo(anchor string) int {
	id, known := p.links[anchor]
	if !known {
		id = p.pdf.AddLink()
		p.links[anchor] = id
	}
	return id
}

// decorate draws what lies under or through a span, and sets its colour.
func (p *pdfWriter) decorate(s textSpan, x, y, size float64) {
	height := size * ptToMM
	if s.code && !s.unmarked {
		p.pdf.SetFillColor(shade.r, shade.g, shade.b)
		p.pdf.Rect(x, y+height*0.15, s.width, height*1.2, "F")
	}
	if s.link != "" && safeLink(s.link) && !strings.HasPrefix(s.link, "#") {
		p.pdf.SetTextColor(blue.r, blue.g, blue.b)
		p.pdf.LinkString(x, y, s.width, height*1.4, s.link)
	}
	if anchor, ok := strings.CutPrefix(s.link, "#"); ok && p.anchors[anchor] {
		p.pdf.SetTextColor(blue.r, blue.g, blue.b)
		p.pdf.Link(x, y, s.width, height*1.4, p.linkTo(anchor))
	}
	if s.strike {
		p.pdf.SetDrawColor(ink.r, ink.g, ink.b)
		p.pdf.Line(x, y+height*0.75, x+s.width, y+height*0.75)
	}
}

type colour struct{ r, g, b int }

var (
	ink   = colour{27, 31, 36}
	grey  = colour{120, 126, 135}
	blue  = colour{20, 80, 160}
	shade = colour{240, 242, 245}
	edge  = colour{190, 196, 205}
)

// Measures in mm, sizes in points.
const (
	ptToMM     = 25.4 / 72
	bodySize   = 10.5
	codeSize   = 9.0
	leading    = 1.45
	gap        = 2.6 // after a paragraph
	indentStep = 6.5
	cellPad    = 1.6
	pictureGap = 1.2 // above and below one in a line
)

// pdfWriter sets blocks on A4 pages.
type pdfWriter struct {
	ctx   context.Context
	pdf   *fpdf.Fpdf
	left  float64
	width float64
	y     float64
	doc   *document

	turned bool // the page is

	measured map[*tableRow]columns // by the first row of a table

	placed  map[string]*placedPicture
	anchors map[string]bool // that are in the text
	links   map[string]int  // by anchor
}

var errTooManyPages = documentTooLarge("the document has more than %d pages", maxPages)

func newPDFWriter(ctx context.Context, doc *document) *pdfWriter {
	sheet := doc.sheet
	pdf := fpdf.NewCustom(&fpdf.InitType{UnitStr: "mm", Size: fpdf.SizeType{Wd: sheet.Width, Ht: sheet.Height}})
	for _, f := range fontFiles {
		pdf.AddUTF8FontFromBytes(f.family, f.style, f.data)
	}
	pdf.SetTitle(doc.title, true)
	pdf.SetCreator("convilyn backend", true)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetMargins(sheet.Left, sheet.Top, sheet.Right)
	p := &pdfWriter{
		ctx: ctx, pdf: pdf, left: sheet.Left, width: sheet.Width - sheet.Left - sheet.Right, doc: doc,
		measured: map[*tableRow]columns{}, placed: map[string]*placedPicture{}, anchors: map[string]bool{}, links: map[string]int{},
	}
	pdf.AliasNbPages("{pages}")
	pdf.SetFooterFunc(func() {
		pdf.SetY(-min(14, max(6, sheet.Bottom*0.64)))
		pdf.SetFont(familyText, "", 8)
		pdf.SetTextColor(grey.r, grey.g, grey.b)
		pdf.CellFormat(0, 5, fmt.Sprintf("%d", pdf.PageNo()), "", 0, "C", false, 0, "")
		pdf.SetTextColor(ink.r, ink.g, ink.b)
	})
	return p
}

func (p *pdfWriter) newPage() {
	if p.pdf.PageNo() >= maxPages {
		panic(errTooManyPages)
	}
	if err := p.ctx.Err(); err != nil {
		panic(err)
	}
	paper := fpdf.SizeType{Wd: p.doc.sheet.Width, Ht: p.doc.sheet.Height}
	if p.turned && paper.Ht > paper.Wd {
		paper.Wd, paper.Ht = paper.Ht, paper.Wd
	}
	p.pdf.AddPageFormat("P", paper)
	p.pdf.SetTextColor(ink.r, ink.g, ink.b)
	p.y = p.doc.sheet.Top
}

// turn begins a page of the other orientation, where the present one is not.
func (p *pdfWriter) turn(turned bool) {
	if p.pdf.PageNo() > 0 && p.turned == turned {
		return
	}
	p.turned = turned
	p.width = p.pageWidth(turned)
	p.newPage()
}

func (p *pdfWriter) bottom() float64 {
	_, height := p.pdf.GetPageSize()
	return height - p.doc.sheet.Bottom
}

// room makes sure that so many mm are left on the page.
func (p *pdfWriter) room(height float64) {
	if p.y+height > p.bottom() && p.y > p.doc.sheet.Top {
		p.newPage()
	}
}

func lineHeight(size float64) float64 { return size * ptToMM * leading }
