// Package linked makes documents that link to files beside them, as strangers would to have those read.
package linked

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Words are in each of the files that nobody must read, and Colour fills those that are pictures.
const Words = "CANARY-7731"

// Colour is that of the pictures.
var Colour = color.RGBA{R: 229, G: 0, B: 164, A: 255}

// Document links to a file in the folder that it was made for.
type Document struct {
	Format, Kind string
	// Address is the one that it links to as it is written, where that is one alone.
	Address string
	// Spelled is true where the spelling of its address alone makes it differ from another.
	Spelled bool
	Data    []byte
}

// Name tells documents apart.
func (d Document) Name() string { return d.Format + " " + d.Kind }

// Canaries writes the files that nobody must read into a folder.
func Canaries(tb testing.TB, dir string) {
	tb.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 80, 80))
	draw.Draw(picture, picture.Rect, image.NewUniform(Colour), image.Point{}, draw.Src)
	var encoded bytes.Buffer
	require.NoError(tb, png.Encode(&encoded, picture))
	var photo bytes.Buffer
	require.NoError(tb, jpeg.Encode(&photo, picture, &jpeg.Options{Quality: 100}))
	for name, content := range map[string]string{
		"canary.png": encoded.String(), "canary.jpg": photo.String(),
		"canary.svg": `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80"><rect width="80" height="80" fill="#e500a4"/><text>` + Words + `</text></svg>`,
		"canary.pdf": onePage(),
		"canary.txt": Words + "\n", "canary.csv": Words + "," + Words + "\n",
		"canary.css":  "p:before{content:'" + Words + "'}",
		"canary.html": "<table><tr><td>" + Words + "</td></tr></table>",
	} {
		require.NoError(tb, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
}

// onePage is a PDF with a page in the colour.
func onePage() string {
	content := "0.898 0 0.643 rg 0 0 80 80 re f 0 g BT /F 8 Tf 4 4 Td (" + Words + ") Tj ET"
	objects := []string{
		"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 80 80]/Contents 4 0 R/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
		fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(content), content),
	}
	var out strings.Builder
	out.WriteString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, object := range objects {
		offsets[i] = out.Len()
		fmt.Fprintf(&out, "%d 0 obj%s\nendobj\n", i+1, object)
	}
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&out, "trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return out.String()
}

// Documents link to the files that Canaries wrote into dir.
func Documents(tb testing.TB, dir string) []Document {
	tb.Helper()
	at := func(name string) string { return "file://" + filepath.Join(dir, name) }
	var out []Document
	add := func(format, kind string, data []byte) {
		out = append(out, Document{Format: format, Kind: kind, Data: data})
	}
	for _, picture := range []string{"png", "svg", "pdf"} {
		address := at("canary." + picture)
		add("docx", "picture "+picture, docx(tb, blip, rel("rId9", "image", address)))
		add("pptx", "picture "+picture, pptx(tb, rel("rId9", "image", address)))
		add("odt", "picture "+picture, odf(tb, "text", `<text:p><draw:frame text:anchor-type="as-char" svg:width="3cm" svg:height="3cm"><draw:image `+onLoad(address)+`/></draw:frame></text:p>`))
		add("odp", "picture "+picture, odf(tb, "presentation", page(`<draw:frame svg:x="1cm" svg:y="1cm" svg:width="3cm" svg:height="3cm"><draw:image `+onLoad(address)+`/></draw:frame>`)))
		add("ods", "picture "+picture, odf(tb, "spreadsheet", sheet(`<table:shapes><draw:frame svg:x="1cm" svg:y="1cm" svg:width="3cm" svg:height="3cm"><draw:image `+onLoad(address)+`/></draw:frame></table:shapes>`, "")))
		add("xlsx", "picture "+picture, xlsx(tb, "", rel("rId9", "image", address)))
		add("rtf", "picture "+picture, []byte(`{\rtf1\ansi before {\field{\*\fldinst { INCLUDEPICTURE "`+address+`" \\d}}{\fldrslt x}} behind}`))
		add("html", "picture "+picture, []byte(`<html><body><p>before</p><img width=80 height=80 src="`+address+`"><p>behind</p></body></html>`))
	}
	return slices.Concat(out, others(tb, at), matrix(tb, dir))
}

