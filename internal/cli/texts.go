package cli

import (
	"time"

	"github.com/convilyn/convilyn-temporal/internal/term"
)

func printable(text string) string { return term.Printable(text) }

func oneLine(text string) string { return term.OneLine(text) }

func cell(text string, width int) string { return term.Cell(text, width) }

func plural(n int, one, many string) string { return term.Plural(n, one, many) }

func bytesText(n int64) string { return term.Bytes(n) }

func shorten(text string, width int) string { return term.Cut(text, width) }

func waited(d time.Duration) string { return term.Age(d) }

func shortDuration(d time.Duration) string { return term.Setting(d) }
