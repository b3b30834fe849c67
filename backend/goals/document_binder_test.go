package goals_test

import (
	"bytes"
	"context"
	"image/png"
	"strings"
	"testing"

	"codeberg.org/go-pdf/fpdf"
	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func bookmarks(tb testing.TB, document []byte) []pdfcpu.Bookmark {
	tb.Helper()
	api.DisableConfigDir()
	marks, err := api.Bookmarks(bytes.NewReader(document), model.NewDefaultConfiguration())
	require.NoError(tb, err)
	return marks
}

// onlyPage has one page drawn, from 1.
func onlyPage(number int) func(*engines.Request) {
	return func(in *engines.Request) { in.Pages = engines.PageRange{{First: number, Last: number}} }
}

func TestBinder(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	j := start(t, "goal_lane.document_binder", example(t, "report.md"), example(t, "brochure.pdf"), example(t, "photo.png"), example(t, "letter.docx"), example(t, "people.csv"))
	slots := j.asked("title", "order", "paper")
	assert.Contains(t, string(slots["title"].SuggestedValue), "Quarterly report: Ærøskøbing ferry")
	assert.Len(t, slots["order"].Options, 5)
	assert.Equal(t, "report.md", slots["order"].Options[0].Label)
	j.accept()
	j.answer("title", "Summer 2026: what the harbour asks for")
	j.answer("order", []string{"file_letter_docx", "file_brochure_pdf", "file_photo_png", "file_people_csv", "file_report_md"})
	j.confirm()

	j.asked("cover")
	before, err := png.Decode(bytes.NewReader(j.shown("cover")))
	require.NoError(t, err)
	assert.Greater(t, testkit.Ink(before, before.Bounds()), 5000)
	j.answer("cover", "change_title")
	j.asked("title")
	j.answer("title", "Ærø – Здравствуйте")
	j.asked("cover")
	j.shown("cover")
	j.answer("cover", "approve")

	out := j.done()
	document := out["Ærø – Здравствуйте.pdf"]
	require.NotEmpty(t, document, "%v", j.last.Files)
	assert.Empty(t, j.last.Missing)
	pages := strings.Split(testkit.PDFText(t, j.pdf, document), "\f")
	pictures := testkit.PDFPages(t, j.pdf, document)
	require.Len(t, pictures, len(pages))
	assert.Contains(t, pages[0], "Ærø – Здравствуйте")
	assert.NotContains(t, pages[0], "Summer 2026")
	for i, page := range pages[1:] {
		assert.Contains(t, strings.Fields(page), decimal(i+1), "page %d carries its number", i+2)
	}
	marks := bookmarks(t, document)
	var titles []string
	for _, m := range marks {
		titles = append(titles, m.Title)
	}
	assert.Equal(t, []string{"Ærø – Здравствуйте", "letter", "brochure", "photo", "people", "report"}, titles)
	assert.Contains(t, pages[marks[1].PageFrom-1], "To the harbour office")
	assert.Contains(t, pages[marks[2].PageFrom-1], "Sail with us")
	for i, m := range pictures {
		keepPicture(t, "page-"+decimal(i), m)
		assert.Greater(t, testkit.Ink(m, m.Bounds()), 200, "page %d shows something", i+1)
	}
}

func TestBinderWithoutCover(t *testing.T) {
	testkit.SkipIfShort(t, "it draws many pages")
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	j := start(t, "goal_lane.document_binder", example(t, "notes.txt"), example(t, "brochure.pdf"))
	j.asked("title", "order", "paper")
	j.accept()
	j.answer("paper", "letter")
	j.answer("order", []string{"file_brochure_pdf"})
	j.confirm()
	j.asked("cover")
	j.answer("cover", "no_cover")
	out := j.done()
	for _, document := range out {
		pages := strings.Split(testkit.PDFText(t, j.pdf, document), "\f")
		require.Len(t, pages, 2, "the one that was left out is left out")
		assert.Contains(t, pages[0], "Sail with us")
		dims, err := api.PageDims(bytes.NewReader(document), nil)
		require.NoError(t, err)
		assert.InDelta(t, 612, dims[0].Width, 0.5)
		assert.InDelta(t, 792, dims[0].Height, 0.5)
	}
}

// sheet is a page of its own size, with words in its corners, which a rotation may turn.
func sheet(tb testing.TB, width, height float64, rotate int) []byte {
	tb.Helper()
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: width, Ht: height}})
	doc.SetFont("Helvetica", "", 30)
	doc.SetAutoPageBreak(false, 0)
	doc.AddPage()
	doc.Text(20, 40, "upper left")
	doc.Text(width-160, height-20, "lower right")
	doc.Rect(1, 1, width-2, height-2, "D")
	doc.LinkString(20, 10, 140, 40, "https://example.org/")
	var out bytes.Buffer
	require.NoError(tb, doc.Output(&out))
	if rotate == 0 {
		return out.Bytes()
	}
	var turned bytes.Buffer
	api.DisableConfigDir()
	require.NoError(tb, api.Rotate(bytes.NewReader(out.Bytes()), &turned, rotate, nil, nil))
	return turned.Bytes()
}

