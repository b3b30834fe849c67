package goals_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const (
	mail  = "aase.noergaard@example.org"
	phone = "+45 62 52 40 00"
	card  = "4111 1111 1111 1111"
	iban  = "DE89 3704 0044 0532 0130 00"
)

const wordNS = ` xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`

func run(text string) string { return "<w:r><w:rPr><w:b/></w:rPr><w:t>" + text + "</w:t></w:r>" }

func para(runs ...string) string { return "<w:p>" + strings.Join(runs, "") + "</w:p>" }

// word packs parts as a Word document, the body first.
func word(tb testing.TB, body string, more map[string]string) []byte {
	tb.Helper()
	const relations = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`
	const kind = `"http://schemas.openxmlformats.org/officeDocument/2006/relationships/`
	parts := map[string]string{
		"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
		"_rels/.rels":         relations + `<Relationship Id="rId1" Type=` + kind + `officeDocument" Target="word/document.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/thumbnail" Target="docProps/thumbnail.jpeg"/></Relationships>`,
		"word/document.xml":   "<w:document" + wordNS + "><w:body>" + body + "</w:body></w:document>",
		"word/_rels/document.xml.rels": relations + `<Relationship Id="rId3" Type=` + kind + `hyperlink" Target="mailto:aase.noergaard%40example.org?subject=Hi" TargetMode="External"/>` +
			`<Relationship Id="rId4" Type=` + kind + `hyperlink" Target="https://example.org/timetable" TargetMode="External"/></Relationships>`,
		"docProps/thumbnail.jpeg": "a picture of the first page",
	}
	for name, content := range more {
		parts[name] = content
	}
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, name := range []string{"[Content_Types].xml", "_rels/.rels", "word/document.xml"} {
		w, err := archive.Create(name)
		require.NoError(tb, err)
		_, err = io.WriteString(w, parts[name])
		require.NoError(tb, err)
		delete(parts, name)
	}
	for name, content := range parts {
		w, err := archive.Create(name)
		require.NoError(tb, err)
		_, err = io.WriteString(w, content)
		require.NoError(tb, err)
	}
	require.NoError(tb, archive.Close())
	return out.Bytes()
}

func personal(tb testing.TB) []byte {
	tb.Helper()
	body := para(run("Write to aase."), run("noer"), `<w:proofErr w:type="spellStart"/>`, run("gaard@exam"), run("ple.org or to b@example.org, "), run("please."))
	body += para(`<w:hyperlink r:id="rId3">`+run(mail)+"</w:hyperlink>", run(" &amp; "), `<w:hyperlink r:id="rId4">`+run("timetable")+"</w:hyperlink>")
	body += para(run("Call +45"), `<w:r><w:noBreakHyphen/></w:r>`, run("62 52"), run(" 40 00 now"), "<w:r><w:tab/></w:r>", run("4111 1111 "), run("1111 1111"))
	body += para(`<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> HYPERLINK "mailto:`+mail+`" </w:instrText></w:r>`, run("DE89 3704 0044 0532 0130 00"))
	body += para(`<w:del w:id="1" w:author="` + mail + `"><w:r><w:delText>` + phone + `</w:delText></w:r></w:del>`)
	body += para(`<w:r><w:drawing><wp:docPr xmlns:wp="x" id="1" descr="card 4111111111111111"/></w:drawing></w:r>`)
	part := func(name, inner string) string { return "<w:" + name + wordNS + ">" + inner + "</w:" + name + ">" }
	return word(tb, body, map[string]string{
		"word/header1.xml":   part("hdr", para(run("Private: "+card))),
		"word/footer1.xml":   part("ftr", para(run("+45 6252 4000"))),
		"word/comments.xml":  part("comments", `<w:comment w:id="0" w:author="`+mail+`">`+para(run("ask "), run(mail))+"</w:comment>"),
		"word/footnotes.xml": part("footnotes", para(run("DE89370400440532013000"))),
		"docProps/core.xml":  `<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"><!-- ` + mail + ` --><dc:creator>` + mail + `</dc:creator></cp:coreProperties>`,
		"word/media/a.png":   "picture", "word/embeddings/book.xlsx": "table",
	})
}

func parts(tb testing.TB, document []byte) map[string]string {
	tb.Helper()
	out := map[string]string{}
	for name, data := range unzip(tb, document) {
		out[name] = string(data)
		if !strings.HasSuffix(name, ".xml") && !strings.HasSuffix(name, ".rels") {
			continue
		}
		decoder := xml.NewDecoder(bytes.NewReader(data))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(tb, err, name)
			}
		}
	}
	return out
}

