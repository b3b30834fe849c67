package goals

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

const (
	stepCover     = "cover"
	coverDocument = "cover.pdf"
	coverPicture  = "cover.png"
)

// size is that of a page, in points.
type size struct{ width, height float64 }

var paperSizes = map[string]size{"a4": {595.28, 841.89}, "letter": {612, 792}}

// makeCover sets the cover, and draws it for whoever is to approve it.
func makeCover(ctx context.Context, t *Task, chapters []chapter) (string, error) {
	return t.Step(ctx, stepCover, func(ctx context.Context, dir string) error {
		t.Report(65, "setting the cover")
		path := filepath.Join(dir, coverDocument)
		if err := writeCover(path, t.String("title"), chapters, paperSizes[t.String("paper")]); err != nil {
			return err
		}
		drawn, _, err := convertBelow(ctx, t, Input{Name: coverDocument, Format: "pdf", Path: path}, "png", dir)
		switch {
		case err != nil:
			return fmt.Errorf("draw the cover: %w", err)
		case len(drawn) != 1:
			return fmt.Errorf("draw the cover: it became %d pictures", len(drawn))
		}
		return os.Rename(drawn[0].Path, filepath.Join(dir, coverPicture))
	})
}

// Measures of the cover in points.
const (
	coverMargin   = 72.0
	coverTop      = 170.0
	titleSize     = 32.0
	titleLines    = 5
	contentsSize  = 11.0
	contentsStep  = 19.0
	contentsFloor = 72.0
)

func writeCover(path, title string, chapters []chapter, paper size) (err error) {
	defer func() {
		// The library panics on text that it cannot take.
		if cause := recover(); cause != nil {
			err = engines.Errorf(engines.CodeConversionFailed, "the cover could not be set: %v", cause)
		}
	}()
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: paper.width, Ht: paper.height}})
	doc.AddUTF8FontFromBytes("Go", "", goregular.TTF)
	doc.AddUTF8FontFromBytes("Go", "B", gobold.TTF)
	doc.SetAutoPageBreak(false, 0)
	doc.SetTitle(title, true)
	doc.AddPage()
	y := coverTitle(doc, title, paper)
	coverContents(doc, chapters, y, paper)
	if err := doc.OutputFileAndClose(path); err != nil {
		return fmt.Errorf("write the cover: %w", err)
	}
	return nil
}

// coverTitle sets the title as large as it fits, and returns where it ends.
func coverTitle(doc *fpdf.Fpdf, title string, paper size) float64 {
	title, _ = text.Drawable(strings.Join(strings.Fields(title), " "))
	width := paper.width - 2*coverMargin
	points, lines := titleSize, []string(nil)
	for ; points > 10; points -= 2 {
		doc.SetFont("Go", "B", points)
		if lines = doc.SplitText(title, width); len(lines) <= titleLines {
			break
		}
	}
	doc.SetTextColor(27, 31, 36)
	y := coverTop
	for i, line := range lines {
		if i == titleLines-1 && len(lines) > titleLines {
			doc.Text(coverMargin, y, fitting(doc, line+"…", width))
			y += points * 1.25
			break
		}
		doc.Text(coverMargin, y, line)
		y += points * 1.25
	}
	doc.SetFillColor(20, 80, 160)
	doc.Rect(coverMargin, y-points*0.5, 64, 3, "F")
	return y + 28
}

// coverContents lists the documents with the numbers of their first pages, as many as there is room for.
func coverContents(doc *fpdf.Fpdf, chapters []chapter, y float64, paper size) {
	room := int((paper.height - contentsFloor - y) / contentsStep)
	page := 1
	for i, c := range chapters {
		doc.SetFont("Go", "", contentsSize)
		doc.SetTextColor(70, 76, 85)
		if i == room-1 && len(chapters) > room {
			doc.Text(coverMargin, y, "and "+plural(len(chapters)-i, "more document"))
			return
		}
		number := fmt.Sprint(page)
		right := paper.width - coverMargin
		name := fitting(doc, drawableName(c.title, "Document", i), right-coverMargin-60)
		doc.Text(coverMargin, y, name)
		doc.Text(right-doc.GetStringWidth(number), y, number)
		doc.SetDrawColor(210, 214, 220)
		doc.SetLineWidth(0.5)
		doc.Line(coverMargin+doc.GetStringWidth(name)+8, y-2, right-doc.GetStringWidth(number)-8, y-2)
		y += contentsStep
		page += c.pages
	}
}

// drawableName is a name as far as the fonts draw it; what they cannot draw gives way to a number.
func drawableName(name, what string, index int) string {
	drawn, missing := text.Drawable(name)
	if missing == "" && drawn != "" {
		return drawn
	}
	drawn, _ = text.Drawable(stem(name))
	return strings.Join(strings.Fields(fmt.Sprintf("%s %d %s", what, index+1, drawn)), " ")
}

// fitting cuts a text to a width.
func fitting(doc *fpdf.Fpdf, line string, width float64) string {
	if doc.GetStringWidth(line) <= width {
		return line
	}
	runes := []rune(line)
	for len(runes) > 0 && doc.GetStringWidth(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimSpace(string(runes)) + "…"
}
