package pdf_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// handmade is a PDF of one page of 360 by 200 points: what its catalog, its page and its content say, and objects from 6 on.
func handmade(catalog, page, content string, objects ...string) []byte {
	all := append([]string{
		"<</Type/Catalog/Pages 2 0 R" + catalog + ">>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 360 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/Properties<</L 6 0 R>>>>" + page + ">>",
		fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(content), content), "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
	}, objects...)
	var out bytes.Buffer
	out.WriteString("%PDF-1.7\n")
	var places []int
	for i, object := range all {
		places = append(places, out.Len())
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(all)+1)
	for _, place := range places {
		fmt.Fprintf(&out, "%010d 00000 n \n", place)
	}
	fmt.Fprintf(&out, "trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(all)+1, start)
	return out.Bytes()
}

func drawing(content string) string {
	return fmt.Sprintf("<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</F1 5 0 R>>>>/Length %d>>stream\n%s\nendstream", len(content), content)
}

const pageText = "BT /F1 14 Tf 40 150 Td (Page) Tj ET"

func TestWhatLiesOverAPage(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	reader := testkit.PDF(t)
	stamp := drawing("BT /F1 14 Tf 2 5 Td (Approved) Tj ET")
	for name, test := range map[string]struct {
		data []byte
		text string // with the words of the page
		note string
	}{
		"typed text with its drawing": {
			handmade("", "/Annots[6 0 R]", pageText, "<</Type/Annot/Subtype/FreeText/Contents(Approved)/Rect[120 145 320 165]/F 4/AP<</N 7 0 R>>>>", stamp), "Approved", "",
		},
		"typed text without one": {
			handmade("", "/Annots[6 0 R]", pageText, "<</Type/Annot/Subtype/FreeText/Contents(PAID)/DA(/F1 14 Tf 0 g)/Rect[120 145 320 165]/F 4>>"), "PAID", "1 values of form fields or texts",
		},
		"a stamp alone": {
			handmade("", "/Annots[6 0 R]", "", "<</Type/Annot/Subtype/Stamp/Rect[120 145 320 165]/F 4/AP<</N 7 0 R>>>>", stamp), "Approved", "",
		},
		"a comment": {
			handmade("", "/Annots[6 0 R]", pageText, "<</Type/Annot/Subtype/Text/Contents(fix the price)/Rect[300 20 320 40]/F 4>>"), "Page", "1 comments or notes",
		},
		"a comment nobody sees": {
			handmade("", "/Annots[6 0 R]", pageText, "<</Type/Annot/Subtype/Text/Contents(fix the price)/Rect[300 20 320 40]/F 2>>"), "Page", "",
		},
		"a field": {
			handmade("/AcroForm<</Fields[6 0 R]>>", "/Annots[6 0 R]", pageText, "<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Zelda)/Rect[120 145 320 165]/F 4/AP<</N 7 0 R>>>>",
				drawing("BT /F1 14 Tf 2 5 Td (Zelda) Tj ET")), "Zelda", "",
		},
		"a field without a drawing": {
			handmade("/AcroForm<</Fields[6 0 R]>>", "/Annots[6 0 R]", pageText, "<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Zelda)/Rect[120 145 320 165]/F 4>>"), "name: Zelda", "1 values of form fields",
		},
		"a ticked box": {
			handmade("/AcroForm<</Fields[6 0 R]>>", "/Annots[6 0 R]", pageText, "<</Type/Annot/Subtype/Widget/FT/Btn/T(ok)/V/Yes/AS/Yes/Rect[120 108 136 124]/F 4/AP<</N<</Yes 7 0 R/Off 7 0 R>>>>>>", stamp), "ok: Yes", "1 values of form fields",
		},
		"a box that is not ticked": {
			handmade("/AcroForm<</Fields[6 0 R]>>", "/Annots[6 0 R]", pageText, "<</Type/Annot/Subtype/Widget/FT/Btn/T(ok)/V/Off/AS/Off/Rect[120 108 136 124]/F 4/AP<</N<</Yes 7 0 R/Off 8 0 R>>>>>>", stamp, drawing("")), "Page", "",
		},
		"a layer that is switched off": {
			handmade("/OCProperties<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>", "", pageText+" /OC /L BDC BT /F1 14 Tf 40 100 Td (Hidden) Tj ET EMC", "<</Type/OCG/Name(x)>>"), "Hidden", "layers that are switched off",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, reader, "pdf", "txt", test.data)
			require.NoError(t, err)
			assert.Contains(t, out.Text(), test.text)
			assert.NotContains(t, out.Text(), "ok: Off")
			notes := strings.Join(out.Warnings[1:], "\n")
			if test.note == "" {
				assert.Empty(t, notes)
			}
			assert.Contains(t, notes, test.note)
		})
	}
}

func TestAnnotationsAreDrawn(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	reader := testkit.PDF(t)
	drawn := handmade("", "/Annots[6 0 R]", "", "<</Type/Annot/Subtype/FreeText/Contents(X)/Rect[120 145 320 165]/F 4/AP<</N 7 0 R>>>>", drawing("0 0 200 20 re f"))
	out, err := testkit.Convert(t, reader, "pdf", "png", drawn)
	require.NoError(t, err)
	m, err := png.Decode(bytes.NewReader(out.Data[0]))
	require.NoError(t, err)
	assert.Greater(t, testkit.Ink(m, image.Rect(255, 78, 660, 110)), 10_000)
	assert.Len(t, out.Warnings, 1)
	bare := handmade("", "/Annots[6 0 R]", "", "<</Type/Annot/Subtype/FreeText/Contents(X)/Rect[120 145 320 165]/F 4>>")
	out, err = testkit.Convert(t, reader, "pdf", "png", bare)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "1 annotations bring no drawing")
}

