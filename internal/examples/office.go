package main

import (
	"archive/zip"
	"os"
	"strings"

	"github.com/xuri/excelize/v2"
)

// writeBudget makes a workbook of three sheets with numbers, dates and formulas.
func writeBudget(path string) error {
	book := excelize.NewFile()
	defer book.Close() //nolint:errcheck // saved before
	for _, sheet := range []struct {
		name string
		rows [][]any
	}{
		{"Income", [][]any{{"Route", "April", "May", "Sum"}, {"Svendborg – Ærø", 4210, 5987, 10197}, {"Fynshav – Søby", 1033, 1210.5, 2243.5}, {"Rudkøbing – Marstal", 418, 512, 930}}},
		{"Costs", [][]any{{"What", "€"}, {"Fuel", 18250.75}, {"Crew", 42000}, {"Paint", 310}}},
		{"Notes", [][]any{{"Note"}, {"Prices without tax"}, {"Проверено: Ελένη"}}},
	} {
		if _, err := book.NewSheet(sheet.name); err != nil {
			return err
		}
		for i, row := range sheet.rows {
			cell, err := excelize.CoordinatesToCellName(1, i+1)
			if err != nil {
				return err
			}
			if err := book.SetSheetRow(sheet.name, cell, &row); err != nil {
				return err
			}
		}
	}
	if err := book.DeleteSheet("Sheet1"); err != nil {
		return err
	}
	return book.SaveAs(path)
}

// writeLetter makes a Word document with the parts that one written by hand has.
func writeLetter(path string) error {
	file, err := os.Create(path) //nolint:gosec // fixed names
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // closed below
	archive := zip.NewWriter(file)
	for _, part := range [][2]string{
		{"[Content_Types].xml", contentTypes},
		{"_rels/.rels", packageRels},
		{"word/_rels/document.xml.rels", documentRels},
		{"word/styles.xml", styles},
		{"word/numbering.xml", numbering},
		{"word/document.xml", letter()},
	} {
		w, err := archive.Create(part[0])
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(xmlHead + part[1])); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return file.Close()
}

const (
	xmlHead      = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`
	wordNS       = ` xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	officeRel    = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	wordType     = "application/vnd.openxmlformats-officedocument.wordprocessingml."
	contentTypes = `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/word/document.xml" ContentType="` + wordType + `document.main+xml"/><Override PartName="/word/styles.xml" ContentType="` + wordType + `styles+xml"/><Override PartName="/word/numbering.xml" ContentType="` + wordType + `numbering+xml"/></Types>`
	packageRels  = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` + officeRel + `officeDocument" Target="word/document.xml"/></Relationships>`
	documentRels = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` + officeRel + `styles" Target="styles.xml"/><Relationship Id="rId2" Type="` + officeRel + `numbering" Target="numbering.xml"/>` +
		`<Relationship Id="rId3" Type="` + officeRel + `hyperlink" Target="https://example.org/timetable" TargetMode="External"/></Relationships>`
	styles = `<w:styles` + wordNS + `><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:b/><w:sz w:val="32"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/><w:basedOn w:val="Normal"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:rPr><w:b/><w:sz w:val="26"/></w:rPr></w:style></w:styles>`
	numbering = `<w:numbering` + wordNS + `><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="bullet"/><w:lvlText w:val="•"/></w:lvl></w:abstractNum>` +
		`<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl></w:abstractNum>` +
		`<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num></w:numbering>`
)

func letter() string {
	run := func(text, properties string) string {
		if properties != "" {
			properties = "<w:rPr>" + properties + "</w:rPr>"
		}
		return "<w:r>" + properties + `<w:t xml:space="preserve">` + text + "</w:t></w:r>"
	}
	paragraph := func(properties string, runs ...string) string {
		return "<w:p><w:pPr>" + properties + "</w:pPr>" + strings.Join(runs, "") + "</w:p>"
	}
	style := func(name string) string { return `<w:pStyle w:val="` + name + `"/>` }
	item := func(list, text string) string {
		return paragraph(`<w:numPr><w:ilvl w:val="0"/><w:numId w:val="`+list+`"/></w:numPr>`, run(text, ""))
	}
	row := func(cells ...string) string {
		out := "<w:tr>"
		for _, cell := range cells {
			out += `<w:tc><w:tcPr><w:tcW w:w="2400" w:type="dxa"/></w:tcPr>` + paragraph("", run(cell, "")) + "</w:tc>"
		}
		return out + "</w:tr>"
	}
	return `<w:document` + wordNS + "><w:body>" + strings.Join([]string{
		paragraph(style("Heading1"), run("To the harbour office", "")),
		paragraph("", run("Dear Søren, dear Ελένη, дорогой Юрий,", "")),
		paragraph("", run("the roof over the ", ""), run("bicycle stand", "<w:b/>"), run(" is late. The ", ""),
			`<w:hyperlink r:id="rId3">`+run("timetable", "")+"</w:hyperlink>", run(" says ", ""), run("before Whitsun", "<w:i/>"), run(".", "")),
		paragraph(style("Heading2"), run("What we ask for", "")),
		item("1", "a date"), item("1", "a price, without tax"), item("2", "first the posts"), item("2", "then the roof"),
		`<w:tbl><w:tblPr><w:tblW w:w="0" w:type="auto"/></w:tblPr><w:tblGrid><w:gridCol w:w="2400"/><w:gridCol w:w="2400"/></w:tblGrid>` +
			row("Part", "Price") + row("Posts", "4 200 €") + row("Roof", "13 800 €") + "</w:tbl>",
		paragraph("", run("With kind regards, Åse Nørgård", "")),
		`<w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr>`,
	}, "") + "</w:body></w:document>"
}
