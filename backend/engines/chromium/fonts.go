package chromium

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
)

// fontLister is fontconfig's; Chromium finds its fonts in the same way.
const fontLister = "fc-list"

// checkFonts refuses a text that the fonts of this machine would show as boxes. What the Go fonts draw is taken to
// be there; of every other writing one letter is looked for.
func checkFonts(ctx context.Context, place *scratch.Place, shown string) error {
	_, missing := text.Drawable(shown)
	asked := map[string]bool{}
	var without []string
	for _, letter := range missing {
		writing := writingOf(letter)
		if writing == "" || asked[writing] {
			continue
		}
		asked[writing] = true
		said, err := place.Run(ctx, fontLister, []string{fmt.Sprintf(":charset=%x", letter), "family"}, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && strings.TrimSpace(said) == "" {
			without = append(without, fmt.Sprintf("%q (%s)", letter, writing))
		}
	}
	if len(without) == 0 {
		return nil
	}
	return &engines.Error{
		Code: engines.CodeUnsupportedInput, Reason: "MISSING_FONT",
		Message: "no font on this machine has " + strings.Join(without, ", ") + "; installing fonts-noto-cjk, fonts-noto-color-emoji or fonts-noto-core adds them",
	}
}

// writingOf names the writing of a letter, and calls every symbol one; empty for what draws nothing of its own.
func writingOf(letter rune) string {
	if unicode.In(letter, unicode.Common) || unicode.In(letter, unicode.Inherited) {
		if unicode.IsSymbol(letter) {
			return "symbols"
		}
		return ""
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, letter) {
			return name
		}
	}
	return ""
}
