package numbering_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines/text/numbering"
	"github.com/convilyn/convilyn-temporal/backend/engines/text/ooxml"
)

func lists(t *testing.T, levels string, more string) *numbering.Lists {
	t.Helper()
	root, err := ooxml.ParseXML(strings.NewReader(`<w:numbering><w:abstractNum w:abstractNumId="0">` + levels + `</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>` + more + `</w:numbering>`))
	require.NoError(t, err)
	return numbering.New(root, func(string) string { return "1" })
}

func level(depth int, format, text, more string) string {
	return fmt.Sprintf(`<w:lvl w:ilvl="%d"><w:start w:val="1"/><w:numFmt w:val="%s"/>%s<w:lvlText w:val="%s"/></w:lvl>`, depth, format, more, text)
}

func TestFormats(t *testing.T) {
	for format, want := range map[string][]string{ // of 1, 4, 9, 27
		"decimal": {"1", "4", "9", "27"}, "decimalZero": {"01", "04", "09", "27"}, "upperRoman": {"I", "IV", "IX", "XXVII"}, "lowerRoman": {"i", "iv", "ix", "xxvii"},
		"upperLetter": {"A", "D", "I", "AA"}, "lowerLetter": {"a", "d", "i", "aa"}, "ordinal": {"1st", "4th", "9th", "27th"}, "russianUpper": {"А", "Г", "И", "Э"},
		"decimalEnclosedCircle": {"①", "④", "⑨", "27"}, "chineseCounting": {"一", "四", "九", "二十七"}, "decimalFullWidth": {"１", "４", "９", "２７"}, "none": {"", "", "", ""},
	} {
		t.Run(format, func(t *testing.T) {
			l := lists(t, level(0, format, "%1", ""), "")
			var got []string
			for n := 1; n <= 27; n++ {
				number, ok := l.Next("1", 0)
				require.True(t, ok)
				if n == 1 || n == 4 || n == 9 || n == 27 {
					got = append(got, number.Label)
				}
			}
			assert.Equal(t, want, got)
			assert.Empty(t, l.Unknown)
		})
	}
	padded := lists(t, `<w:lvl w:ilvl="0"><w:start w:val="9"/><mc:AlternateContent><mc:Choice Requires="w14"><w:numFmt w:val="custom" w:format="001, 002, 003, ..."/></mc:Choice><mc:Fallback><w:numFmt w:val="decimal"/></mc:Fallback></mc:AlternateContent><w:lvlText w:val="%1"/></w:lvl>`, "")
	third, _ := padded.Next("1", 0)
	assert.Equal(t, "009", third.Label)

	l := lists(t, level(0, "hebrew1", "%1.", ""), "")
	number, _ := l.Next("1", 0)
	assert.Equal(t, "1.", number.Label)
	assert.True(t, l.Unknown["hebrew1"], "it is said")
}

func TestLevels(t *testing.T) {
	three := level(0, "decimal", "%1.", "") + level(1, "lowerRoman", "%1.%2", "") + level(2, "decimal", "%1-%2-%3", "<w:isLgl/>")
	second := `<w:num w:numId="2"><w:abstractNumId w:val="0"/></w:num>`
	fresh := `<w:num w:numId="2"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num>`
	for name, test := range map[string]struct {
		levels, more string
		path         string // list:level
		want         string
	}{
		"nested":                         {three, "", "1:0 1:1 1:1 1:0 1:1", "1. 1.i 1.ii 2. 2.i"},
		"digits for all":                 {three, "", "1:0 1:1 1:2", "1. 1.i 1-1-1"},
		"a level that none had before":   {three, "", "1:2 1:2", "1-1-1 1-1-2"},
		"never again from the beginning": {level(0, "decimal", "%1.", "") + level(1, "decimal", "%2)", `<w:lvlRestart w:val="0"/>`), "", "1:0 1:1 1:0 1:1", "1. 1) 2. 2)"},
		"lists of one definition":        {three, second, "1:0 2:0 1:0", "1. 2. 3."},
		"a list that begins elsewhere":   {three, fresh, "1:0 2:0 2:0", "1. 7. 8."},
		"no such level":                  {three, "", "1:0 1:5 1:0", "1. - 2."},
		"no such list":                   {three, "", "9:0", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			l := lists(t, test.levels, test.more)
			var got []string
			for step := range strings.FieldsSeq(test.path) {
				number, ok := l.Next(step[:1], int(step[2]-'0'))
				if !ok {
					number.Label = "-"
				}
				got = append(got, number.Label)
			}
			assert.Equal(t, test.want, strings.Join(got, " "))
		})
	}
}

// What a file tells of its numbers comes to every paragraph, so that it is bounded.
func TestNext_BoundsLabels(t *testing.T) {
	for name, test := range map[string]struct {
		format, text string
		most         int
	}{
		"zeros before a number": {"pad999999", "%1", 10},
		"text around a number":  {"decimal", "%1" + strings.Repeat("é", 5000), 1000},
	} {
		t.Run(name, func(t *testing.T) {
			number, ok := lists(t, level(0, test.format, test.text, ""), "").Next("1", 0)
			require.True(t, ok)
			assert.LessOrEqual(t, len(number.Label), test.most)
			assert.Contains(t, number.Label, "1")
			assert.True(t, utf8.ValidString(number.Label))
		})
	}
}
