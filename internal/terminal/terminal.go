// Package terminal tells whether a person watches.
package terminal

import (
	"os"

	"golang.org/x/term"

	"github.com/convilyn/convilyn-temporal/internal/cli"
)

const widthWhereUnknown = 100

// Of describes the screen behind a file, and whether somebody types into the other.
func Of(file, keyboard *os.File) cli.Terminal {
	fd := int(file.Fd())
	live := term.IsTerminal(fd) && os.Getenv("TERM") != "dumb"
	return cli.Terminal{Live: live, Ask: live && term.IsTerminal(int(keyboard.Fd())), Width: func() int {
		width, _, err := term.GetSize(fd)
		if err != nil || width < 20 {
			return widthWhereUnknown
		}
		return width
	}}
}