func TestBinderFitsOddPages(t *testing.T) {
	testkit.SkipIfShort(t, "it draws many pages")
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	j := start(t, "goal_lane.document_binder",
		input(t, "small.pdf", sheet(t, 300, 400, 0)), input(t, "wide.pdf", sheet(t, 2000, 700, 0)), input(t, "turned.pdf", sheet(t, 500, 800, 90)),
		input(t, "over.pdf", sheet(t, 500, 800, 180)), input(t, "back.pdf", sheet(t, 500, 800, 270)))
	j.asked("title", "order", "paper")
	j.accept()
	j.confirm()
	j.asked("cover")
	j.accept()
	document := j.done()["small.pdf"]
	dims, err := api.PageDims(bytes.NewReader(document), nil)
	require.NoError(t, err)
	require.Len(t, dims, 6)
	for i, lying := range []bool{false, false, true, true, false, true} {
		assert.Equal(t, lying, dims[i].Width > dims[i].Height, "page %d", i+1)
		assert.InDelta(t, 595.28+841.89, dims[i].Width+dims[i].Height, 1)
	}
	for i, m := range testkit.PDFPages(t, j.pdf, document) {
		keepPicture(t, "page-"+decimal(i), m)
		if i == 0 {
			continue
		}
		b := m.Bounds()
		foot := b
		foot.Min.Y = b.Max.Y - 45
		foot.Min.X = b.Max.X - 150
		assert.Greater(t, testkit.Ink(m, foot), 15, "the number of page %d stands in its foot", i+1)
		foot.Min.X, foot.Max.X = b.Min.X, b.Max.X-150
		assert.Zero(t, testkit.Ink(m, foot), "and nothing else on page %d", i+1)
	}
}

func TestBinderPartial(t *testing.T) {
	testkit.SkipIfShort(t, "it draws many pages")
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	j := start(t, "goal_lane.document_binder", input(t, "broken.pdf", []byte("%PDF-1.4 and nothing")), example(t, "report.md"), input(t, "empty.txt", []byte(" ")))
	j.asked("title", "order", "paper")
	j.accept()
	j.confirm()
	j.asked("cover")
	j.accept()
	j.done()
	require.Len(t, j.last.Missing, 2)
	assert.Contains(t, j.last.Missing[0], "broken.pdf: the PDF is damaged")
	assert.Contains(t, j.last.Missing[1], "empty.txt: ")
}

func TestBinderOfNothing(t *testing.T) {
	j := start(t, "goal_lane.document_binder", input(t, "broken.pdf", []byte("nothing")))
	j.asked("title", "order", "paper")
	j.accept()
	j.confirm()
	var failure *goals.Failure
	require.ErrorAs(t, j.pass(), &failure)
	assert.Equal(t, goals.CodeUnusable, failure.Code)
	assert.Contains(t, failure.Message, "broken.pdf")
}

func TestBinderRefusesTitlesItCannotDraw(t *testing.T) {
	testkit.SkipIfShort(t, "it draws many pages")
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	j := start(t, "goal_lane.document_binder", input(t, "日本語.txt", []byte("words\n")))
	slots := j.asked("title", "order", "paper")
	assert.JSONEq(t, `"Documents"`, string(slots["title"].SuggestedValue))
	j.accept()
	j.answer("title", "報告 2026 😀")
	slots = j.asked("title")
	assert.Contains(t, slots["title"].Question, "報")
	assert.Nil(t, slots["title"].SuggestedValue)
	j.answer("title", "Report 2026")
	j.confirm()
	j.asked("cover")
	assert.NotEmpty(t, j.shown("cover"))
	j.accept()
	document := j.done()["Report 2026.pdf"]
	assert.Equal(t, "日本語", bookmarks(t, document)[1].Title)
	assert.Contains(t, testkit.PDFText(t, j.pdf, document), "Document 1")
}