func TestRedactor(t *testing.T) {
	csv := "name;mail;card\r\nÅse;" + mail + ";\"" + card + "\"\r\n\"x\"\"y\";b@example.org;12\r\n"
	j := start(t, "goal_lane.redactor", input(t, "letter.docx", personal(t)), input(t, "people.csv", []byte(csv)), input(t, "broken.docx", []byte("no")), input(t, "empty.txt", nil),
		input(t, mail+".md", []byte("# "+phone+"\n")))
	slots := j.asked("findings", "style")
	var labels, keepB []string
	for _, option := range slots["findings"].Options {
		labels = append(labels, option.Label)
		assert.NotContains(t, option.Value, "@", "ids tell nothing")
		if !strings.Contains(option.Label, "b@example.org") || strings.Contains(option.Label, mail) {
			keepB = append(keepB, option.Value)
		}
	}
	require.Len(t, labels, 5, "%v", labels)
	assert.Contains(t, labels[0], "e-mail "+mail+" (", "%v", labels)
	assert.Contains(t, labels[0], "in letter.docx, people.csv)")
	assert.Contains(t, strings.Join(labels, "\n"), "card number 4111 … 1111 (")
	assert.Contains(t, strings.Join(labels, "\n"), "e-mail b@example.org (2 times in letter.docx, people.csv)")
	j.answer("findings", keepB)
	j.answer("style", "label")
	j.confirm()
	out := j.done()

	require.Len(t, j.last.Missing, 1)
	assert.Contains(t, j.last.Missing[0], "broken.docx")
	assert.Contains(t, strings.Join(j.last.Warnings, "\n"), "1 embedded file (book.xlsx) cannot be searched")
	assert.Contains(t, strings.Join(j.last.Warnings, "\n"), "what tracked changes cut in two")
	assert.Equal(t, "name;mail;card\r\nÅse;[e-mail];\"[card number]\"\r\n\"x\"\"y\";b@example.org;12\r\n", string(out["people.csv"]))
	assert.Empty(t, out["empty.txt"])
	assert.Equal(t, "# [phone number]\n", string(out["[e-mail].md"]), "the name of a file is text, too")

	read, err := testkit.Convert(t, text.New(), "docx", "txt", out["letter.docx"])
	require.NoError(t, err)
	assert.Contains(t, read.Text(), "Write to [e-mail] or to b@example.org, please.")
	assert.Contains(t, read.Text(), "[e-mail] <about:blank> & timetable <https:")
	assert.Contains(t, read.Text(), "Call [phone number]")
	assert.Contains(t, read.Text(), "now")
	found := parts(t, out["letter.docx"])
	for name, content := range found {
		for _, secret := range []string{"noergaard", "aase", "40 00", "4000", "1111", "0532", "gaard"} {
			assert.NotContains(t, content, secret, name)
		}
	}
	assert.NotContains(t, found, "docProps/thumbnail.jpeg", "a picture of what is redacted")
	assert.NotContains(t, found["_rels/.rels"], "thumbnail")
	assert.Contains(t, found["word/_rels/document.xml.rels"], `Target="about:blank"`)
	assert.Contains(t, found["word/_rels/document.xml.rels"], `Target="https://example.org/timetable"`)
	assert.Equal(t, "table", found["word/embeddings/book.xlsx"])
	assert.Equal(t, strings.Count(string(unzip(t, personal(t))["word/document.xml"]), "<w:b/>"), strings.Count(found["word/document.xml"], "<w:b/>"), "runs keep their looks")

	report := string(out["redaction-report.md"])
	for name, data := range out {
		if name != "redaction-report.md" {
			sum := sha256.Sum256(data)
			assert.Contains(t, report, hex.EncodeToString(sum[:]), name)
		}
	}
	for _, secret := range []string{mail, "aase", "1111", "62 52", "0532"} {
		assert.NotContains(t, report, secret)
	}
	assert.Contains(t, report, "| people.csv | 1 | 0 | 1 | 0 |")
	assert.Contains(t, report, "Not searched in letter.docx: 1 embedded file")
}

func TestRedactorFindsNothing(t *testing.T) {
	letter := testkit.Examples(t, "letter.docx")
	j := start(t, "goal_lane.redactor", input(t, "letter.docx", letter), input(t, "a.txt", []byte("\xef\xbb\xbfnothing\r\n\r")))
	j.confirm()
	out := j.done()
	assert.Equal(t, "\xef\xbb\xbfnothing\r\n\r", string(out["a.txt"]))
	assert.Equal(t, unzip(t, letter), unzip(t, out["letter.docx"]))
	assert.Contains(t, j.last.Closing, "Found no e-mail addresses")
	assert.Contains(t, string(out["redaction-report.md"]), "0 places redacted")
}

