package text_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// Short forms of what Word writes.
func wordRun(text string, properties ...string) string {
	look := ""
	if len(properties) > 0 {
		look = "<w:rPr>" + strings.Join(properties, "") + "</w:rPr>"
	}
	return `<w:r>` + look + `<w:t xml:space="preserve">` + text + `</w:t></w:r>`
}

func wordParagraph(text string) string { return "<w:p>" + wordRun(text) + "</w:p>" }

func wordTable(rows ...string) string { return "<w:tbl>" + strings.Join(rows, "") + "</w:tbl>" }

func wordRow(cells ...string) string {
	return "<w:tr><w:tc>" + strings.Join(cells, "</w:tc><w:tc>") + "</w:tc></w:tr>"
}

// wordPicture shows relation "i".
func wordPicture(alt, crop string) string {
	return `<w:r><w:drawing><wp:inline><wp:extent cx="762000" cy="381000"/><wp:docPr id="1" name="Pic" descr="` + alt + `"/><a:graphic><a:graphicData><pic:pic><pic:nvPicPr><pic:cNvPr id="0" name="x.png"/></pic:nvPicPr>` +
		`<pic:blipFill><a:blip r:embed="i"/>` + crop + `<a:stretch><a:fillRect/></a:stretch></pic:blipFill><pic:spPr/></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>`
}

// redAndBlue is 80 x 40 pixels, its left half red.
func redAndBlue(tb testing.TB) string {
	tb.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 80, 40))
	for y := range 40 {
		for x := range 80 {
			m.Set(x, y, color.NRGBA{R: 255, A: 255})
			if x >= 40 {
				m.Set(x, y, color.NRGBA{B: 255, A: 255})
			}
		}
	}
	var out bytes.Buffer
	require.NoError(tb, png.Encode(&out, m))
	return out.String()
}

const wordPictureRelation = `<Relationships><Relationship Id="i" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" Target="media/a.png"/></Relationships>`

func TestWordCells(t *testing.T) {
	lines := wordTable(wordRow(wordParagraph("Item"), wordParagraph("Net"), wordParagraph("Gross")),
		wordRow(wordParagraph("Pump")+wordParagraph("with valve"), wordParagraph("100"), wordParagraph("119")),
		wordRow(wordParagraph("Pipe"), wordParagraph("20"), wordParagraph("24")))
	nested := wordTable(wordRow(wordParagraph("outer")+wordTable(wordRow(wordParagraph("n1"), wordParagraph("n2")), wordRow(wordParagraph("n3"), wordParagraph("n4"))), wordParagraph("beside")))
	for name, test := range map[string]struct {
		body, target string
		want         []string
	}{
		"two paragraphs, md":   {lines, "md", []string{"| Pump<br>with valve | 100 | 119   |", "| Pipe               | 20  | 24    |"}},
		"two paragraphs, html": {lines, "html", []string{"<td><p>Pump</p>\n<p>with valve</p></td><td>100</td>"}},
		"two paragraphs, txt":  {lines, "txt", []string{"Pump / with valve | 100 | 119"}},
		"nested, md":           {nested, "md", []string{"| outer<br>n1 / n2<br>n3 / n4 | beside |"}},
		"nested, html":         {nested, "html", []string{"<td><p>outer</p>\n<table>\n<tr><td>n1</td><td>n2</td></tr>"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := convert(t, "docx", test.target, wordFile(test.body)).Text()
			for _, part := range test.want {
				assert.Contains(t, out, part)
			}
		})
	}
}

func TestWordPictureInACell(t *testing.T) {
	picture := redAndBlue(t)
	content := wordFile(wordTable(wordRow(wordParagraph("Photo"), "<w:p>"+wordPicture("sign", "")+"</w:p>")), "word/_rels/document.xml.rels", wordPictureRelation, "word/media/a.png", picture)
	assert.Contains(t, convert(t, "docx", "html", content).Text(), base64.StdEncoding.EncodeToString([]byte(picture)))
	assert.Contains(t, convert(t, "docx", "md", content).Text(), base64.StdEncoding.EncodeToString([]byte(picture)))

	page := testkit.PDFPages(t, testkit.PDF(t), convert(t, "docx", "pdf", content).Data[0])[0]
	red, blue := 0, 0
	for y := range page.Bounds().Dy() {
		for x := range page.Bounds().Dx() {
			r, g, b, _ := page.At(x, y).RGBA()
			if r > 0xf000 && g < 0x1000 && b < 0x1000 {
				red++
			}
			if b > 0xf000 && g < 0x1000 && r < 0x1000 {
				blue++
			}
		}
	}
	assert.Greater(t, red, 500, "it is in the PDF")
	assert.Greater(t, blue, 500, "it is in the PDF")
}
