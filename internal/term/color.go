package term

// Color is how a text is shown on a terminal that has colours.
type Color string

// Colours of the terminal's own palette; people have chosen it to be readable.
const (
	Plain  Color = ""
	Red    Color = "31"
	Green  Color = "32"
	Yellow Color = "33"
)

// Paint colours a text that is printable.
func (c Color) Paint(text string) string {
	if c == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
