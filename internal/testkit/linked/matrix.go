package linked

import (
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// carrier is a place in a document that takes an address.
type carrier struct {
	kind string
	// targets are the files that such a link shows, the first of which is linked to in every spelling where all is set.
	targets []string
	all     bool
	data    func(address string) []byte
}

var (
	pictures = []string{"png", "svg", "pdf", "jpg"}
	picture  = []string{"png"}
	words    = []string{"txt"}
	cells    = []string{"csv"}
	pages    = []string{"html"}
)

// spellings are the ways to write the address of one file. What they come to is the same file, or none.
func spellings(dir, name string) map[string]string {
	path := filepath.Join(dir, name)
	encoded := ""
	for _, letter := range []byte(path) {
		if letter == '/' {
			encoded += "/"
			continue
		}
		encoded += fmt.Sprintf("%%%02x", letter)
	}
	return map[string]string{
		"localhost": "file://localhost" + path,
		"path":      path,
		"percent":   "file://" + encoded,
		"capitals":  "FILE://" + path,
		"relative":  strings.Repeat("../", 12) + strings.TrimPrefix(path, "/"),
		"share":     "//localhost" + path,
		"detour":    "file:///nowhere/.." + path,
		"short":     "file:" + path,
	}
}

// matrix are at least thirty documents of each office format, kinds of links by files and by spellings.
func matrix(tb testing.TB, dir string) []Document {
	tb.Helper()
	var out []Document
	for _, of := range []struct {
		format   string
		carriers []carrier
	}{
		{"docx", docxCarriers(tb)},
		{"pptx", pptxCarriers(tb)},
		{"xlsx", xlsxCarriers(tb)},
		{"odt", odtCarriers(tb)},
		{"odp", odpCarriers(tb)},
		{"ods", odsCarriers(tb)},
		{"rtf", rtfCarriers()},
		{"html", htmlCarriers()},
		{"epub", epubCarriers(tb)},
	} {
		format := of.format
		for _, c := range of.carriers {
			for _, target := range c.targets {
				name := "canary." + target
				address := (&url.URL{Scheme: "file", Path: filepath.Join(dir, name)}).String()
				out = append(out, Document{Format: format, Kind: c.kind + " to " + target, Address: address, Data: c.data(address)})
			}
			if !c.all {
				continue
			}
			all := spellings(dir, "canary."+c.targets[0])
			for _, spelling := range slices.Sorted(maps.Keys(all)) {
				address := all[spelling]
				out = append(out, Document{Format: format, Kind: c.kind + " by " + spelling, Address: address, Spelled: true, Data: c.data(address)})
			}
		}
	}
	return out
}

// word is a Word document whose parts may have links: a body, and what is around it.
type word struct{ body, header, footer, footnote, numbering, background, settings string }

func (w word) data(tb testing.TB, relations ...string) []byte {
	tb.Helper()
	const head = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="` + office + `" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture" xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"`
	const xml = `<?xml version="1.0" encoding="UTF-8"?>`
	kinds := []string{"/word/document.xml", "wordprocessingml.document.main"}
	related, section := relations, ""
	var parts []string
	add := func(name, kind, id, root, content string) {
		if content == "" {
			return
		}
		kinds = append(kinds, "/word/"+name+".xml", "wordprocessingml."+kind)
		related = append(related, inner(id, kind, name+".xml"))
		parts = append(parts, "word/"+name+".xml", xml+`<w:`+root+` `+head+`>`+content+`</w:`+root+`>`, "word/_rels/"+name+".xml.rels", rels(relations...))
	}
	add("header1", "header", "rId21", "hdr", w.header)
	add("footer1", "footer", "rId22", "ftr", w.footer)
	if w.footnote != "" {
		w.body += `<w:p><w:r><w:footnoteReference w:id="2"/></w:r></w:p>`
		w.footnote = `<w:footnote w:id="2">` + w.footnote + `</w:footnote>`
	}
	add("footnotes", "footnotes", "rId23", "footnotes", w.footnote)
	add("numbering", "numbering", "rId24", "numbering", w.numbering)
	add("settings", "settings", "rId25", "settings", w.settings)
	if w.header != "" {
		section += `<w:headerReference w:type="default" r:id="rId21"/>`
	}
	if w.footer != "" {
		section += `<w:footerReference w:type="default" r:id="rId22"/>`
	}
	return archive(tb, append([]string{
		"[Content_Types].xml", types(kinds...),
		"_rels/.rels", rels(inner("rId1", "officeDocument", "word/document.xml")),
		"word/_rels/document.xml.rels", rels(related...),
		"word/document.xml", xml + `<w:document ` + head + `>` + w.background + `<w:body><w:p><w:r><w:t>before</w:t></w:r></w:p>` + w.body + `<w:sectPr>` + section + `</w:sectPr></w:body></w:document>`,
	}, parts...)...)
}

func wordField(command string) string {
	return `<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText xml:space="preserve">` + command + `</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>x</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>`
}

const (
	oldPicture = `<w:p><w:r><w:pict><v:shape style="width:80pt;height:80pt"><v:imagedata r:id="rId9"/></v:shape></w:pict></w:r></w:p>`
	wordCell   = `<w:tbl><w:tblPr/><w:tblGrid><w:gridCol w:w="4000"/></w:tblGrid><w:tr><w:tc><w:tcPr/>%s</w:tc></w:tr></w:tbl><w:p/>`
	wordBox    = `<w:p><w:r><w:pict><v:shape style="width:200pt;height:200pt"><v:textbox><w:txbxContent>%s</w:txbxContent></v:textbox></v:shape></w:pict></w:r></w:p>`
)

func docxCarriers(tb testing.TB) []carrier {
	tb.Helper()
	with := func(w word, kind string) func(string) []byte {
		return func(address string) []byte { return w.data(tb, rel("rId9", kind, address)) }
	}
	field := func(command string, in func(string) word) func(string) []byte {
		return func(address string) []byte {
			return in(wordField(strings.ReplaceAll(command, "@", address))).data(tb)
		}
	}
	inBody := func(body string) word { return word{body: body} }
	inHeader := func(body string) word { return word{header: body} }
	inNote := func(body string) word { return word{footnote: body} }
	bullet := `<w:numPicBullet w:numPicBulletId="0"><w:pict><v:shape style="width:40pt;height:40pt"><v:imagedata r:id="rId9"/></v:shape></w:pict></w:numPicBullet><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="x"/><w:lvlPicBulletId w:val="0"/></w:lvl></w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>`
	return []carrier{
		{"drawing", pictures, true, with(word{body: blip}, "image")},
		{"drawing in a header", picture, false, with(word{header: blip}, "image")},
		{"drawing in a footer", picture, false, with(word{footer: blip}, "image")},
		{"drawing in a note", picture, false, with(word{footnote: blip}, "image")},
		{"drawing in a table", picture, false, with(word{body: fmt.Sprintf(wordCell, blip)}, "image")},
		{"drawing in a text box", picture, false, with(word{body: fmt.Sprintf(wordBox, blip)}, "image")},
		{"old picture in a header", picture, false, with(word{header: oldPicture}, "image")},
		{"old picture", []string{"svg", "jpg"}, false, with(word{body: oldPicture}, "image")},
		{"bullet", picture, false, with(word{numbering: bullet, body: `<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>x</w:t></w:r></w:p>`}, "image")},
		{"page's background", picture, false, with(word{background: `<w:background w:color="FFFFFF"><v:background><v:fill r:id="rId9" type="frame"/></v:background></w:background>`, settings: `<w:displayBackgroundShape/>`}, "image")},
		{"shape's fill", picture, false, with(word{body: `<w:p><w:r><w:pict><v:rect style="width:80pt;height:80pt"><v:fill r:id="rId9" type="frame"/></v:rect></w:pict></w:r></w:p>`}, "image")},
		{"INCLUDEPICTURE", pictures, true, field(` INCLUDEPICTURE "@" \d `, inBody)},
		{"INCLUDEPICTURE in a header", picture, false, field(` INCLUDEPICTURE "@" \d `, inHeader)},
		{"INCLUDEPICTURE in a note", picture, false, field(` INCLUDEPICTURE "@" \d `, inNote)},
		{"INCLUDETEXT in a header", words, false, field(` INCLUDETEXT "@" `, inHeader)},
		{"LINK", cells, false, field(` LINK Package "@" A1 \a \t `, inBody)},
		{"DDE", cells, false, field(` DDE soffice "@" A1 `, inBody)},
		{"DDEAUTO", cells, false, field(` DDEAUTO soffice "@" A1 `, inBody)},
		{"chunk", words, false, with(word{body: `<w:altChunk r:id="rId9"/>`}, "aFChunk")},
	}
}

// slides have a picture or something like it on a slide, on its layout, or on its master.
func slides(tb testing.TB, where, shapes, background, after string, relations ...string) []byte {
	tb.Helper()
	head := `xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="` + office + `" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"`
	tree := func(of string) string {
		if of != where {
			return `<p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/></p:spTree></p:cSld>`
		}
		return `<p:cSld>` + background + `<p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>` + shapes + `</p:spTree></p:cSld>` + after
	}
	of := func(part string, more ...string) string {
		if part == where {
			more = append(more, relations...)
		}
		return rels(more...)
	}
	return archive(tb, "[Content_Types].xml", types("/ppt/presentation.xml", "presentationml.presentation.main", "/ppt/slides/slide1.xml", "presentationml.slide", "/ppt/slideMasters/slideMaster1.xml", "presentationml.slideMaster", "/ppt/slideLayouts/slideLayout1.xml", "presentationml.slideLayout"),
		"_rels/.rels", rels(inner("rId1", "officeDocument", "ppt/presentation.xml")),
		"ppt/_rels/presentation.xml.rels", rels(inner("rId1", "slideMaster", "slideMasters/slideMaster1.xml"), inner("rId2", "slide", "slides/slide1.xml")),
		"ppt/presentation.xml", `<p:presentation `+head+`><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst><p:sldIdLst><p:sldId id="256" r:id="rId2"/></p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>`,
		"ppt/slideMasters/_rels/slideMaster1.xml.rels", of("master", inner("rId1", "slideLayout", "../slideLayouts/slideLayout1.xml")),
		"ppt/slideMasters/slideMaster1.xml", `<p:sldMaster `+head+`>`+tree("master")+`<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/><p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst></p:sldMaster>`,
		"ppt/slideLayouts/_rels/slideLayout1.xml.rels", of("layout", inner("rId1", "slideMaster", "../slideMasters/slideMaster1.xml")),
		"ppt/slideLayouts/slideLayout1.xml", `<p:sldLayout `+head+`>`+tree("layout")+`</p:sldLayout>`,
		"ppt/slides/_rels/slide1.xml.rels", of("slide", inner("rId1", "slideLayout", "../slideLayouts/slideLayout1.xml")),
		"ppt/slides/slide1.xml", `<p:sld `+head+`>`+tree("slide")+`</p:sld>`)
}

func pptxCarriers(tb testing.TB) []carrier {
	tb.Helper()
	const box = `<p:spPr><a:xfrm><a:off x="1000000" y="1000000"/><a:ext cx="2000000" cy="2000000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom>%s</p:spPr>`
	const fill = `<a:blipFill><a:blip r:link="rId9"/><a:stretch><a:fillRect/></a:stretch></a:blipFill>`
	shown := `<p:pic><p:nvPicPr><p:cNvPr id="2" name="p"/><p:cNvPicPr/><p:nvPr>%s</p:nvPr></p:nvPicPr><p:blipFill><a:blip%s/><a:stretch><a:fillRect/></a:stretch></p:blipFill>` + fmt.Sprintf(box, "") + `</p:pic>`
	plain := fmt.Sprintf(shown, "", ` r:link="rId9"`)
	shape := `<p:sp><p:nvSpPr><p:cNvPr id="2" name="s"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr>` + fmt.Sprintf(box, fill) + `</p:sp>`
	bullet := `<p:sp><p:nvSpPr><p:cNvPr id="2" name="s"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr>` + fmt.Sprintf(box, "") + `<p:txBody><a:bodyPr/><a:p><a:pPr><a:buBlip><a:blip r:link="rId9"/></a:buBlip></a:pPr><a:r><a:t>x</a:t></a:r></a:p></p:txBody></p:sp>`
	frame := `<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="2" name="g"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr><p:xfrm><a:off x="1000000" y="1000000"/><a:ext cx="2000000" cy="2000000"/></p:xfrm><a:graphic><a:graphicData uri="%s">%s</a:graphicData></a:graphic></p:graphicFrame>`
	table := fmt.Sprintf(frame, "http://schemas.openxmlformats.org/drawingml/2006/table", `<a:tbl><a:tblPr/><a:tblGrid><a:gridCol w="2000000"/></a:tblGrid><a:tr h="2000000"><a:tc><a:txBody><a:bodyPr/><a:p/></a:txBody><a:tcPr>`+fill+`</a:tcPr></a:tc></a:tr></a:tbl>`)
	object := fmt.Sprintf(frame, "http://schemas.openxmlformats.org/presentationml/2006/ole", `<p:oleObj name="o" r:id="rId9" imgW="2000000" imgH="2000000" progId="Package"><p:link updateAutomatic="1"/></p:oleObj>`)
	sound := `<p:transition><p:sndAc><p:stSnd><p:snd r:embed="rId9" name="s"/></p:stSnd></p:sndAc></p:transition>`
	behind := `<p:bg><p:bgPr>` + fill + `<a:effectLst/></p:bgPr></p:bg>`
	with := func(where, shapes, background, after, kind string) func(string) []byte {
		return func(address string) []byte {
			return slides(tb, where, shapes, background, after, rel("rId9", kind, address))
		}
	}
	return []carrier{
		{"picture", pictures, true, with("slide", plain, "", "", "image")},
		{"picture on a layout", picture, false, with("layout", plain, "", "", "image")},
		{"picture on a master", pictures, false, with("master", plain, "", "", "image")},
		{"fill", pictures, true, with("slide", shape, "", "", "image")},
		{"bullet", picture, false, with("slide", bullet, "", "", "image")},
		{"cell", picture, false, with("slide", table, "", "", "image")},
		{"background", pictures, false, with("slide", "", behind, "", "image")},
		{"background of a master", picture, false, with("master", "", behind, "", "image")},
		{"film", []string{"png", "html"}, false, with("slide", fmt.Sprintf(shown, `<a:videoFile r:link="rId9"/>`, ""), "", "", "video")},
		{"sound", words, false, with("slide", fmt.Sprintf(shown, `<a:audioFile r:link="rId9"/>`, ""), "", "", "audio")},
		{"object", []string{"csv", "html"}, false, with("slide", object, "", "", "oleObject")},
		{"sound of a transition", words, false, with("slide", "", "", sound, "audio")},
	}
}

// book is a workbook with one sheet, and more of it.
func book(tb testing.TB, cell, sheetMore, bookMore string, related, sheetRelated []string, parts ...string) []byte {
	tb.Helper()
	kinds := []string{"/xl/workbook.xml", "spreadsheetml.sheet.main", "/xl/worksheets/sheet1.xml", "spreadsheetml.worksheet"}
	for i := 0; i < len(parts); i += 2 {
		switch name := parts[i]; {
		case strings.Contains(name, "/externalLinks/e"):
			kinds = append(kinds, "/"+name, "spreadsheetml.externalLink")
		case strings.Contains(name, "/drawings/d"):
			kinds = append(kinds, "/"+name, "drawing")
		case strings.HasSuffix(name, "connections.xml"):
			kinds = append(kinds, "/"+name, "spreadsheetml.connections")
		case strings.Contains(name, "/charts/c"):
			kinds = append(kinds, "/"+name, "drawingml.chart")
		}
	}
	if cell == "" {
		cell = `<c r="A1"><v>1</v></c>`
	}
	const head = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="` + office + `"`
	return archive(tb, append([]string{
		"[Content_Types].xml", strings.Replace(types(kinds...), `</Types>`, `<Default Extension="vml" ContentType="application/vnd.openxmlformats-officedocument.vmlDrawing"/></Types>`, 1),
		"_rels/.rels", rels(inner("rId1", "officeDocument", "xl/workbook.xml")),
		"xl/_rels/workbook.xml.rels", rels(append(related, inner("rId1", "worksheet", "worksheets/sheet1.xml"))...),
		"xl/workbook.xml", `<workbook ` + head + `><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets>` + bookMore + `</workbook>`,
		"xl/worksheets/_rels/sheet1.xml.rels", rels(sheetRelated...),
		"xl/worksheets/sheet1.xml", `<worksheet ` + head + `><sheetData><row r="1">` + cell + `</row></sheetData>` + sheetMore + `</worksheet>`,
	}, parts...)...)
}

func xlsxCarriers(tb testing.TB) []carrier {
	tb.Helper()
	const head = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="` + office + `"`
	drawing := func(content, kind string) func(string) []byte {
		return func(address string) []byte {
			return book(tb, "", `<drawing r:id="rId1"/>`, "", nil, []string{inner("rId1", "drawing", "../drawings/drawing1.xml")},
				"xl/drawings/_rels/drawing1.xml.rels", rels(rel("rId9", kind, address)),
				"xl/drawings/drawing1.xml", `<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="`+office+`"><xdr:oneCellAnchor><xdr:from><xdr:col>1</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>1</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="1000000" cy="1000000"/>`+content+`<xdr:clientData/></xdr:oneCellAnchor></xdr:wsDr>`)
		}
	}
	formula := func(text string) func(string) []byte {
		return func(address string) []byte {
			return book(tb, `<c r="A1" t="str"><f>`+strings.ReplaceAll(text, "@", address)+`</f><v>kept</v></c>`, "", "", nil, nil)
		}
	}
	folder := func(text string) func(string) []byte { // the address as Excel writes that of a workbook
		return func(address string) []byte {
			at := strings.LastIndexAny(address, `/\`) + 1
			return formula(strings.ReplaceAll(text, "@", address[:at]+"["+address[at:]+"]canary"))(address)
		}
	}
	outer := func(content, kind string) func(string) []byte {
		return func(address string) []byte {
			return book(tb, `<c r="A1" t="str"><f>[1]canary!A1</f><v>kept</v></c>`, "", `<externalReferences><externalReference r:id="rId5"/></externalReferences>`,
				[]string{inner("rId5", "externalLink", "externalLinks/externalLink1.xml")}, nil,
				"xl/externalLinks/externalLink1.xml", `<externalLink `+head+`>`+strings.ReplaceAll(content, "@", address)+`</externalLink>`,
				"xl/externalLinks/_rels/externalLink1.xml.rels", rels(rel("rId9", kind, address)))
		}
	}
	vml := func(element, kind string) func(string) []byte {
		return func(address string) []byte {
			return book(tb, "", element, "", nil, []string{inner("rId1", "vmlDrawing", "../drawings/vml1.vml")},
				"xl/drawings/vml1.vml", `<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:r="`+office+`"><v:shape id="CH" style="width:80pt;height:80pt"><v:imagedata o:relid="rId9" r:id="rId9"/></v:shape></xml>`,
				"xl/drawings/_rels/vml1.vml.rels", rels(rel("rId9", kind, address)))
		}
	}
	connection := func(content string) func(string) []byte {
		return func(address string) []byte {
			return book(tb, "", "", "", []string{inner("rId5", "connections", "connections.xml")}, nil,
				"xl/connections.xml", `<connections `+head+`><connection id="1" name="c" type="6" refreshOnLoad="1" refreshedVersion="6">`+strings.ReplaceAll(content, "@", address)+`</connection></connections>`)
		}
	}
	more := func(text string) func(string) []byte {
		return func(address string) []byte {
			return book(tb, "", strings.ReplaceAll(text, "@", address), "", nil, nil)
		}
	}
	shown := `<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="1" name="p"/><xdr:cNvPicPr/></xdr:nvPicPr><xdr:blipFill><a:blip r:link="rId9"/><a:stretch><a:fillRect/></a:stretch></xdr:blipFill><xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="1000000" cy="1000000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr></xdr:pic>`
	filled := `<xdr:sp macro="" textlink=""><xdr:nvSpPr><xdr:cNvPr id="1" name="s"/><xdr:cNvSpPr/></xdr:nvSpPr><xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="1000000" cy="1000000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom><a:blipFill><a:blip r:link="rId9"/><a:stretch><a:fillRect/></a:stretch></a:blipFill></xdr:spPr></xdr:sp>`
	return []carrier{
		{"picture", pictures, true, drawing(shown, "image")},
		{"fill", pictures, false, drawing(filled, "image")},
		{"sheet's background", picture, false, func(address string) []byte {
			return book(tb, "", `<picture r:id="rId9"/>`, "", nil, []string{rel("rId9", "image", address)})
		}},
		{"old drawing", picture, false, vml(`<legacyDrawing r:id="rId1"/>`, "image")},
		{"header's drawing", picture, false, vml(`<headerFooter><oddHeader>&amp;C&amp;G</oddHeader></headerFooter><legacyDrawingHF r:id="rId1"/>`, "image")},
		{"external book", cells, true, outer(`<externalBook r:id="rId9"><sheetNames><sheetName val="canary"/></sheetNames></externalBook>`, "externalLinkPath")},
		{"DDE link", cells, false, outer(`<ddeLink ddeService="soffice" ddeTopic="@"><ddeItems><ddeItem name="A1" advise="1"/></ddeItems></ddeLink>`, "externalLinkPath")},
		{"OLE link", cells, false, outer(`<oleLink r:id="rId9" progId="Package"><oleItems><oleItem name="A1" advise="1"/></oleItems></oleLink>`, "oleObject")},
		{"formula", cells, false, folder(`'@'!A1`)},
		{"sum", cells, false, folder(`SUM('@'!A1:B2)`)},
		{"INDIRECT", cells, false, folder(`INDIRECT("'@'!A1")`)},
		{"WEBSERVICE", []string{"txt", "csv"}, false, formula(`_xlfn.WEBSERVICE("@")`)},
		{"FILTERXML", words, false, formula(`_xlfn.FILTERXML(_xlfn.WEBSERVICE("@"),"//a")`)},
		{"DDE", cells, false, formula(`DDE("soffice","@","A1")`)},
		{"text connection", []string{"txt", "csv"}, false, connection(`<textPr sourceFile="@"/>`)},
		{"web connection", pages, false, connection(`<webPr url="@" htmlTables="1"/>`)},
		{"database", cells, false, connection(`<dbPr connection="Provider=x;Data Source=@" command="a"/>`)},
		{"object", cells, false, func(address string) []byte {
			return book(tb, "", `<oleObjects><oleObject progId="Package" link="x" oleUpdate="OLEUPDATE_ALWAYS" shapeId="1" r:id="rId9"/></oleObjects>`, "", nil, []string{rel("rId9", "oleObject", address)})
		}},
		{"condition", cells, false, more(`<conditionalFormatting sqref="A1"><cfRule type="expression" priority="1"><formula>_xlfn.WEBSERVICE("@")="x"</formula></cfRule></conditionalFormatting>`)},
		{"validation", cells, false, more(`<dataValidations><dataValidation type="custom" sqref="A1"><formula1>_xlfn.WEBSERVICE("@")="x"</formula1></dataValidation></dataValidations>`)},
	}
}

// open is an OpenDocument file with styles and a master page.
type open struct{ automatic, styles, master, body string }

const moreSpaces = spaces + ` xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0" xmlns:anim="urn:oasis:names:tc:opendocument:xmlns:animation:1.0" xmlns:smil="urn:oasis:names:tc:opendocument:xmlns:smil-compatible:1.0" xmlns:dr3d="urn:oasis:names:tc:opendocument:xmlns:dr3d:1.0"`

func (o open) data(tb testing.TB, kind string) []byte {
	tb.Helper()
	mime := "application/vnd.oasis.opendocument." + kind
	return archive(tb, "mimetype", mime,
		"META-INF/manifest.xml", `<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.2"><manifest:file-entry manifest:full-path="/" manifest:media-type="`+mime+`"/><manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/><manifest:file-entry manifest:full-path="styles.xml" manifest:media-type="text/xml"/></manifest:manifest>`,
		"styles.xml", `<?xml version="1.0" encoding="UTF-8"?><office:document-styles `+moreSpaces+` office:version="1.2"><office:styles>`+o.styles+`</office:styles><office:automatic-styles><style:page-layout style:name="L"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29cm"/><style:header-style/><style:footer-style/></style:page-layout>`+o.automatic+`</office:automatic-styles><office:master-styles>`+o.master+`</office:master-styles></office:document-styles>`,
		"content.xml", `<?xml version="1.0" encoding="UTF-8"?><office:document-content `+moreSpaces+` office:version="1.2"><office:automatic-styles>`+o.automatic+`</office:automatic-styles><office:body><office:`+kind+`>`+o.body+`</office:`+kind+`></office:body></office:document-content>`)
}

func openCarrier(tb testing.TB, kind string, o open) func(string) []byte {
	tb.Helper()
	return func(address string) []byte {
		put := func(text string) string { return strings.ReplaceAll(text, "@", onLoad(address)) }
		return open{put(o.automatic), put(o.styles), put(o.master), put(o.body)}.data(tb, kind)
	}
}

const (
	asLetter = `<draw:frame text:anchor-type="as-char" svg:width="3cm" svg:height="3cm">%s</draw:frame>`
	onPage   = `<draw:frame svg:x="1cm" svg:y="1cm" svg:width="3cm" svg:height="3cm">%s</draw:frame>`
	bulleted = `<text:list-style style:name="B"><text:list-level-style-image text:level="1" @><style:list-level-properties text:space-before="1cm" text:min-label-width="2cm" fo:width="2cm" fo:height="2cm"/></text:list-level-style-image></text:list-style>`
	listed   = `<text:list text:style-name="B"><text:list-item><text:p>x</text:p></text:list-item></text:list>`
	filling  = `<draw:fill-image draw:name="F" @/>`
)

func odtCarriers(tb testing.TB) []carrier {
	tb.Helper()
	of := func(o open) func(string) []byte { return openCarrier(tb, "text", o) }
	picture1 := fmt.Sprintf(asLetter, `<draw:image @/>`)
	paragraph := func(content string) string { return `<text:p>before` + content + `</text:p>` }
	styled := func(family, properties string) string {
		return `<style:style style:name="P" style:family="` + family + `"><style:` + properties + `-properties><style:background-image @/></style:` + properties + `-properties></style:style>`
	}
	master := func(content string) string {
		return `<style:master-page style:name="Standard" style:page-layout-name="L">` + content + `</style:master-page>`
	}
	return []carrier{
		{"picture", pictures, true, of(open{body: paragraph(picture1)})},
		{"picture in a header", pictures, false, of(open{master: master(`<style:header>` + paragraph(picture1) + `</style:header>`), body: paragraph("")})},
		{"picture in a footer", pictures, false, of(open{master: master(`<style:header><text:p/></style:header><style:footer>` + paragraph(picture1) + `</style:footer>`), body: paragraph("")})},
		{"picture in a note", pictures, false, of(open{body: paragraph(`<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>` + paragraph(picture1) + `</text:note-body></text:note>`)})},
		{"picture in a table", pictures, false, of(open{body: `<table:table table:name="T"><table:table-column/><table:table-row><table:table-cell>` + paragraph(picture1) + `</table:table-cell></table:table-row></table:table>`})},
		{"picture in a text box", pictures, false, of(open{body: paragraph(fmt.Sprintf(asLetter, `<draw:text-box>`+paragraph(picture1)+`</draw:text-box>`))})},
		{"picture in a section", picture, false, of(open{body: `<text:section text:name="s">` + paragraph(picture1) + `</text:section>`})},
		{"picture of a page", picture, false, of(open{body: `<draw:frame text:anchor-type="page" text:anchor-page-number="1" svg:x="2cm" svg:y="2cm" svg:width="3cm" svg:height="3cm"><draw:image @/></draw:frame>` + paragraph("")})},
		{"paragraph's background", picture, false, of(open{automatic: styled("paragraph", "paragraph"), body: `<text:p text:style-name="P">x</text:p>`})},
		{"section's background", picture, false, of(open{automatic: styled("section", "section"), body: `<text:section text:style-name="P" text:name="s"><text:p>x</text:p></text:section>`})},
		{"cell's background", picture, false, of(open{automatic: styled("table-cell", "table-cell"), body: `<table:table table:name="T"><table:table-column/><table:table-row><table:table-cell table:style-name="P"><text:p>x</text:p></table:table-cell></table:table-row></table:table>`})},
		{"bullet", picture, false, of(open{automatic: bulleted, body: listed})},
		{"fill", picture, false, of(open{styles: filling + `<style:style style:name="G" style:family="graphic"><style:graphic-properties draw:fill="bitmap" draw:fill-image-name="F"/></style:style>`, body: paragraph(`<draw:rect draw:style-name="G" text:anchor-type="as-char" svg:width="3cm" svg:height="3cm"/>`)})},
		{"section of a file", []string{"txt", "html"}, false, of(open{body: `<text:section text:name="s"><text:section-source @/><text:p>x</text:p></text:section>`})},
		{"object", []string{"csv", "txt"}, false, of(open{body: paragraph(fmt.Sprintf(asLetter, `<draw:object @/>`))})},
		{"old object", cells, false, of(open{body: paragraph(fmt.Sprintf(asLetter, `<draw:object-ole @/>`))})},
		{"film", pages, false, of(open{body: paragraph(fmt.Sprintf(asLetter, `<draw:plugin @ draw:mime-type="application/vnd.sun.star.media"/>`))})},
		{"frame", pages, false, of(open{body: paragraph(fmt.Sprintf(asLetter, `<draw:floating-frame @/>`))})},
	}
}

func odpCarriers(tb testing.TB) []carrier {
	tb.Helper()
	of := func(o open) func(string) []byte { return openCarrier(tb, "presentation", o) }
	shown := fmt.Sprintf(onPage, `<draw:image @/>`)
	drawn := func(page, master string) open {
		return open{master: `<style:master-page style:name="M" style:page-layout-name="L">` + master + `</style:master-page>`, body: `<draw:page draw:name="p" draw:master-page-name="M">` + page + `</draw:page>`}
	}
	filled := drawn(`<draw:rect draw:style-name="G" svg:x="1cm" svg:y="1cm" svg:width="3cm" svg:height="3cm"/>`, "")
	filled.styles = filling + `<style:style style:name="G" style:family="graphic"><style:graphic-properties draw:fill="bitmap" draw:fill-image-name="F"/></style:style>`
	behind := open{
		styles: filling, automatic: `<style:style style:name="D" style:family="drawing-page"><style:drawing-page-properties draw:fill="bitmap" draw:fill-image-name="F" presentation:background-visible="true"/></style:style>`,
		master: `<style:master-page style:name="M" style:page-layout-name="L"/>`, body: `<draw:page draw:name="p" draw:style-name="D" draw:master-page-name="M"/>`,
	}
	behindAll := behind
	behindAll.master, behindAll.body = `<style:master-page style:name="M" style:page-layout-name="L" draw:style-name="D"/>`, `<draw:page draw:name="p" draw:master-page-name="M"/>`
	bullets := drawn(fmt.Sprintf(onPage, `<draw:text-box>`+listed+`</draw:text-box>`), "")
	bullets.automatic = bulleted
	sound := drawn("", "")
	sound.automatic = `<style:style style:name="D" style:family="drawing-page"><style:drawing-page-properties presentation:transition-type="automatic"><presentation:sound @/></style:drawing-page-properties></style:style>`
	sound.body = `<draw:page draw:name="p" draw:style-name="D" draw:master-page-name="M"/>`
	played := `<anim:par><anim:audio @/></anim:par>`
	table := fmt.Sprintf(onPage, `<table:table><table:table-column/><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell></table:table-row></table:table><draw:image @/>`)
	return []carrier{
		{"picture", pictures, true, of(drawn(shown, ""))},
		{"picture on a master", pictures, false, of(drawn("", shown))},
		{"picture in a group", pictures, false, of(drawn(`<draw:g>`+shown+`</draw:g>`, ""))},
		{"picture in notes", picture, false, of(drawn(`<presentation:notes>`+shown+`</presentation:notes>`, ""))},
		{"fill", pictures, false, of(filled)},
		{"background", pictures, false, of(behind)},
		{"background of a master", picture, false, of(behindAll)},
		{"bullet", picture, false, of(bullets)},
		{"table's picture", picture, false, of(drawn(table, ""))},
		{"film", []string{"html", "png"}, false, of(drawn(fmt.Sprintf(onPage, `<draw:plugin @ draw:mime-type="application/vnd.sun.star.media"/>`), ""))},
		{"object", []string{"csv", "txt"}, false, of(drawn(fmt.Sprintf(onPage, `<draw:object @/>`), ""))},
		{"old object", cells, false, of(drawn(fmt.Sprintf(onPage, `<draw:object-ole @/>`), ""))},
		{"frame", pages, false, of(drawn(fmt.Sprintf(onPage, `<draw:floating-frame @/>`), ""))},
		{"sound of a transition", words, false, of(sound)},
		{"sound", words, false, of(drawn(played, ""))},
	}
}

func odsCarriers(tb testing.TB) []carrier {
	tb.Helper()
	of := func(o open) func(string) []byte { return openCarrier(tb, "spreadsheet", o) }
	formula := func(text string) func(string) []byte {
		return func(address string) []byte {
			cell := `<table:table-cell table:formula="` + strings.ReplaceAll(text, "@", address) + `" office:value-type="string" office:string-value="kept"><text:p>kept</text:p></table:table-cell>`
			return open{body: sheet("", cell)}.data(tb, "spreadsheet")
		}
	}
	shapes := func(content string) string {
		return sheet(`<table:shapes>`+fmt.Sprintf(onPage, content)+`</table:shapes>`, "")
	}
	return []carrier{
		{"picture", pictures, true, of(open{body: shapes(`<draw:image @/>`)})},
		{"picture in a cell", pictures, false, of(open{body: sheet("", `<table:table-cell>`+fmt.Sprintf(onPage, `<draw:image @/>`)+`</table:table-cell>`)})},
		{"object", []string{"csv", "txt"}, false, of(open{body: shapes(`<draw:object @/>`)})},
		{"frame", pages, false, of(open{body: shapes(`<draw:floating-frame @/>`)})},
		{"film", pages, false, of(open{body: shapes(`<draw:plugin @ draw:mime-type="application/vnd.sun.star.media"/>`)})},
		{"cell's background", picture, false, of(open{automatic: `<style:style style:name="P" style:family="table-cell"><style:table-cell-properties><style:background-image @/></style:table-cell-properties></style:style>`, body: sheet("", `<table:table-cell table:style-name="P"><text:p>x</text:p></table:table-cell>`)})},
		{"fill", picture, false, of(open{styles: filling + `<style:style style:name="G" style:family="graphic"><style:graphic-properties draw:fill="bitmap" draw:fill-image-name="F"/></style:style>`, body: sheet(`<table:shapes><draw:rect draw:style-name="G" svg:x="1cm" svg:y="1cm" svg:width="3cm" svg:height="3cm"/></table:shapes>`, "")})},
		{"linked sheet", []string{"csv", "txt", "html"}, false, of(open{body: sheet(`<table:table-source table:filter-name="Text - txt - csv (StarCalc)" table:table-name="canary" @/>`, "")})},
		{"linked cells", []string{"csv", "html"}, false, of(open{body: sheet("", `<table:table-cell><table:cell-range-source table:name="canary" table:filter-name="Text - txt - csv (StarCalc)" table:last-column-spanned="2" table:last-row-spanned="2" @/><text:p>x</text:p></table:table-cell>`)})},
		{"reference", cells, true, formula(`of:=['@'#$canary.A1]`)},
		{"sum", cells, false, formula(`of:=SUM(['@'#$canary.A1:.B2])`)},
		{"lookup", cells, false, formula(`of:=VLOOKUP(1;['@'#$canary.A1:.B2];2)`)},
		{"INDIRECT", cells, false, formula(`of:=INDIRECT(&quot;'@'#$canary.A1&quot;)`)},
		{"DDE", cells, false, formula(`of:=DDE(&quot;soffice&quot;;&quot;@&quot;;&quot;A1&quot;)`)},
		{"WEBSERVICE", []string{"txt", "csv"}, false, formula(`of:=COM.MICROSOFT.WEBSERVICE(&quot;@&quot;)`)},
		{"FILTERXML", words, false, formula(`of:=COM.MICROSOFT.FILTERXML(COM.MICROSOFT.WEBSERVICE(&quot;@&quot;);&quot;//a&quot;)`)},
		{"DDE link", cells, false, func(address string) []byte {
			link := `<table:dde-links><table:dde-link><office:dde-source office:dde-application="soffice" office:dde-topic="` + address + `" office:dde-item="A1" office:automatic-update="true"/><table:table><table:table-column/><table:table-row><table:table-cell/></table:table-row></table:table></table:dde-link></table:dde-links>`
			return open{body: sheet("", "") + link}.data(tb, "spreadsheet")
		}},
	}
}

func rtfCarriers() []carrier {
	text := func(content string) func(string) []byte {
		return func(address string) []byte {
			return []byte(`{\rtf1\ansi before ` + strings.ReplaceAll(content, "@", strings.ReplaceAll(address, `\`, `\\`)) + ` behind\par}`)
		}
	}
	const field = `{\field{\*\fldinst { INCLUDEPICTURE "@" \\d}}{\fldrslt x}}`
	command := func(text string) string { return `{\field{\*\fldinst { ` + text + `}}{\fldrslt x}}` }
	shape := `{\shp{\*\shpinst\shpleft0\shptop0\shpright2000\shpbottom2000{\sp{\sn shapeType}{\sv %s}}%s}}`
	return []carrier{
		{"INCLUDEPICTURE", pictures, true, text(field)},
		{"INCLUDEPICTURE without quotes", picture, false, text(command(`INCLUDEPICTURE @`))},
		{"INCLUDEPICTURE in a header", pictures, false, text(`{\header ` + field + `}`)},
		{"INCLUDEPICTURE in a footer", picture, false, text(`{\footer ` + field + `}`)},
		{"INCLUDEPICTURE in a note", picture, false, text(`{\footnote ` + field + `}`)},
		{"INCLUDEPICTURE in a table", picture, false, text(`\trowd\cellx4000\intbl ` + field + `\cell\row\pard `)},
		{"INCLUDEPICTURE in a text box", picture, false, text(fmt.Sprintf(shape, "202", `{\shptxt `+field+`\par}`))},
		{"INCLUDETEXT", []string{"txt", "html"}, false, text(command(`INCLUDETEXT "@"`))},
		{"INCLUDE", words, false, text(command(`INCLUDE "@"`))},
		{"IMPORT", picture, false, text(command(`IMPORT "@"`))},
		{"LINK", cells, false, text(command(`LINK Package "@" A1 \\a`))},
		{"DDE", cells, false, text(command(`DDE soffice "@" A1`))},
		{"DDEAUTO", cells, false, text(command(`DDEAUTO soffice "@" A1`))},
		{"DATABASE", cells, false, text(command(`DATABASE \\d "@"`))},
		{"RD", words, false, text(command(`RD "@"`))},
		{"shape", pictures, false, text(fmt.Sprintf(shape, "75", `{\sp{\sn pibName}{\sv @}}{\sp{\sn pibFlags}{\sv 10}}`))},
		{"fill", picture, false, text(fmt.Sprintf(shape, "1", `{\sp{\sn fillType}{\sv 3}}{\sp{\sn fillBlipName}{\sv @}}{\sp{\sn fillBlipFlags}{\sv 10}}`))},
		{"background", picture, false, text(`{\*\background ` + fmt.Sprintf(shape, "1", `{\sp{\sn fillType}{\sv 3}}{\sp{\sn fillBlipName}{\sv @}}{\sp{\sn fillBlipFlags}{\sv 10}}`) + `}`)},
	}
}

func htmlCarriers() []carrier {
	page := func(head, body string) func(string) []byte {
		return func(address string) []byte {
			return []byte(strings.ReplaceAll(`<html><head>`+head+`</head><body><p>before</p>`+body+`<p>behind</p></body></html>`, "@", address))
		}
	}
	carriers := []carrier{
		{"img", pictures, true, page("", `<img width=80 height=80 src="@">`)},
		{"body background", []string{"jpg"}, false, func(address string) []byte {
			return []byte(`<html><body background="` + address + `"><p>before</p></body></html>`)
		}},
		{"style sheet", []string{"css"}, false, page(`<link rel=stylesheet href="@">`, "")},
		{"import", []string{"css"}, false, page(`<style>@import "@";</style>`, "")},
		{"font", picture, false, page(`<style>@font-face{font-family:f;src:url(@)}p{font-family:f}</style>`, "")},
		{"forward", pages, false, page(`<meta http-equiv=refresh content="0;url=@">`, "")},
		{"frame of a set", pages, false, func(address string) []byte {
			return []byte(`<html><frameset cols="*"><frame src="` + address + `"></frameset></html>`)
		}},
	}
	// An at-rule begins as an address is marked here.
	for i, c := range carriers {
		if c.kind != "import" && c.kind != "font" {
			continue
		}
		kind := c.kind
		carriers[i].data = func(address string) []byte {
			rule := `@import "` + address + `";`
			if kind == "font" {
				rule = `@font-face{font-family:f;src:url(` + address + `)}p{font-family:f}`
			}
			return []byte(`<html><head><style>` + rule + `</style></head><body><p>before</p></body></html>`)
		}
	}
	return append(carriers, markupCarriers(func(body string) func(string) []byte { return page("", body) })...)
}

// markupCarriers are those of pages, wherever a page is.
func markupCarriers(in func(body string) func(string) []byte) []carrier {
	return []carrier{
		{"picture in sizes", picture, false, in(`<img srcset="@ 1x, @ 2x" alt="x"/>`)},
		{"source of a picture", []string{"png", "jpg"}, false, in(`<picture><source srcset="@"/><img src="data:," alt="x"/></picture>`)},
		{"button", picture, false, in(`<input type="image" src="@"/>`)},
		{"cell's background", picture, false, in(`<table background="@" width="80" height="80"><tr><td background="@">x</td></tr></table>`)},
		{"style", pictures, false, in(`<div style="width:80px;height:80px;background-image:url(@)">x</div>`)},
		{"bullet", picture, false, in(`<ul style="list-style-image:url(@)"><li>x</li></ul>`)},
		{"border", picture, false, in(`<div style="border:20px solid;border-image:url(@) 30 round">x</div>`)},
		{"content", picture, false, in(`<span style="content:url(@)">x</span>`)},
		{"drawing's image", pictures, false, in(`<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80"><image width="80" height="80" href="@"/></svg>`)},
		{"drawing's use", []string{"svg"}, false, in(`<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80"><use href="@#a"/></svg>`)},
		{"drawing's filter", picture, false, in(`<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80"><filter id="f"><feImage href="@"/></filter><rect width="80" height="80" filter="url(#f)"/></svg>`)},
		{"object", []string{"html", "svg"}, false, in(`<object data="@" width="80" height="80">x</object>`)},
		{"embedded", []string{"html", "pdf"}, false, in(`<embed src="@" width="80" height="80"/>`)},
		{"frame", []string{"html", "txt"}, false, in(`<iframe src="@" width="80" height="80"></iframe>`)},
		{"film", picture, false, in(`<video poster="@" src="@" width="80" height="80"></video>`)},
		{"sound", words, false, in(`<audio src="@" controls="controls"></audio>`)},
	}
}

func epubCarriers(tb testing.TB) []carrier {
	tb.Helper()
	body := func(body string) func(string) []byte {
		return func(address string) []byte {
			return epub(tb, `<p>before</p>`+strings.ReplaceAll(body, "@", address), "")
		}
	}
	carriers := []carrier{
		{"img", pictures, true, body(`<img src="@" alt="y"/>`)},
		{"style sheet", []string{"jpg", "svg"}, false, func(address string) []byte { return epub(tb, `<p>before</p>`, `p{background:url(`+address+`)}`) }},
		{"import", []string{"css"}, false, func(address string) []byte { return epub(tb, `<p>before</p>`, `@import "`+address+`";`) }},
	}
	return append(carriers, markupCarriers(body)...)
}
