package corpus

import (
	"archive/zip"
	"bytes"
)

const (
	wordSpaces = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" ` +
		`xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" ` +
		`xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"`
	relationType = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	xmlHead      = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
)

// file is the finished document.
func (b *builder) file() []byte {
	switch b.format {
	case "docx":
		return b.docx()
	case "odt":
		return b.odt()
	case "html":
		return []byte("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>corpus</title></head><body>\n" + b.body.String() + "</body></html>\n")
	}
	return []byte(b.body.String())
}

func (b *builder) docx() []byte {
	chunk := b.words.next()
	relations := `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rStyles" Type="` + relationType + `styles" Target="styles.xml"/>` +
		`<Relationship Id="rNumbers" Type="` + relationType + `numbering" Target="numbering.xml"/>` +
		`<Relationship Id="rNotes" Type="` + relationType + `footnotes" Target="footnotes.xml"/>` +
		`<Relationship Id="rLink" Type="` + relationType + `hyperlink" Target="https://example.org/linked" TargetMode="External"/>`
	hasChunk := bytes.Contains([]byte(b.body.String()), []byte("rChunk"))
	parts := []string{
		"[Content_Types].xml", xmlHead + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
			`<Default Extension="html" ContentType="text/html"/>` + override("document", "document.main") + override("styles", "styles") +
			override("numbering", "numbering") + override("footnotes", "footnotes") + `</Types>`,
		"_rels/.rels", xmlHead + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="` + relationType + `officeDocument" Target="word/document.xml"/></Relationships>`,
	}
	if hasChunk {
		relations += `<Relationship Id="rChunk" Type="` + relationType + `aFChunk" Target="chunk.html"/>`
		parts = append(parts, "word/chunk.html", "<html><body><p>"+chunk+"</p></body></html>")
		b.truth.Words = append(b.truth.Words, Word{Text: chunk, Beside: true, Notes: []string{"altChunk", "document"}})
	}
	return pack(append(
		parts,
		"word/_rels/document.xml.rels", xmlHead+relations+"</Relationships>",
		"word/styles.xml", xmlHead+`<w:styles `+wordSpaces+`><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style></w:styles>`,
		"word/numbering.xml", xmlHead+`<w:numbering `+wordSpaces+`><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="bullet"/><w:lvlText w:val="•"/></w:lvl></w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num></w:numbering>`,
		"word/footnotes.xml", xmlHead+`<w:footnotes `+wordSpaces+`><w:footnote w:type="separator" w:id="0"><w:p/></w:footnote><w:footnote w:type="continuationSeparator" w:id="1"><w:p/></w:footnote>`+b.notes.String()+`</w:footnotes>`,
		"word/document.xml", xmlHead+`<w:document `+wordSpaces+`><w:body>`+b.body.String()+`<w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr></w:body></w:document>`,
	)...)
}

func override(part, kind string) string {
	return `<Override PartName="/word/` + part + `.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.` + kind + `+xml"/>`
}

func (b *builder) odt() []byte {
	return pack(
		"mimetype", "application/vnd.oasis.opendocument.text",
		"META-INF/manifest.xml", xmlHead+`<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.2"><manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.text"/><manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>`,
		"styles.xml", xmlHead+`<office:document-styles xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:styles/></office:document-styles>`,
		"content.xml", xmlHead+`<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:xlink="http://www.w3.org/1999/xlink" office:version="1.2"><office:body><office:text>`+b.body.String()+`</office:text></office:body></office:document-content>`,
	)
}

// pack is an archive of parts, given as names and contents in turn. The first is not packed, as ODF asks of its mimetype.
func pack(parts ...string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i+1 < len(parts); i += 2 {
		method := zip.Deflate
		if i == 0 {
			method = zip.Store
		}
		part, err := w.CreateHeader(&zip.FileHeader{Name: parts[i], Method: method})
		if err == nil {
			_, err = part.Write([]byte(parts[i+1]))
		}
		if err != nil {
			panic(err) // memory does not fail
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}
