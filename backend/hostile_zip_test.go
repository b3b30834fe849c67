package backend_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// part is one file of an archive.
type part struct{ name, content string }

// archived packs parts, the most that deflate gets out of them.
func archived(parts ...part) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, p := range parts {
		f, _ := w.Create(p.name)
		_, _ = io.WriteString(f, p.content)
	}
	_ = w.Close()
	return out.Bytes()
}

// overlapping is an archive in which every name leads to the same packed bytes, as "better zip bombs" do.
func overlapping(content string, names []string) []byte {
	var packed bytes.Buffer
	deflate, _ := flate.NewWriter(&packed, flate.BestCompression)
	_, _ = io.WriteString(deflate, content)
	_ = deflate.Close()
	sum, size := crc32.ChecksumIEEE([]byte(content)), len(content)
	var out bytes.Buffer
	le := binary.LittleEndian
	head := func(signature uint32, name string, central bool) {
		b := le.AppendUint32(nil, signature)
		if central {
			b = le.AppendUint16(b, 20)
		}
		for _, v := range []uint16{20, 0, 8, 0, 0} {
			b = le.AppendUint16(b, v)
		}
		for _, v := range []int{int(sum), packed.Len(), size} {
			b = le.AppendUint32(b, uint32(v))
		}
		b = le.AppendUint16(le.AppendUint16(b, uint16(len(name))), 0)
		if central {
			b = append(b, make([]byte, 14)...) // no comment, disk 0, no attributes, at offset 0
		}
		out.Write(append(b, name...))
	}
	head(0x04034b50, names[0], false)
	out.Write(packed.Bytes())
	at := out.Len()
	for _, name := range names {
		head(0x02014b50, name, true)
	}
	end := le.AppendUint32(nil, 0x06054b50)
	for _, v := range []uint16{0, 0, uint16(len(names)), uint16(len(names))} {
		end = le.AppendUint16(end, v)
	}
	end = le.AppendUint32(le.AppendUint32(end, uint32(out.Len()-at)), uint32(at))
	out.Write(le.AppendUint16(end, 0))
	return out.Bytes()
}

const wordSpaces = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`

func wordBody(body string) part {
	return part{"word/document.xml", `<w:document ` + wordSpaces + `><w:body>` + body + `</w:body></w:document>`}
}

const wordText = `<w:p><w:r><w:t>text</w:t></w:r></w:p>`

func wordRelations(relations string) part {
	return part{"word/_rels/document.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` + relations + `</Relationships>`}
}

const laughs = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">` +
	`<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">` +
	`<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;"><!ENTITY g "&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;">]>`

func times(n int, text string) string { return strings.Repeat(text, n) }

func each(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i+1)
	}
	return b.String()
}

const wordPackage = `<Relationship Id="d1" Type="x/officeDocument" Target="word/document.xml"/>`

// wordArchive is a package that says which part is the document.
func wordArchive(parts ...part) []byte {
	return archived(append(parts, part{"_rels/.rels", `<Relationships>` + wordPackage + `</Relationships>`})...)
}

func hostileDocuments() []hostile {
	word := func(name, want string, content func() []byte) hostile {
		return hostile{name: name, source: "docx", target: "html", want: want, content: content}
	}
	damaged := "DAMAGED_DOCUMENT"
	return []hostile{
		word("a part of 300 megabytes", damaged, func() []byte { return wordArchive(wordBody(times(300<<20/len(wordText), wordText))) }),
		word("200,000 entries", damaged, func() []byte {
			parts := []part{wordBody(wordText)}
			for i := range 200_000 {
				parts = append(parts, part{fmt.Sprint("x/", i), ""})
			}
			return wordArchive(parts...)
		}),
		word("9,000 headers over the same bytes", "", func() []byte {
			names := []string{"_rels/.rels", "word/document.xml", "word/_rels/document.xml.rels"}
			for i := range 9000 {
				names = append(names, fmt.Sprintf("word/h%d.xml", i+1))
			}
			// One text that is body and relations at once.
			body := `<x><document><body>` + wordText + `</body></document><Relationships>` + wordPackage +
				each(9000, `<Relationship Id="r%[1]d" Type="x/header" Target="h%[1]d.xml"/>`) + `</Relationships>` + times(6<<20, " ") + `</x>`
			return overlapping(strings.Replace(strings.Replace(body, "<x>", "", 1), "</x>", "", 1), names)
		}),
		word("10,000 relations to one header", "", func() []byte {
			return wordArchive(wordBody(wordText), wordRelations(each(10_000, `<Relationship Id="r%d" Type="x/header" Target="h.xml"/>`)),
				part{"word/h.xml", "<h>" + times(100_000, "<t>a</t>") + "</h>"})
		}),
		word("a picture drawn 50,000 times", "RESULT_TOO_LARGE", func() []byte {
			return wordArchive(wordBody(times(50_000, `<w:p><w:r><w:drawing><pic><blipFill><blip r:embed="r1"/></blipFill></pic></w:drawing></w:r></w:p>`)),
				wordRelations(`<Relationship Id="r1" Type="x/image" Target="p.png"/>`), part{"word/p.png", times(1<<20, "x")})
		}),
		word("billion laughs", damaged, func() []byte {
			return wordArchive(part{"word/document.xml", laughs + "<document><body>&g;</body></document>"})
		}),
		word("100,000 nested controls", damaged, func() []byte {
			return wordArchive(wordBody(times(100_000, "<w:sdt>") + times(100_000, "</w:sdt>")))
		}),
		word("text in a million pieces", "", func() []byte {
			return wordArchive(wordBody(`<w:p><w:r><w:t>` + times(1_000_000, "ab<!---->") + `</w:t></w:r></w:p>`))
		}),
		word("10 million elements", damaged, func() []byte { return wordArchive(wordBody(times(10_000_000, "<w:p/>") + wordText)) }),
		word("a million attributes", "", func() []byte {
			return wordArchive(wordBody(`<w:p ` + each(1_000_000, `a%d="" `) + `/>` + wordText))
		}),
		word("lists that jump", "", func() []byte {
			return wordArchive(wordBody(each(50_000, `<w:p><w:pPr><w:numPr><w:ilvl w:val="%d"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>x</w:t></w:r></w:p>`)),
				part{"word/numbering.xml", `<numbering><abstractNum abstractNumId="1"/><num numId="1"><abstractNumId val="1"/></num></numbering>`})
		}),
	}
}