func TestRedactorManyFindings(t *testing.T) {
	var list strings.Builder
	for i := range 300 {
		fmt.Fprintf(&list, "p%d@example.org\n", i)
	}
	j := start(t, "goal_lane.redactor", input(t, "a.txt", []byte(list.String()+card)))
	slots := j.asked("findings", "style")
	require.Len(t, slots["findings"].Options, 2)
	assert.Equal(t, "all 300 e-mails", slots["findings"].Options[0].Label)
	assert.Contains(t, slots["findings"].Question, "301")
	j.answer("findings", []string{slots["findings"].Options[0].Value})
	j.answer("style", "blocks")
	j.confirm()
	assert.Equal(t, strings.Repeat("██████\n", 300)+card, string(j.done()["a.txt"]))
}

func TestRedactorEncodings(t *testing.T) {
	wide := func(s string) []byte {
		out := []byte{0xFF, 0xFE}
		for _, unit := range utf16.Encode([]rune(s)) {
			out = append(out, byte(unit), byte(unit>>8))
		}
		return out
	}
	for name, c := range map[string]struct{ in, want []byte }{
		"utf-16":  {wide("Å 😀 " + mail + "\r\n"), wide("Å 😀 ██████\r\n")},
		"latin 1": {[]byte("\xc5se " + mail + " \x80\r"), []byte("\xc5se ###### \x80\r")},
		"utf-8":   {[]byte("\xef\xbb\xbfÅ " + mail), []byte("\xef\xbb\xbfÅ ██████")},
	} {
		t.Run(name, func(t *testing.T) {
			j := start(t, "goal_lane.redactor", input(t, "a.txt", c.in))
			j.asked("findings", "style")
			j.accept()
			j.answer("style", "blocks")
			j.confirm()
			assert.Equal(t, c.want, j.done()["a.txt"], name)
		})
	}
}

func TestRedactorRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"a.txt": []byte("\x00\x01\x02"), "a.docx": []byte("PK\x03\x04"), "b.docx": word(t, "<w:p>", nil), "c.docx": word(t, strings.Repeat("<w:p>", 2000)+strings.Repeat("</w:p>", 2000), nil),
	} {
		t.Run(name, func(t *testing.T) {
			var failure *goals.Failure
			require.ErrorAs(t, start(t, "goal_lane.redactor", input(t, name, data)).pass(), &failure, name)
			assert.Equal(t, goals.CodeUnusable, failure.Code)
			assert.Contains(t, failure.Message, name)
		})
	}
}

// TestWordTextOverRuns: however a text is cut into runs, what is read afterwards is the text redacted.
func TestWordTextOverRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := strings.Map(func(r rune) rune {
			if r < ' ' || r == 0xFFFE || r == 0xFFFF || r == 0xFFFD {
				return ' '
			}
			return r
		}, secrets().Draw(t, "text"))
		var body strings.Builder
		body.WriteString("<w:document" + wordNS + "><w:p>")
		rest := []rune(plain)
		for len(rest) > 0 {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			body.WriteString("<w:r><w:t>")
			require.NoError(t, xml.EscapeText(&body, []byte(string(rest[:n]))))
			body.WriteString("</w:t></w:r>")
			rest = rest[n:]
		}
		body.WriteString("</w:p></w:document>")
		var chosen []string
		for _, f := range goals.Find(plain) {
			if rapid.Bool().Draw(t, "take") {
				chosen = append(chosen, f.ID)
			}
		}
		want, err := goals.RedactText(plain, chosen, "label")
		require.NoError(t, err)
		part, err := goals.RedactPart(body.String(), chosen)
		require.NoError(t, err)
		texts, err := goals.PartTexts(part)
		require.NoError(t, err)
		assert.Contains(t, append(texts, ""), want)
		if len(chosen) == 0 {
			assert.Equal(t, body.String(), part)
		}
	})
}

func FuzzWordPart(f *testing.F) {
	f.Add([]byte("<w:document><w:p><w:r><w:t>a@b</w:t></w:r><w:r><w:t>.co</w:t></w:r></w:p><!-- a@b.co --><x y='a@b.co'/></w:document>"))
	f.Add([]byte("<a><![CDATA[a@b.co]]>&#64;<p><t><p><t>x</t></p></t></p></a>"))
	f.Fuzz(func(t *testing.T, part []byte) {
		texts, err := goals.PartTexts(string(part))
		if err != nil {
			return
		}
		var all []string
		for _, text := range texts {
			for _, found := range goals.Find(text) {
				all = append(all, found.ID)
			}
		}
		out, err := goals.RedactPart(string(part), all)
		if err != nil {
			t.Fatalf("%q: %v", part, err)
		}
		if _, err := goals.PartTexts(out); err != nil {
			t.Fatalf("%q became %q: %v", part, out, err)
		}
		if len(all) == 0 && out != string(part) {
			t.Fatalf("%q became %q", part, out)
		}
	})
}