func TestBinderGoesOnWhereItStopped(t *testing.T) {
	j := start(t, "goal_lane.document_binder", example(t, "notes.txt"), example(t, "report.md"), example(t, "photo.png"))
	j.asked("title", "order", "paper")
	j.accept()
	j.confirm()
	ctx, stop := context.WithCancel(t.Context())
	done := map[string]int{}
	counting := func(at string) goals.Converter {
		return func(ctx context.Context, in goals.Input, target, dir string) ([]goals.File, []string, error) {
			if in.Name == at {
				stop()
				return nil, nil, ctx.Err()
			}
			done[in.Name]++
			return j.convert(ctx, in, target, dir)
		}
	}
	task := func(convert goals.Converter) *goals.Task {
		return &goals.Task{Inputs: j.inputs, Dir: j.dir, Answers: j.answers, Confirmed: true, Convert: convert, Report: func(int, string) {}}
	}
	require.ErrorIs(t, j.goal.Run(ctx, task(counting("photo.png"))), context.Canceled)
	require.ErrorIs(t, j.goal.Run(t.Context(), task(counting(""))), goals.ErrWaiting)
	assert.Equal(t, map[string]int{"notes.txt": 1, "report.md": 1, "photo.png": 1, "cover.pdf": 1}, done, "what was converted is not converted again")
}

func TestBinderForgetsARefusedTitle(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	j := start(t, "goal_lane.document_binder", input(t, "harbour_plan.txt", []byte("words\n")))
	slots := j.asked("title", "order", "paper")
	assert.JSONEq(t, `"harbour plan"`, string(slots["title"].SuggestedValue))
	j.accept()
	j.answer("title", "港")
	j.asked("title")
	j.answer("title", strings.Repeat("A very long title of a very long story ", 40))
	j.confirm()
	j.asked("cover")
	j.shown("cover")
	j.answer("cover", "change_title")
	slots = j.asked("title")
	assert.NotContains(t, slots["title"].Question, "港", "that was another title")
	assert.JSONEq(t, `"harbour plan"`, string(slots["title"].SuggestedValue))
}

func TestBinderTooLarge(t *testing.T) {
	big := example(t, "notes.txt")
	big.Size = 600 << 20
	j := start(t, "goal_lane.document_binder", big)
	j.asked("title", "order", "paper")
	j.accept()
	j.confirm()
	var failure *goals.Failure
	require.ErrorAs(t, j.pass(), &failure)
	assert.Equal(t, goals.CodeTooLarge, failure.Code)
}

func TestBinderKeepsBookmarksAndCropping(t *testing.T) {
	testkit.SkipIfShort(t, "it binds 41 documents")
	doc := fpdf.New("P", "pt", "A4", "")
	doc.SetFont("Helvetica", "", 30)
	for i := range 3 {
		doc.AddPage()
		doc.Bookmark("Part "+decimal(i+1), i%2, 0)
		doc.Text(100, 100, "cut off")
		doc.Text(100, 500, "Words of part "+decimal(i+1))
	}
	var out, cropped bytes.Buffer
	require.NoError(t, doc.Output(&out))
	api.DisableConfigDir()
	box, err := api.Box("[50 100 550 500]", 0)
	require.NoError(t, err)
	require.NoError(t, api.Crop(bytes.NewReader(out.Bytes()), &cropped, nil, box, nil))

	inputs := []goals.Input{input(t, "parts.pdf", cropped.Bytes())}
	for i := range 40 {
		inputs = append(inputs, input(t, "note "+decimal(i)+".txt", []byte("Note "+decimal(i)+"\n")))
	}
	j := start(t, "goal_lane.document_binder", inputs...)
	j.asked("title", "order", "paper")
	j.accept()
	j.confirm()
	j.asked("cover")
	j.accept()
	document := j.done()["parts.pdf"]
	marks := bookmarks(t, document)
	require.Len(t, marks, 42)
	assert.Equal(t, "parts", marks[1].Title)
	require.Len(t, marks[1].Kids, 2)
	assert.Equal(t, "Part 1", marks[1].Kids[0].Title)
	assert.Equal(t, "Part 2", marks[1].Kids[0].Kids[0].Title)
	assert.Equal(t, 4, marks[1].Kids[1].PageFrom)
	assert.Equal(t, 44, marks[41].PageFrom)
	pages := strings.Split(testkit.PDFText(t, j.pdf, document), "\f")
	assert.Regexp(t, `and \d+ more documents`, pages[0])
	assert.Contains(t, pages[43], "Note 39")
	picture := testkit.PDFPages(t, j.pdf, document, onlyPage(2))[0]
	keepPicture(t, "cropped", picture)
	upper := picture.Bounds()
	upper.Max.Y /= 8
	assert.Zero(t, testkit.Ink(picture, upper), "what was cropped stays out of sight")
	assert.Greater(t, testkit.Ink(picture, picture.Bounds()), 1000)
}
