package goals

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// piece is a bit of text in a part of a Word document, and the bytes that hold it, escaped. One without bytes
// (end is 0) only parts its neighbours.
type piece struct {
	start, end int
	text       string
	// tagEnd is where the start tag of the text's element ends if that must be told to keep spaces; 0 otherwise.
	tagEnd int
}

// passage is text that reads as one, though it may lie in many pieces.
type passage struct {
	pieces []piece
	only   kind    // all kinds where empty
	whole  *string // stands for all of it where anything is redacted; nil where marks go into the text
}

func (p passage) text() string {
	var b strings.Builder
	for _, one := range p.pieces {
		b.WriteString(one.text)
	}
	return b.String()
}

// among is what is to go from a passage.
func (p passage) among(r redaction) []finding {
	found := r.among(p.text())
	return slices.DeleteFunc(found, func(f finding) bool { return p.only != "" && f.kind != p.only })
}

// Streams of a paragraph: what is read, what was deleted with its change tracked, and instructions of fields.
const (
	streamText = iota
	streamDeleted
	streamField
	streams
)

const maxPartDepth = 1000

// partReader takes a part apart.
type partReader struct {
	data     []byte
	part     string
	passages []passage
	open     []*[streams]passage // paragraphs within paragraphs
	names    []string            // elements that are open
	tagEnd   int
	keeps    bool // the open element keeps its spaces
}

var errTooDeep = errors.New("its elements are nested too deeply")

// readPart lists the passages of a part that is XML.
func readPart(name string, data []byte) ([]passage, error) {
	r := &partReader{data: data, part: name}
	decoder := xml.NewDecoder(bytes.NewReader(data))
	for {
		start := int(decoder.InputOffset())
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return r.passages, nil
		}
		if err != nil {
			return nil, err
		}
		end := int(decoder.InputOffset())
		switch token := token.(type) {
		case xml.StartElement:
			if len(r.names) > maxPartDepth {
				return nil, errTooDeep
			}
			r.startElement(token, start, end)
		case xml.EndElement:
			r.end(token.Name.Local)
		case xml.CharData:
			r.chars(string(token), start, end)
		case xml.Comment:
			nothing := ""
			r.passages = append(r.passages, passage{pieces: []piece{{start: start, end: end, text: string(token)}}, whole: &nothing})
		}
	}
}

func (r *partReader) startElement(token xml.StartElement, start, end int) {
	r.names = append(r.names, token.Name.Local)
	r.tagEnd = end
	r.keeps = bytes.Contains(r.data[start:end], []byte("xml:space"))
	switch token.Name.Local {
	case "p":
		r.open = append(r.open, new([streams]passage))
	case "tab", "br", "cr", "ptab", "Choice", "Fallback", "sym":
		r.divide("\n")
	case "noBreakHyphen":
		r.divide("\u2011")
	}
	r.attributes(start, end)
}

func (r *partReader) end(name string) {
	r.names = r.names[:len(r.names)-1]
	switch {
	case name == "p" && len(r.open) > 0:
		for _, p := range r.open[len(r.open)-1] {
			if len(p.pieces) > 0 {
				r.passages = append(r.passages, p)
			}
		}
		r.open = r.open[:len(r.open)-1]
	case name == "Choice" || name == "Fallback":
		r.divide("\n")
	}
}

// divide puts something between what was read and what comes.
func (r *partReader) divide(text string) {
	if len(r.open) > 0 {
		p := &r.open[len(r.open)-1][streamText]
		p.pieces = append(p.pieces, piece{text: text})
	}
}

func (r *partReader) chars(text string, start, end int) {
	if len(r.names) == 0 {
		return
	}
	one := piece{start: start, end: end, text: text}
	stream := -1
	switch r.names[len(r.names)-1] {
	case "t":
		stream = streamText
	case "delText":
		stream = streamDeleted
	case "instrText", "delInstrText":
		stream = streamField
	}
	if stream >= 0 && len(r.open) > 0 {
		if !r.keeps && start == r.tagEnd {
			one.tagEnd = r.tagEnd
		}
		p := &r.open[len(r.open)-1][stream]
		p.pieces = append(p.pieces, one)
		return
	}
	if strings.TrimSpace(text) != "" {
		r.passages = append(r.passages, passage{pieces: []piece{one}})
	}
}

var attributePattern = regexp.MustCompile(`([\w:.\-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')`)

// attributes that hold what people write. In others, numbers are no phone numbers.
var proseAttributes = strings.Fields("descr title alt author initials tooltip string instr name val userId fullName subject")

// gone is where a link leads whose target was redacted; an address must stay one, or Word takes the file for damaged.
const gone = "about:blank"

func (r *partReader) attributes(start, end int) {
	tag := r.data[start:end]
	for _, at := range attributePattern.FindAllSubmatchIndex(tag, -1) {
		from, to := at[4], at[5]
		if from < 0 {
			from, to = at[6], at[7]
		}
		name := string(tag[at[2]:at[3]])
		p := passage{pieces: []piece{{start: start + from, end: start + to, text: html.UnescapeString(string(tag[from:to]))}}, only: kindEmail}
		switch local := name[strings.LastIndex(name, ":")+1:]; {
		case path.Ext(r.part) == ".rels" && local == "Target" && !bytes.Contains(tag, []byte("External")):
			continue // the name of another part
		case path.Ext(r.part) == ".rels" && local == "Target", local == "href":
			place := gone
			p.whole, p.only = &place, ""
			if plain, err := url.PathUnescape(p.pieces[0].text); err == nil {
				p.pieces[0].text = plain
			}
		case slices.Contains(proseAttributes, local):
			p.only = ""
		}
		if from < to {
			r.passages = append(r.passages, p)
		}
	}
}

// edit is bytes to be put in the place of others.
type edit struct {
	start, end int
	with       string
}

// edits are what takes the findings out of a passage.
func (p passage) edits(found []finding, r redaction) []edit {
	if p.whole != nil {
		return []edit{{p.pieces[0].start, p.pieces[0].end, *p.whole}}
	}
	var out []edit
	at := 0
	for _, one := range p.pieces {
		text, changed := without(one.text, at, found, r)
		at += len(one.text)
		if !changed || one.end == 0 {
			continue
		}
		if one.tagEnd > 0 && text != strings.TrimSpace(text) {
			out = append(out, edit{one.tagEnd - 1, one.tagEnd - 1, ` xml:space="preserve"`})
		}
		var escaped bytes.Buffer
		xml.EscapeText(&escaped, []byte(text)) //nolint:errcheck,gosec // a buffer takes everything
		with := escaped.String()
		if before, bracket := strings.CutSuffix(with, "]"); bracket {
			with = before + "&#93;" // with what comes after it, it could end a section that is none
		}
		out = append(out, edit{one.start, one.end, with})
	}
	return out
}

// without is a piece that begins at a place in its passage, less what the findings cover of it. The mark goes
// where a finding begins.
func without(text string, at int, found []finding, r redaction) (out string, changed bool) {
	var b strings.Builder
	next := 0
	for _, f := range found {
		from, to := max(f.start-at, 0), min(f.end-at, len(text))
		if from >= to {
			continue
		}
		b.WriteString(text[next:from])
		if f.start >= at {
			b.WriteString(r.mark(f.kind))
		}
		next, changed = to, true
	}
	b.WriteString(text[next:])
	return b.String(), changed
}

// apply makes the edits, of which no two overlap.
func apply(data []byte, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(out, data[at:e.start]...)
		out = append(out, e.with...)
		at = e.end
	}
	return append(out, data[at:]...)
}
