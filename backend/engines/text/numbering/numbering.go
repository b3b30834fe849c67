package numbering

import (
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
)

// Levels is how many a list has.
const Levels = 9

// maxLabel is how long what is around the numbers may be, in bytes.
const maxLabel = 1000

// Lists are the lists of a document, with where each has got to.
type Lists struct {
	byID    map[string]*instance
	Unknown map[string]bool // formats that were written as digits
}

// Number is that of one paragraph.
type Number struct {
	Bullet bool
	Value  int    // of the paragraph's own level
	Label  string // as Word shows it: "3.", "(iv)", "2.1"; empty for bullets, and where it shows none
}

// Plain reports whether the label is digits and a point or bracket.
func (n Number) Plain() bool {
	digits := strconv.Itoa(n.Value)
	return !n.Bullet && n.Value >= 0 && (n.Label == digits+"." || n.Label == digits+")")
}

// instance is a list of the document (w:num): it counts together with those of the same definition.
type instance struct {
	levels  [Levels]level
	count   *counters
	restart [Levels]*int // what its first paragraph of a level begins with
}

type level struct {
	known   bool
	start   int
	format  string
	text    string
	legal   bool   // digits for all numbers
	restart int    // 0 for never, else the level, from 1, whose numbers begin it again
	style   string // of paragraphs that belong to it
}

type counters struct {
	value [Levels]int
	begun [Levels]bool
}

// New reads the part numbering, which may be nil. linked finds the list that a style of lists names.
func New(root *ooxml.Node, linked func(style string) (listID string)) *Lists {
	lists := &Lists{byID: map[string]*instance{}, Unknown: map[string]bool{}}
	type definition struct {
		levels [Levels]level
		count  *counters
		link   string
	}
	abstract := map[string]*definition{}
	nodes := root.Child("numbering").List()
	for _, n := range nodes {
		if n.Name != "abstractNum" {
			continue
		}
		d := &definition{count: &counters{}, link: n.Property("numStyleLink")}
		for _, c := range n.Children {
			if i, ok := levelIndex(c); ok && c.Name == "lvl" {
				d.levels[i] = readLevel(c, i)
			}
		}
		abstract[n.Attr("abstractNumId")] = d
	}
	names := map[string]string{} // definition of each list
	for _, n := range nodes {
		if n.Name == "num" {
			names[n.Attr("numId")] = n.Property("abstractNumId")
		}
	}
	for _, n := range nodes {
		if n.Name != "num" {
			continue
		}
		d := abstract[n.Property("abstractNumId")]
		for hops := 0; d != nil && d.link != "" && hops < 5; hops++ {
			d = abstract[names[linked(d.link)]]
		}
		if d == nil {
			continue
		}
		in := &instance{levels: d.levels, count: d.count}
		in.override(n)
		lists.byID[n.Attr("numId")] = in
	}
	return lists
}

func (in *instance) override(n *ooxml.Node) {
	for _, o := range n.Children {
		i, ok := levelIndex(o)
		if o.Name != "lvlOverride" || !ok {
			continue
		}
		if lvl := o.Child("lvl"); lvl != nil {
			in.levels[i] = readLevel(lvl, i)
		}
		if start, ok := o.Int("startOverride"); ok {
			in.restart[i] = &start
			in.levels[i].start = start
		}
	}
}

func levelIndex(n *ooxml.Node) (int, bool) {
	i, err := strconv.Atoi(n.Attr("ilvl"))
	return i, err == nil && i >= 0 && i < Levels
}

func readLevel(n *ooxml.Node, index int) level {
	l := level{known: true, format: n.Property("numFmt"), legal: n.On("isLgl"), restart: index, style: n.Property("pStyle")}
	if l.text = n.Child("lvlText").Attr("val"); len(l.text) > maxLabel { // it comes to every paragraph of the level
		l.text = strings.ToValidUTF8(l.text[:maxLabel], "")
	}
	if number := n.Find("numFmt"); number != nil && (l.format == "" || l.format == "custom") { // in one of several forms, too
		l.format = customFormat(number)
	}
	if start, ok := n.Int("start"); ok {
		l.start = start
	}
	if restart, ok := n.Int("lvlRestart"); ok {
		l.restart = restart
	}
	return l
}

// customFormat reads a format that is given by its first numbers: "001, 002, 003, ...".
func customFormat(n *ooxml.Node) string {
	first, _, _ := strings.Cut(n.Attr("format"), ",")
	if n.Attr("val") == "custom" && len(first) < 10 && strings.Trim(first, "0") == "1" && strings.HasSuffix(first, "1") {
		return "pad" + strconv.Itoa(len(first))
	}
	return n.Attr("val")
}

// LevelOf is the level of a list that belongs to a style of paragraphs; false where none does.
func (l *Lists) LevelOf(id, style string) (int, bool) {
	if in := l.byID[id]; in != nil && style != "" {
		for i, level := range in.levels {
			if level.style == style {
				return i, true
			}
		}
	}
	return 0, false
}

// Next counts a paragraph. False where it has no number, and no bullet.
func (l *Lists) Next(id string, depth int) (Number, bool) {
	in := l.byID[id]
	if in == nil || depth < 0 || depth >= Levels || !in.levels[depth].known {
		return Number{}, false
	}
	in.advance(depth)
	here := in.levels[depth]
	if here.format == "bullet" {
		return Number{Bullet: true}, true
	}
	return Number{Value: in.count.value[depth], Label: l.label(in, depth)}, true
}

func (in *instance) advance(depth int) {
	c := in.count
	for i := range depth { // levels above that no paragraph has had yet
		if !c.begun[i] {
			c.value[i], c.begun[i] = in.first(i), true
		}
	}
	switch start := in.restart[depth]; {
	case start != nil:
		c.value[depth] = *start
		in.restart[depth] = nil
	case !c.begun[depth]:
		c.value[depth] = in.levels[depth].start
	default:
		c.value[depth]++
	}
	c.begun[depth] = true
	for i := depth + 1; i < Levels; i++ {
		if r := in.levels[i].restart; r > 0 && depth < r {
			c.begun[i] = false
		}
	}
}

func (in *instance) first(i int) int {
	if start := in.restart[i]; start != nil {
		in.restart[i] = nil
		return *start
	}
	return in.levels[i].start
}

// label puts the numbers of the levels into the text of this one: "%1.%2)".
func (l *Lists) label(in *instance, depth int) string {
	here := in.levels[depth]
	if here.format == "none" && !strings.Contains(here.text, "%") {
		return strings.TrimSpace(here.text)
	}
	var b strings.Builder
	text := here.text
	for {
		before, after, found := strings.Cut(text, "%")
		b.WriteString(before)
		if !found {
			return strings.TrimSpace(b.String())
		}
		if after == "" || after[0] < '1' || after[0] > '9' {
			b.WriteByte('%')
			text = after
			continue
		}
		i := int(after[0] - '1')
		text = after[1:]
		name := in.levels[i].format
		if here.legal && i <= depth {
			name = "decimal"
		}
		shown, known := format(in.count.value[i], name)
		if !known {
			l.Unknown[name] = true
		}
		b.WriteString(shown)
	}
}
