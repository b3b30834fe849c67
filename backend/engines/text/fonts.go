package text

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/norm"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// The fonts at hand: Latin, Greek and Cyrillic.
const (
	familyText = "Go"
	familyMono = "GoMono"
)

var fontFiles = []struct {
	family, style string
	data          []byte
}{
	{familyText, "", goregular.TTF},
	{familyText, "B", gobold.TTF},
	{familyText, "I", goitalic.TTF},
	{familyText, "BI", gobolditalic.TTF},
	{familyMono, "", gomono.TTF},
	{familyMono, "B", gomonobold.TTF},
}

// coverage knows which runes every font at hand can draw. A PDF library does not tell: it draws a box, or
// nothing, and the text layer looks right all the same.
var coverage = sync.OnceValue(func() func(rune) bool {
	var fonts []*sfnt.Font
	for _, file := range fontFiles {
		parsed, err := sfnt.Parse(file.data)
		if err != nil {
			panic(fmt.Sprintf("a built-in font is broken: %v", err))
		}
		fonts = append(fonts, parsed)
	}
	var mu sync.Mutex
	known := map[rune]bool{}
	var buffer sfnt.Buffer
	return func(r rune) bool {
		mu.Lock()
		defer mu.Unlock()
		if drawn, ok := known[r]; ok {
			return drawn
		}
		drawn := !slices.ContainsFunc(fonts, func(f *sfnt.Font) bool {
			index, err := f.GlyphIndex(&buffer, r)
			return err != nil || index == 0
		})
		known[r] = drawn
		return drawn
	}
})

// substitutes are drawable stand-ins that lose nothing a reader would miss.
var substitutes = strings.NewReplacer(
	"\t", "    ", "\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00ad", "", "\ufe0f", "", "\ufe0e", "",
	"\u2011", "-", "\u2010", "-", "\u202f", "\u00a0", "\u2009", " ", "\u200a", " ", "\u2002", " ", "\u2003", " ", "\u2028", "\n", "\u2029", "\n",
)

// glyphs makes text drawable and remembers what could not be.
type glyphs struct {
	letters map[string][]rune // by script
	symbols map[rune]bool
}

func (g *glyphs) drawable(text string) string {
	text = substitutes.Replace(norm.NFC.String(text))
	covered := coverage()
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r <= 0xFFFF && covered(r):
			b.WriteRune(r)
		case unicode.IsControl(r):
		case unicode.IsLetter(r) || unicode.IsMark(r):
			g.addLetter(r)
		default:
			if g.symbols == nil {
				g.symbols = map[rune]bool{}
			}
			g.symbols[r] = true
			fmt.Fprintf(&b, "[U+%04X]", r)
		}
	}
	return b.String()
}

func (g *glyphs) addLetter(r rune) {
	script := scriptOf(r)
	if g.letters == nil {
		g.letters = map[string][]rune{}
	}
	if len(g.letters[script]) < 5 && !slices.Contains(g.letters[script], r) {
		g.letters[script] = append(g.letters[script], r)
	}
}

func scriptOf(r rune) string {
	for name, script := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(script, r) {
			return name
		}
	}
	return "other"
}

// refusal is why the text cannot be set: letters that no font here draws. A page without them would be wrong.
func (g *glyphs) refusal() error {
	if len(g.letters) == 0 {
		return nil
	}
	var parts []string
	for script, runes := range g.letters {
		parts = append(parts, fmt.Sprintf("%s (%s)", script, string(runes)))
	}
	sort.Strings(parts)
	return &engines.Error{
		Code: engines.CodeUnsupportedInput, Reason: "MISSING_GLYPHS", FaithfulTargets: []string{"html"},
		Message: fmt.Sprintf("no font at hand draws %s; converting to html keeps them, and so does a PDF by Chromium, or by LibreOffice from docx (install chromium or libreoffice-writer-nogui, and fonts-noto-cjk or the font of the script)", strings.Join(parts, ", ")),
	}
}

func (g *glyphs) missingWarning() string {
	if len(g.symbols) == 0 {
		return ""
	}
	var names []string
	for r := range g.symbols {
		names = append(names, fmt.Sprintf("%c U+%04X", r, r))
	}
	sort.Strings(names)
	more := ""
	if len(names) > 10 {
		more = fmt.Sprintf(" and %d more", len(names)-10)
		names = names[:10]
	}
	return "best_effort: no font at hand draws these symbols, and their code stands in for them: " + strings.Join(names, ", ") + more
}