const bookTypes = `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/>` +
	`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`

// book is a workbook of one sheet.
func book(sheet string, more ...part) []byte {
	return archived(append([]part{
		{"[Content_Types].xml", bookTypes},
		{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
		{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`},
		{"xl/worksheets/sheet1.xml", `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + sheet + `</worksheet>`},
	}, more...)...)
}

func hostileWorkbooks() []hostile {
	xlsx := func(name, target, want string, content func() []byte) hostile {
		return hostile{name: name, source: "xlsx", target: target, want: want, content: content, late: true}
	}
	const end = `</sheetData>`
	row := `<row r="%[1]d"><c r="A%[1]d"><v>1</v></c></row>`
	return []hostile{
		xlsx("a cell at the far corner", "html", "TABLE_TOO_LARGE", func() []byte {
			return book(`<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>` + end)
		}),
		xlsx("100,000 cells in the last column", "csv", "TABLE_TOO_LARGE", func() []byte {
			return book(each(100_000, `<row r="%[1]d"><c r="XFD%[1]d"><v>1</v></c></row>`) + end)
		}),
		xlsx("rows out of order and beyond", "csv", "TABLE_TOO_LARGE", func() []byte {
			return book(`<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>` + end)
		}),
		xlsx("a sheet of 700 megabytes", "csv", "DAMAGED_DOCUMENT", func() []byte { return book(`<row r="1"><c r="A1"><v>1</v></c></row>` + times(700<<20, " ") + end) }),
		xlsx("styles of 200 megabytes", "csv", "DAMAGED_DOCUMENT", func() []byte {
			return book(`<row r="1"><c r="A1"><v>1</v></c></row>`+end, part{"xl/styles.xml", `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts>` + times(20_000_000, "<font/>") + `</fonts></styleSheet>`})
		}),
		xlsx("three million shared strings", "csv", "NO_CONTENT", func() []byte {
			return book(`<row r="1"><c r="A1" t="s"><v>1</v></c></row>`+end, part{"xl/sharedStrings.xml", `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` + times(3_000_000, "<si/>") + `</sst>`})
		}),
		xlsx("100,000 formulas in a chain", "csv", "", func() []byte {
			var b strings.Builder
			for i := range 100_000 {
				fmt.Fprintf(&b, `<row r="%[1]d"><c r="A%[1]d"><f>A%[2]d+1</f></c></row>`, i+1, i+2)
			}
			return book(b.String() + fmt.Sprintf(row, 100_001) + end)
		}),
		xlsx("a sum over everything", "csv", "", func() []byte {
			return book(`<row r="1"><c r="A1"><f>SUM(B1:XFD1048576)</f></c><c r="B1"><v>2</v></c></row>` + end)
		}),
		xlsx("a formula that doubles itself", "csv", "", func() []byte {
			var b strings.Builder
			for i := range 200 {
				fmt.Fprintf(&b, `<row r="%[1]d"><c r="A%[1]d"><f>A%[2]d&amp;A%[2]d</f></c></row>`, i+1, i+2)
			}
			return book(b.String() + fmt.Sprintf(row, 201) + end)
		}),
		xlsx("100,000 nested elements", "csv", "DAMAGED_DOCUMENT", func() []byte {
			return book(times(100_000, "<row>") + times(100_000, "</row>") + end)
		}),
		xlsx("a million merged cells", "csv", "", func() []byte {
			return book(fmt.Sprintf(row, 1) + end + `<mergeCells>` + each(1_000_000, `<mergeCell ref="A%[1]d:B%[1]d"/>`) + `</mergeCells>`)
		}),
		xlsx("billion laughs in a workbook", "csv", "DAMAGED_DOCUMENT", func() []byte {
			return book(`<row r="1"><c r="A1" t="s"><v>0</v></c></row>`+end, part{"xl/sharedStrings.xml", laughs + `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>&g;</t></si></sst>`})
		}),
	}
}