func TestWhyThereIsNoText(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	reader := testkit.PDF(t)
	picture := "<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>stream\n0\nendstream"
	for name, test := range map[string]struct {
		data   []byte
		reason string
	}{
		"pictures": {handmade("", "/Resources<</XObject<</P 6 0 R>>>>", "q 100 0 0 100 0 0 cm /P Do Q", picture), "only pictures of it"},
		"drawings": {handmade("", "", "0 0 50 50 re f"), "only drawings"},
		"nothing":  {handmade("", "", ""), "are empty"},
		"comments": {handmade("", "/Annots[6 0 R]", "", "<</Type/Annot/Subtype/Text/Contents(fix)/Rect[300 20 320 40]/F 4>>"), "1 comments on them"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := testkit.Convert(t, reader, "pdf", "txt", test.data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, "NO_TEXT_LAYER", e.Reason)
			assert.Contains(t, e.Message, test.reason)
		})
	}
}

// Objects may be packed, the list of layers among them.
// Letters that take two units of UTF-16: emoji, letters of formulas, rare Chinese ones.
func TestLettersBeyond16Bits(t *testing.T) {
	const letters = "1 beginbfchar <41> <D835DC5D> endbfchar 2 beginbfchar <42> <D842DF9F> <43> <D83DDEA2> endbfchar"
	mapping := "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange " + letters + " endcmap end"
	data := handmade("", "", "BT /F2 14 Tf 40 100 Td (A BCx) Tj ET",
		"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 7 0 R>>", fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(mapping), mapping))
	data = bytes.Replace(data, []byte("/F1 5 0 R"), []byte("/F2 6 0 R"), 1)
	out, err := testkit.Convert(t, testkit.PDF(t), "pdf", "txt", data)
	require.NoError(t, err)
	assert.Equal(t, "\U0001D45D \U00020B9F\U0001F6A2x\n", out.Text())
}

// A page whose fonts are those of all pages loses them when what is over it becomes a part of it.
func TestTextUnderAnnotationsKeepsItsFonts(t *testing.T) {
	const resources = "/Resources<</Font<</F1 5 0 R>>/Properties<</L 6 0 R>>>>"
	mapping := "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange 3 beginbfchar <21> <0053> <22> <0068> <23> <0069> endbfchar endcmap end"
	data := handmade("", "/Annots[8 0 R]", "BT /F1 14 Tf 40 100 Td (!\"#) Tj ET", "<</Type/OCG/Name(x)>>",
		fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(mapping), mapping),
		"<</Type/Annot/Subtype/FreeText/Rect[10 10 210 30]/Contents(PAID)/AP<</N 9 0 R>>>>", drawing("BT /F1 12 Tf 2 2 Td (PAID) Tj ET"))
	data = bytes.Replace(data, []byte("/BaseFont/Helvetica>>"), []byte("/BaseFont/Helvetica/ToUnicode 7 0 R>>"), 1)
	data = bytes.Replace(data, []byte(resources), nil, 1)
	data = bytes.Replace(data, []byte("/Count 1>>"), []byte("/Count 1"+resources+">>"), 1)
	out, err := testkit.Convert(t, testkit.PDF(t), "pdf", "txt", data)
	require.NoError(t, err)
	assert.Contains(t, out.Text(), "Shi")
	assert.Contains(t, out.Text(), "PAID")
}

// UTF-8 in the table of letters, where UTF-16 belongs.
func TestCyrillicThatLooksLikeHangul(t *testing.T) {
	mapping := "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange 4 beginbfchar <41> <D09C> <42> <D0B0> <43> <D181> <44> <AC00> endbfchar endcmap end"
	made := func(content string) testkit.Converted {
		data := handmade("", "", "BT /F1 14 Tf 40 100 Td ("+content+") Tj ET", "<</Type/OCG/Name(x)>>", fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(mapping), mapping))
		out, err := testkit.Convert(t, testkit.PDF(t), "pdf", "txt", bytes.Replace(data, []byte("/BaseFont/Helvetica>>"), []byte("/BaseFont/Helvetica/ToUnicode 7 0 R>>"), 1))
		require.NoError(t, err)
		return out
	}
	out := made("ABCCB ABCCB")
	assert.Equal(t, "Масса Масса\n", out.Text())
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "wrong table of its letters")
	korean := made("ABCCB ABCCBD")
	assert.Contains(t, korean.Text(), "\uAC00", "with other Hangul it is that")
	assert.NotContains(t, strings.Join(korean.Warnings, "\n"), "wrong table of its letters")
}

func TestLayersInPackedObjects(t *testing.T) {
	testkit.SkipUnderRace(t, "it draws pages, one after the other")
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, err := w.Write([]byte("7 0 <</D<</OFF [6 0 R]>>>>"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	object := fmt.Sprintf("<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n%s\nendstream", packed.Len(), packed.String())
	out, err := testkit.Convert(t, testkit.PDF(t), "pdf", "txt", handmade("", "", pageText, "<</Type/OCG/Name(x)>>", object))
	require.NoError(t, err)
	assert.Contains(t, strings.Join(out.Warnings, "\n"), "layers that are switched off")
}
