package links

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html/charset"
)

// recorder hands bytes to the decoder one by one, and keeps those of the token that is being read.
type recorder struct {
	from *bufio.Reader
	kept []byte
}

var errLongToken = errors.New("a piece of it is too long")

func (r *recorder) ReadByte() (byte, error) {
	b, err := r.from.ReadByte()
	if err != nil {
		return 0, err
	}
	if len(r.kept) >= maxToken {
		return 0, errLongToken
	}
	r.kept = append(r.kept, b)
	return b, nil
}

func (r *recorder) Read(p []byte) (int, error) { // the decoder reads bytes
	if len(p) == 0 {
		return 0, nil
	}
	b, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// part is a piece of XML that is being copied.
type part struct {
	*cutter
	place

	relations relations // of this part; nil where it has none
	isRels    bool
	from      *recorder
	to        io.Writer
	decoder   *xml.Decoder
	changed   bool
	recoded   bool // to is UTF-8 where from was not

	open     []string // elements, by their local names
	fields   []*field // of a text, open ones within each other
	lastRead int64
}

// field is a field of a text, whose command is in pieces.
type field struct {
	command strings.Builder
	cutting bool
	told    bool
}

// whole cuts a piece of XML in memory; nil where nothing was cut.
func (c *cutter) whole(data []byte, where place) ([]byte, error) {
	var out bytes.Buffer
	changed, err := c.xml(bytes.NewReader(data), &out, where, nil, false)
	if err != nil || !changed {
		return nil, err
	}
	return out.Bytes(), nil
}

// xml copies XML without its links. What it copies is byte for byte as it was but for the elements that had one.
func (c *cutter) xml(from io.Reader, to io.Writer, where place, rel relations, isRels bool) (changed bool, err error) {
	buffered := bufio.NewReaderSize(from, 64<<10)
	utf8, recoded, err := asUTF8(buffered)
	if err != nil {
		return false, err
	}
	p := &part{cutter: c, place: where, relations: rel, isRels: isRels, from: &recorder{from: utf8}, to: to, recoded: recoded}
	p.decoder = xml.NewDecoder(p.from)
	p.decoder.Entity = maps.Clone(xml.HTMLEntity)
	p.decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	for n := 0; ; n++ {
		if n%10_000 == 0 && c.ctx != nil && c.ctx.Err() != nil {
			return false, c.ctx.Err()
		}
		token, err := p.decoder.RawToken()
		if errors.Is(err, io.EOF) {
			for _, f := range p.fields {
				p.tell(f)
			}
			_, err = p.to.Write(p.from.kept)
			return p.changed, err
		}
		if err != nil {
			return false, err
		}
		if err := p.token(token); err != nil {
			return false, err
		}
	}
}

var encodingName = regexp.MustCompile(`^\s*<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// asUTF8 reads XML of any encoding that it may name or begin in.
func asUTF8(from *bufio.Reader) (_ *bufio.Reader, recoded bool, err error) {
	head, _ := from.Peek(256)
	name := ""
	switch {
	case bytes.HasPrefix(head, []byte("\xFF\xFE")), bytes.HasPrefix(head, []byte("<\x00")):
		name = "utf-16le"
	case bytes.HasPrefix(head, []byte("\xFE\xFF")), bytes.HasPrefix(head, []byte("\x00<")):
		name = "utf-16be"
	default:
		if m := encodingName.FindSubmatch(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF"))); m != nil {
			name = strings.ToLower(string(m[1]))
		}
	}
	if name == "" || name == "utf-8" || name == "utf8" || name == "us-ascii" || name == "ascii" {
		return from, false, nil
	}
	decoded, err := charset.NewReaderLabel(name, from)
	if err != nil {
		return nil, false, fmt.Errorf("its encoding %s is unknown", name)
	}
	return bufio.NewReaderSize(decoded, 64<<10), true, nil
}

// raw takes the bytes of the token that was read last.
func (p *part) raw() []byte {
	size := p.decoder.InputOffset() - p.lastRead
	p.lastRead = p.decoder.InputOffset()
	raw := bytes.Clone(p.from.kept[:size])
	p.from.kept = append(p.from.kept[:0], p.from.kept[size:]...)
	return raw
}

func (p *part) token(token xml.Token) error {
	raw := p.raw()
	out := raw
	switch t := token.(type) {
	case xml.StartElement:
		out = p.start(t, raw)
		p.open = append(p.open, t.Name.Local)
	case xml.EndElement:
		if len(p.open) > 0 && len(raw) > 0 {
			p.open = p.open[:len(p.open)-1]
		}
	case xml.CharData:
		out = p.characters(t, raw)
	case xml.Directive:
		out = p.directive(t, raw)
	case xml.ProcInst:
		out = p.instruction(t, raw)
	}
	if _, declares := token.(xml.ProcInst); !bytes.Equal(out, raw) && (!declares || len(out) == 0) {
		p.changed = true
	}
	_, err := p.to.Write(out)
	return err
}

// instruction cuts style sheets, and says which encoding the copy is in.
func (p *part) instruction(t xml.ProcInst, raw []byte) []byte {
	switch {
	case t.Target == "xml-stylesheet":
		if m := hrefOf.FindSubmatch(t.Inst); m != nil && p.outside(string(m[1])) {
			p.add("style sheets", string(m[1]))
			return nil
		}
	case t.Target == "xml" && p.recoded:
		return encodingName.ReplaceAll(raw, []byte(`<?xml version="1.0" encoding="UTF-8"`))
	}
	return raw
}

var (
	hrefOf = regexp.MustCompile(`href\s*=\s*["']([^"']*)["']`)
	entity = regexp.MustCompile(`(?s)<!ENTITY\s+(%\s+)?([^\s%"'>]+)\s+(?:(SYSTEM|PUBLIC)\b|"([^"]*)"|'([^']*)')`)
)

// directive learns what a document's own entities stand for. Those that stand for files, for markup or for each other
// are cut, with all others.
func (p *part) directive(t xml.Directive, raw []byte) []byte {
	if !bytes.Contains(bytes.ToUpper(t), []byte("<!ENTITY")) {
		return raw
	}
	for _, m := range entity.FindAllSubmatch(t, -1) {
		value := slices.Concat(m[4], m[5])
		if len(m[1]) > 0 || len(m[3]) > 0 || bytes.ContainsAny(value, "<&%") {
			p.add("entities", string(m[2]))
			subset := bytes.IndexByte(raw, '[')
			return append(bytes.Clone(raw[:subset]), '>')
		}
		p.decoder.Entity[string(m[2])] = string(value)
	}
	return raw
}

// start cuts the links of an element.
func (p *part) start(t xml.StartElement, raw []byte) []byte {
	element := t.Name.Local
	if p.isRels {
		if element == "Relationship" {
			return p.relationship(t, raw)
		}
		return raw
	}
	p.fieldStarts(t)
	var cut []int
	for i, a := range t.Attr {
		if kind := p.loads(t, a); kind != "" {
			p.add(kind, targetOf(a.Value))
			cut = append(cut, i)
		}
		p.relations.use(element, a.Value)
	}
	if element == "fldSimple" {
		for i, a := range t.Attr {
			if a.Name.Local == "instr" && isLoading(a.Value) {
				p.add("fields", a.Value)
				cut = append(cut, i)
			}
		}
	}
	if len(cut) == 0 {
		return raw
	}
	return withoutAttributes(raw, cut)
}

// characters cuts style sheets, commands of fields and formulas.
func (p *part) characters(text []byte, raw []byte) []byte {
	if len(p.open) == 0 {
		return raw
	}
	switch p.open[len(p.open)-1] {
	case "style":
		if target := styleLoads(p.place, string(text)); target != "" {
			p.add("style sheets", target)
			return nil
		}
	case "instrText", "delInstrText":
		return p.command(text, raw)
	case "f", "formula", "formula1", "formula2", "definedName", "oldFormula":
		if target := formulaLoads(string(text)); target != "" {
			p.add("formulas", target)
			return nil
		}
	}
	return raw
}

// fieldStarts follows the fields of a text. Their commands come in pieces, and one field may lie in another.
func (p *part) fieldStarts(t xml.StartElement) {
	if t.Name.Local != "fldChar" {
		return
	}
	for _, a := range t.Attr {
		switch {
		case a.Name.Local != "fldCharType":
		case a.Value == "begin":
			p.fields = append(p.fields, &field{})
		case len(p.fields) == 0:
		case a.Value == "separate":
			p.tell(p.fields[len(p.fields)-1])
		case a.Value == "end":
			p.tell(p.fields[len(p.fields)-1])
			p.fields = p.fields[:len(p.fields)-1]
		}
	}
}

// tell names a field whose command is complete.
func (p *part) tell(f *field) {
	if f.cutting && !f.told {
		p.add("fields", f.command.String())
		f.told = true
	}
}

// command takes a piece of a field's command. From the piece on with which it becomes a loading one, it is dropped.
func (p *part) command(text, raw []byte) []byte {
	if len(p.fields) == 0 {
		p.fields = append(p.fields, &field{})
	}
	now := p.fields[len(p.fields)-1]
	now.command.Write(text)
	now.cutting = now.cutting || isLoading(now.command.String())
	if now.cutting {
		return nil
	}
	return raw
}

// withoutAttributes is a start tag without some of its attributes, by their order.
func withoutAttributes(raw []byte, cut []int) []byte {
	spans := attributeSpans(raw)
	out := make([]byte, 0, len(raw))
	end := 0
	for _, i := range cut {
		if i >= len(spans) || spans[i][0] < end {
			continue
		}
		out = append(out, raw[end:spans[i][0]]...)
		end = spans[i][1]
	}
	return append(out, raw[end:]...)
}

// attributeSpans finds the attributes in a well-formed start tag, each with the space before it.
func attributeSpans(raw []byte) [][2]int {
	var out [][2]int
	i := bytes.IndexAny(raw, " \t\r\n")
	for i >= 0 && i < len(raw) {
		start := i
		equals := bytes.IndexByte(raw[i:], '=')
		if equals < 0 {
			break
		}
		quote := bytes.IndexAny(raw[i+equals:], `"'`)
		if quote < 0 {
			break
		}
		value := i + equals + quote + 1
		length := bytes.IndexByte(raw[value:], raw[value-1])
		if length < 0 {
			break
		}
		i = value + length + 1
		out = append(out, [2]int{start, i})
	}
	return out
}

// loads is the kind of what an attribute has loaded from outside, or empty.
func (p *part) loads(t xml.StartElement, a xml.Attr) string {
	return loads(p.place, t.Name.Local, a.Name.Space, a.Name.Local, a.Value, func(name string) string {
		for _, other := range t.Attr {
			if other.Name.Local == name {
				return other.Value
			}
		}
		return ""
	})
}

// relation cuts the address of a relation that programs follow. Those for readers stay where nothing else uses them.
func (p *part) relationship(t xml.StartElement, raw []byte) []byte {
	var id, kind, target, mode string
	for _, a := range t.Attr {
		switch a.Name.Local {
		case "Id":
			id = a.Value
		case "Type":
			kind = path.Base(a.Value)
		case "Target":
			target = a.Value
		case "TargetMode":
			mode = a.Value
		}
	}
	address := strings.ToLower(plain(target))
	if mode != "External" && !scheme.MatchString(address) || strings.HasPrefix(address, "about:") {
		return raw
	}
	if kind == "hyperlink" || kind == "attachedTemplate" {
		if p.relations == nil {
			return raw
		}
		if p.relations[id] == nil {
			p.relations[id] = &relation{}
		}
		if !p.relations[id].abused {
			return raw
		}
	}
	p.add(relationKind(kind), target)
	// about:blank is an address that nothing is behind; without the relation, programs call the document damaged.
	return withValue(raw, t, "Target", "about:blank")
}

// withValue is a start tag with another value for an attribute.
func withValue(raw []byte, t xml.StartElement, name, value string) []byte {
	for i := len(t.Attr) - 1; i >= 0; i-- {
		if spans := attributeSpans(raw); t.Attr[i].Name.Local == name && i < len(spans) {
			raw = slices.Concat(raw[:spans[i][0]], []byte(" "+name+`="`+value+`"`), raw[spans[i][1]:])
		}
	}
	return raw
}
