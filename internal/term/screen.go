// Package term writes for people: texts that are safe to show, tables, numbers with units, and lines that are redrawn in
// place. It knows nothing of what it shows.
package term

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	xterm "golang.org/x/term"
)

const (
	narrowest         = 20
	widthWhereUnknown = 100
)

// Screen is the terminal behind a command, if any. The zero value is none.
type Screen struct {
	// Live reports whether a person watches: lines may be redrawn.
	Live bool
	// Ask reports whether the person can be asked too.
	Ask bool
	// Width is in columns. It is not nil where Live is true.
	Width func() int
	// TableWidth is the width that tables on standard output have to fit; nil where that is no terminal.
	TableWidth func() int
	// Colors and TableColors report whether messages, and what goes to standard output, may be coloured.
	Colors, TableColors bool
}

// Of describes the terminal that shows messages, that tables go to, and that somebody types into.
func Of(messages, tables, keyboard *os.File) Screen {
	clever := os.Getenv("TERM") != "dumb"
	colors := clever && os.Getenv("NO_COLOR") == "" // https://no-color.org
	live := xterm.IsTerminal(int(messages.Fd())) && clever
	screen := Screen{
		Live:   live,
		Ask:    live && xterm.IsTerminal(int(keyboard.Fd())),
		Width:  func() int { return widthOf(messages) },
		Colors: live && colors,
	}
	if xterm.IsTerminal(int(tables.Fd())) {
		screen.TableWidth = func() int { return widthOf(tables) }
		screen.TableColors = colors
	}
	return screen
}

func widthOf(file *os.File) int {
	width, _, err := xterm.GetSize(int(file.Fd()))
	if err != nil || width < narrowest {
		return widthWhereUnknown
	}
	return width
}

// Interrupts catches Ctrl-C from now on, until the process ends.
func Interrupts() <-chan os.Signal {
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, os.Interrupt)
	return caught
}

// Live is a few lines that are redrawn in place. The screen behind Out must be live.
type Live struct {
	out    io.Writer
	screen Screen
	drawn  int // lines on the screen
}

// NewLive draws on a screen through its writer.
func NewLive(out io.Writer, screen Screen) *Live { return &Live{out: out, screen: screen} }

// Draw replaces the lines that were drawn before. Each takes one row: what does not fit is cut.
func (l *Live) Draw(lines ...string) {
	var text strings.Builder
	text.WriteString(l.erase())
	for _, line := range lines {
		text.WriteString(Cut(OneLine(line), l.screen.Width()-1) + "\n")
	}
	l.drawn = len(lines)
	_, _ = io.WriteString(l.out, text.String()) // a terminal that is gone ends the command elsewhere
}

// Clear takes the lines off the screen.
func (l *Live) Clear() {
	_, _ = io.WriteString(l.out, l.erase())
	l.drawn = 0
}

func (l *Live) erase() string {
	if l.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", l.drawn)
}

// counterInterval is how often a counter is redrawn at most.
const counterInterval = 100 * time.Millisecond

// Counter is one line with a number that grows. It shows nothing where the screen is not live.
type Counter struct {
	live  *Live
	shown time.Time
}

// NewCounter counts on a screen through its writer.
func NewCounter(out io.Writer, screen Screen) *Counter { return &Counter{live: NewLive(out, screen)} }

// Show redraws the line, a few times a second at most.
func (c *Counter) Show(format string, args ...any) {
	if !c.live.screen.Live || time.Since(c.shown) < counterInterval {
		return
	}
	c.shown = time.Now()
	c.live.Draw(fmt.Sprintf(format, args...))
}

// Clear takes the line off the screen.
func (c *Counter) Clear() { c.live.Clear() }

// Bar is done of total as a bar of some columns.
func Bar(done, total, width int) string {
	filled := 0
	if total > 0 {
		filled = min(done*width/total, width)
	}
	return strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
}
