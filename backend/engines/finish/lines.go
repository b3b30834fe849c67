package finish

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"codeberg.org/go-pdf/fpdf"
	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client/option"
)

const (
	lineSize = 8.0  // points
	lineEdge = 17.0 // points from the edge of the page to the middle of the line: 6 mm
)

// setLines sets a line at the top and at the bottom of each page, in the margin.
func setLines(in engines.Request, data []byte) ([]byte, []string, error) {
	header, footer := in.Options[option.NameHeader], in.Options[option.NameFooter]
	if header == "" && footer == "" {
		return data, nil, nil
	}
	title := in.Options[option.NameTitle]
	if title == "" {
		title = in.Stem
	}
	header, footer = strings.ReplaceAll(header, "{title}", title), strings.ReplaceAll(footer, "{title}", title)
	for _, line := range []string{header, footer} {
		if _, missing := text.Drawable(line); missing != "" {
			return nil, nil, engines.Errorf(engines.CodeInvalidParameters, "no font at hand draws %q of the header or footer; Latin, Greek and Cyrillic letters are drawn", missing)
		}
	}
	doc, err := read(data)
	if err != nil {
		return nil, nil, err
	}
	sizes, err := pageSizes(doc)
	if err != nil {
		return nil, nil, failed(err)
	}
	overlay, err := overlayOf(sizes, header, footer)
	if err != nil {
		return nil, nil, err
	}
	marks := map[int]*model.Watermark{}
	for page := range sizes {
		mark, err := api.PDFWatermarkForReadSeeker(bytes.NewReader(overlay), page+1, "scale:1 abs, rot:0, pos:c, op:1", true, false, types.POINTS)
		if err != nil {
			return nil, nil, failed(err)
		}
		marks[page+1] = mark
	}
	if err := pdfcpu.AddWatermarksMap(doc, marks); err != nil {
		return nil, nil, failed(err)
	}
	data, err = written(doc)
	return data, nil, err
}

// overlayOf are pages of these sizes with nothing on them but the two lines.
func overlayOf(sizes []types.Dim, header, footer string) ([]byte, error) {
	doc := fpdf.New("P", "pt", "A4", "")
	doc.AddUTF8FontFromBytes("Go", "", goregular.TTF)
	doc.SetAutoPageBreak(false, 0)
	doc.SetMargins(0, 0, 0)
	doc.SetTextColor(70, 76, 85)
	for i, size := range sizes {
		doc.AddPageFormat("P", fpdf.SizeType{Wd: size.Width, Ht: size.Height})
		fill := strings.NewReplacer("{page}", strconv.Itoa(i+1), "{pages}", strconv.Itoa(len(sizes)))
		for _, line := range []struct {
			text string
			y    float64
		}{{header, lineEdge}, {footer, size.Height - lineEdge}} {
			drawn, _ := text.Drawable(fill.Replace(line.text))
			doc.SetFont("Go", "", lineSize)
			if width := doc.GetStringWidth(drawn); width > size.Width-2*lineEdge {
				doc.SetFont("Go", "", lineSize*(size.Width-2*lineEdge)/width)
			}
			doc.Text((size.Width-doc.GetStringWidth(drawn))/2, line.y+lineSize*0.35, drawn)
		}
	}
	var out bytes.Buffer
	if err := doc.Output(&out); err != nil {
		return nil, fmt.Errorf("set the header and footer: %w", err)
	}
	return out.Bytes(), nil
}