// others are links of kinds that few formats have.
func others(tb testing.TB, at func(string) string) []Document {
	tb.Helper()
	picture, text := at("canary.png"), at("canary.txt")
	field := func(pieces ...string) string {
		out := `<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r>`
		for _, piece := range pieces {
			out += `<w:r><w:instrText xml:space="preserve">` + piece + `</w:instrText></w:r>`
		}
		return out + `<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>x</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>`
	}
	flat := `<?xml version="1.0" encoding="UTF-8"?><office:document ` + spaces + ` office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.text"><office:body><office:text>` +
		`<text:p>before<draw:frame text:anchor-type="as-char" svg:width="3cm" svg:height="3cm"><draw:image ` + onLoad(picture) + `/></draw:frame></text:p></office:text></office:body></office:document>`
	rich := `{\rtf1\ansi before {\field{\*\fldinst { INCLUDETEXT "` + text + `"}}{\fldrslt x}}{\field{\*\fldinst { INCLUDEPICTURE "` + picture + `"}}{\fldrslt x}} behind}`
	wide := []byte{0xFF, 0xFE}
	for _, r := range `<html><body><p>before</p><img width=80 height=80 src="` + picture + `"></body></html>` {
		wide = append(wide, byte(r), byte(r>>8))
	}
	drawing := `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="90" height="90"><image width="80" height="80" xlink:href="` + picture + `"/></svg>`
	xlsxFormula := func(formula string, rels ...string) []byte {
		return xlsx(tb, `<c r="A1" t="str"><f>`+formula+`</f><v>kept</v></c>`, rels...)
	}
	return []Document{
		{Format: "docx", Kind: "field INCLUDEPICTURE", Data: docx(tb, field(` INCLUDE`, `PICTURE "`+picture+`" \d `))},
		{Format: "docx", Kind: "field INCLUDETEXT", Data: docx(tb, field(` INCLUDETEXT "`+text+`" `))},
		{Format: "docx", Kind: "simple field", Data: docx(tb, `<w:p><w:fldSimple w:instr=" INCLUDEPICTURE &quot;`+picture+`&quot; "><w:r><w:t>x</w:t></w:r></w:fldSimple></w:p>`)},
		{Format: "docx", Kind: "old picture", Data: docx(tb, `<w:p><w:r><w:pict><v:shape style="width:80pt;height:80pt"><v:imagedata r:id="rId9"/></v:shape></w:pict></w:r></w:p>`, rel("rId9", "image", picture))},
		{Format: "docx", Kind: "old picture src", Data: docx(tb, `<w:p><w:r><w:pict><v:shape style="width:80pt;height:80pt"><v:imagedata src="`+picture+`"/></v:shape></w:pict></w:r></w:p>`)},
		{Format: "docx", Kind: "picture by hyperlink", Data: docx(tb, blip, rel("rId9", "hyperlink", picture))},
		{Format: "docx", Kind: "chunk", Data: docx(tb, `<w:p/><w:altChunk r:id="rId9"/>`, rel("rId9", "aFChunk", at("canary.html")))},
		{Format: "docx", Kind: "subdocument", Data: docx(tb, `<w:subDoc r:id="rId9"/>`, rel("rId9", "subDocument", text))},
		{Format: "docx", Kind: "object", Data: docx(tb, `<w:p><w:r><w:object><v:shape id="s" style="width:80pt;height:80pt"/><o:OLEObject Type="Link" ProgID="Package" ShapeID="s" r:id="rId9" UpdateMode="Always"/></w:object></w:r></w:p>`, rel("rId9", "oleObject", at("canary.csv")))},
		{Format: "xlsx", Kind: "external book", Data: xlsxFormula(`'` + at("") + `[canary.csv]canary'!A1`)},
		{Format: "xlsx", Kind: "web service", Data: xlsxFormula(`_xlfn.WEBSERVICE("` + text + `")`)},
		{Format: "odt", Kind: "section", Data: odf(tb, "text", `<text:section text:name="s"><text:section-source `+onLoad(text)+`/><text:p>x</text:p></text:section>`)},
		{Format: "odt", Kind: "object", Data: odf(tb, "text", `<text:p><draw:frame text:anchor-type="as-char" svg:width="3cm" svg:height="3cm"><draw:object `+onLoad(at("canary.csv"))+`/></draw:frame></text:p>`)},
		{Format: "odt", Kind: "frame", Data: odf(tb, "text", `<text:p><draw:frame text:anchor-type="as-char" svg:width="3cm" svg:height="3cm"><draw:floating-frame `+onLoad(at("canary.html"))+`/></draw:frame></text:p>`)},
		{Format: "ods", Kind: "linked table", Data: odf(tb, "spreadsheet", sheet(`<table:table-source table:filter-name="Text - txt - csv (StarCalc)" table:table-name="canary" `+onLoad(at("canary.csv"))+`/>`, ""))},
		{Format: "ods", Kind: "external formula", Data: odf(tb, "spreadsheet", sheet("", `<table:table-cell table:formula="of:=['`+at("canary.csv")+`'#$canary.A1]" office:value-type="string" office:string-value="kept"><text:p>kept</text:p></table:table-cell>`))},
		{Format: "ods", Kind: "DDE formula", Data: odf(tb, "spreadsheet", sheet("", `<table:table-cell table:formula="of:=DDE(&quot;soffice&quot;;&quot;`+at("canary.csv")+`&quot;;&quot;A1&quot;)" office:value-type="string" office:string-value="kept"><text:p>kept</text:p></table:table-cell>`))},
		{Format: "ods", Kind: "web service", Data: odf(tb, "spreadsheet", sheet("", `<table:table-cell table:formula="of:=COM.MICROSOFT.WEBSERVICE(&quot;`+text+`&quot;)" office:value-type="string" office:string-value="kept"><text:p>kept</text:p></table:table-cell>`))},
		{Format: "rtf", Kind: "field INCLUDETEXT", Data: []byte(rich)},
		{Format: "html", Kind: "style sheet", Data: []byte(`<html><head><style>body{background:url(` + picture + `)}</style></head><body><p>before</p></body></html>`)},
		{Format: "html", Kind: "background", Data: []byte(`<html><body background="` + picture + `"><p>before</p></body></html>`)},
		{Format: "html", Kind: "frame", Data: []byte(`<html><body><p>before</p><iframe src="` + at("canary.html") + `"></iframe><object data="` + at("canary.html") + `"></object></body></html>`)},
		{Format: "html", Kind: "UTF-16", Data: wide},
		{Format: "html", Kind: "flat ODF", Data: []byte(flat)},
		{Format: "txt", Kind: "rich text", Data: []byte(rich)},
		{Format: "txt", Kind: "flat ODF", Data: []byte(flat)},
		{Format: "csv", Kind: "external formula", Data: []byte(`a,='` + at("canary.csv") + `'#$canary.A1` + "\n")},
		{Format: "epub", Kind: "picture", Data: epub(tb, `<p>before</p><img src="`+picture+`" alt="x"/>`, "")},
		{Format: "epub", Kind: "style sheet", Data: epub(tb, `<p>before</p>`, `p{background:url(`+picture+`)}`)},
		{Format: "svg", Kind: "picture", Data: []byte(drawing)},
		{Format: "svg", Kind: "drawing in a drawing", Data: []byte(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="90" height="90"><image width="80" height="80" xlink:href="data:image/svg+xml;base64,` + base64.StdEncoding.EncodeToString([]byte(drawing)) + `"/></svg>`)},
		{Format: "md", Kind: "picture", Data: []byte("before\n\n![x](" + picture + ")\n\n<img src=\"" + picture + "\">\n")},
	}
}

func onLoad(address string) string {
	return `xlink:href="` + address + `" xlink:type="simple" xlink:show="embed" xlink:actuate="onLoad"`
}

const blip = `<w:p><w:r><w:t>before</w:t></w:r><w:r><w:drawing><wp:inline><wp:extent cx="1000000" cy="1000000"/><wp:docPr id="1" name="p"/><a:graphic>` +
	`<a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:pic><pic:nvPicPr><pic:cNvPr id="1" name="p"/><pic:cNvPicPr/></pic:nvPicPr>` +
	`<pic:blipFill><a:blip r:link="rId9"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill><pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="1000000" cy="1000000"/></a:xfrm>` +
	`<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>`

const office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

// rel is a relation to something outside.
func rel(id, kind, address string) string {
	return `<Relationship Id="` + id + `" Type="` + office + `/` + kind + `" Target="` + address + `" TargetMode="External"/>`
}

func inner(id, kind, target string) string {
	return `<Relationship Id="` + id + `" Type="` + office + `/` + kind + `" Target="` + target + `"/>`
}

func rels(all ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` + strings.Join(all, "") + `</Relationships>`
}

// parts are name and content by turns, in the order of the archive.
func archive(tb testing.TB, parts ...string) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(parts); i += 2 {
		header := &zip.FileHeader{Name: parts[i], Method: zip.Deflate}
		if parts[i] == "mimetype" {
			header.Method = zip.Store
		}
		part, err := w.CreateHeader(header)
		require.NoError(tb, err)
		_, err = part.Write([]byte(parts[i+1]))
		require.NoError(tb, err)
	}
	require.NoError(tb, w.Close())
	return out.Bytes()
}

func types(parts ...string) string {
	out := `<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>`
	for i := 0; i < len(parts); i += 2 {
		out += `<Override PartName="` + parts[i] + `" ContentType="application/vnd.openxmlformats-officedocument.` + parts[i+1] + `+xml"/>`
	}
	return out + `</Types>`
}

func docx(tb testing.TB, body string, relations ...string) []byte {
	tb.Helper()
	return archive(tb, "[Content_Types].xml", types("/word/document.xml", "wordprocessingml.document.main"),
		"_rels/.rels", rels(inner("rId1", "officeDocument", "word/document.xml")),
		"word/_rels/document.xml.rels", rels(relations...),
		"word/document.xml", `<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="`+office+`" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture" xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"><w:body>`+body+`<w:sectPr/></w:body></w:document>`)
}

func pptx(tb testing.TB, relations ...string) []byte {
	tb.Helper()
	head := `xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="` + office + `" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"`
	tree := func(shapes string) string {
		return `<p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>` + shapes + `</p:spTree></p:cSld>`
	}
	return archive(tb, "[Content_Types].xml", types("/ppt/presentation.xml", "presentationml.presentation.main", "/ppt/slides/slide1.xml", "presentationml.slide", "/ppt/slideMasters/slideMaster1.xml", "presentationml.slideMaster", "/ppt/slideLayouts/slideLayout1.xml", "presentationml.slideLayout"),
		"_rels/.rels", rels(inner("rId1", "officeDocument", "ppt/presentation.xml")),
		"ppt/_rels/presentation.xml.rels", rels(inner("rId1", "slideMaster", "slideMasters/slideMaster1.xml"), inner("rId2", "slide", "slides/slide1.xml")),
		"ppt/presentation.xml", `<p:presentation `+head+`><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst><p:sldIdLst><p:sldId id="256" r:id="rId2"/></p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>`,
		"ppt/slideMasters/_rels/slideMaster1.xml.rels", rels(inner("rId1", "slideLayout", "../slideLayouts/slideLayout1.xml")),
		"ppt/slideMasters/slideMaster1.xml", `<p:sldMaster `+head+`>`+tree("")+`<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/><p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst></p:sldMaster>`,
		"ppt/slideLayouts/_rels/slideLayout1.xml.rels", rels(inner("rId1", "slideMaster", "../slideMasters/slideMaster1.xml")),
		"ppt/slideLayouts/slideLayout1.xml", `<p:sldLayout `+head+`>`+tree("")+`</p:sldLayout>`,
		"ppt/slides/_rels/slide1.xml.rels", rels(append(relations, inner("rId1", "slideLayout", "../slideLayouts/slideLayout1.xml"))...),
		"ppt/slides/slide1.xml", `<p:sld `+head+`>`+tree(`<p:pic><p:nvPicPr><p:cNvPr id="2" name="p"/><p:cNvPicPr/><p:nvPr/></p:nvPicPr><p:blipFill><a:blip r:link="rId9"/><a:stretch><a:fillRect/></a:stretch></p:blipFill><p:spPr><a:xfrm><a:off x="1000000" y="1000000"/><a:ext cx="2000000" cy="2000000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr></p:pic>`)+`</p:sld>`)
}

// xlsx has a picture where a relation is given.
func xlsx(tb testing.TB, cell string, relations ...string) []byte {
	tb.Helper()
	drawing, more := "", []string{}
	if len(relations) > 0 {
		drawing = `<drawing r:id="rId1"/>`
		more = []string{
			"xl/worksheets/_rels/sheet1.xml.rels", rels(inner("rId1", "drawing", "../drawings/drawing1.xml")),
			"xl/drawings/_rels/drawing1.xml.rels", rels(relations...),
			"xl/drawings/drawing1.xml", `<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="` + office + `"><xdr:oneCellAnchor><xdr:from><xdr:col>1</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>1</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="1000000" cy="1000000"/><xdr:pic><xdr:nvPicPr><xdr:cNvPr id="1" name="p"/><xdr:cNvPicPr/></xdr:nvPicPr><xdr:blipFill><a:blip r:link="rId9"/><a:stretch><a:fillRect/></a:stretch></xdr:blipFill><xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="1000000" cy="1000000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr></xdr:pic><xdr:clientData/></xdr:oneCellAnchor></xdr:wsDr>`,
		}
	}
	if cell == "" {
		cell = `<c r="A1"><v>1</v></c>`
	}
	return archive(tb, append([]string{
		"[Content_Types].xml", types("/xl/workbook.xml", "spreadsheetml.sheet.main", "/xl/worksheets/sheet1.xml", "spreadsheetml.worksheet", "/xl/drawings/drawing1.xml", "drawing"),
		"_rels/.rels", rels(inner("rId1", "officeDocument", "xl/workbook.xml")),
		"xl/_rels/workbook.xml.rels", rels(inner("rId1", "worksheet", "worksheets/sheet1.xml")),
		"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="` + office + `"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/worksheets/sheet1.xml", `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="` + office + `"><sheetData><row r="1">` + cell + `</row></sheetData>` + drawing + `</worksheet>`,
	}, more...)...)
}

const spaces = `xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"`

func odf(tb testing.TB, kind, body string) []byte {
	tb.Helper()
	mime := "application/vnd.oasis.opendocument." + kind
	return archive(tb, "mimetype", mime,
		"META-INF/manifest.xml", `<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.2"><manifest:file-entry manifest:full-path="/" manifest:media-type="`+mime+`"/><manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/><manifest:file-entry manifest:full-path="styles.xml" manifest:media-type="text/xml"/></manifest:manifest>`,
		"styles.xml", `<?xml version="1.0" encoding="UTF-8"?><office:document-styles `+spaces+` office:version="1.2"><office:font-face-decls/><office:styles/><office:automatic-styles/><office:master-styles/></office:document-styles>`,
		"content.xml", `<?xml version="1.0" encoding="UTF-8"?><office:document-content `+spaces+` office:version="1.2"><office:body><office:`+kind+`>`+body+`</office:`+kind+`></office:body></office:document-content>`)
}

func page(shapes string) string {
	return `<draw:page draw:name="p">` + shapes + `</draw:page>`
}

func sheet(head, cell string) string {
	if cell == "" {
		cell = `<table:table-cell office:value-type="string"><text:p>before</text:p></table:table-cell>`
	}
	return `<table:table table:name="S">` + head + `<table:table-column/><table:table-row>` + cell + `</table:table-row></table:table>`
}

func epub(tb testing.TB, body, style string) []byte {
	tb.Helper()
	return archive(tb, "mimetype", "application/epub+zip",
		"META-INF/container.xml", `<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`,
		"OEBPS/book.opf", `<package xmlns="http://www.idpf.org/2007/opf" version="2.0" unique-identifier="i"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>t</dc:title><dc:language>en</dc:language><dc:identifier id="i">i</dc:identifier></metadata><manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/><item id="s" href="s.css" media-type="text/css"/></manifest><spine><itemref idref="c"/></spine></package>`,
		"OEBPS/c.xhtml", `<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title><link rel="stylesheet" type="text/css" href="s.css"/></head><body>`+body+`</body></html>`,
		"OEBPS/s.css", style)
}
