package bench

import (
	"fmt"
	"io"
	"strings"
)

// column is a figure of the table: two lines of heading, and how it is written.
type column struct {
	head, unit string
	width      int
	text       func(Figures) string
}

func number(format string, of func(Figures) float64) func(Figures) string {
	return func(f Figures) string { return fmt.Sprintf(format, of(f)) }
}

var columns = []column{
	{"files/s", "", 9, number("%.1f", func(f Figures) float64 { return f.FilesPerSecond })},
	{"activities", "a file", 12, dashed("%.2f", func(f Figures) float64 { return f.Activities })},
	{"events", "a file", 8, dashed("%.1f", func(f Figures) float64 { return f.Events })},
	{"history", "B a file", 10, dashed("%.0f", func(f Figures) float64 { return f.HistoryBytes })},
	{"API", "requests", 10, dashed("%.2f", func(f Figures) float64 { return f.Requests })},
	{"CPU", "ms a file", 11, number("%.1f", func(f Figures) float64 { return f.CPU * 1000 })},
	{"service", "ms a file", 11, number("%.1f", func(f Figures) float64 { return f.ServiceCPU * 1000 })},
	{"memory", "MB", 8, dashed("%.0f", func(f Figures) float64 { return f.Memory / 1e6 })},
}

// dashed writes nothing as a dash.
func dashed(format string, of func(Figures) float64) func(Figures) string {
	return func(f Figures) string {
		if of(f) == 0 {
			return "-"
		}
		return fmt.Sprintf(format, of(f))
	}
}

const nameWidth = 16

// WriteTable prints a report for people, 100 columns wide.
func WriteTable(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "medians of %s; %s %s, %s, %s\n",
		plural(r.Rounds, "round"), r.Machine.OS, r.Machine.Arch, plural(r.Machine.CPUs, "CPU"), r.Machine.Go)
	for _, k := range r.Kinds {
		k.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (k KindReport) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s: %s", k.Name, k.Title)
	if k.Skipped != "" {
		fmt.Fprintf(b, "\n  skipped: %s\n", k.Skipped)
		return
	}
	fmt.Fprintf(b, ", %s of %s, %d at once\n", plural(k.Files, "file"), size(k.InputBytes), k.Concurrency)
	line := func(name string, cell func(column) string) {
		text := fmt.Sprintf("%-*s", nameWidth, name)
		for _, c := range columns {
			text += fmt.Sprintf("%*s", c.width, cell(c))
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line("", func(c column) string { return c.head })
	line("", func(c column) string { return c.unit })
	for _, c := range k.Contestants {
		line(c.Name, func(column column) string { return column.text(c.Median) })
	}
	for _, t := range k.Targets {
		fmt.Fprintln(b, t.line())
	}
}

// line is the target with its mark.
func (t Target) line() string {
	mark, sign := "✗", "≥"
	if t.Met {
		mark = "✓"
	}
	if t.AtMost {
		sign = "≤"
	}
	return fmt.Sprintf("  %s %-*s %6.2f  (%s %g)", mark, 26, t.What, t.Value, sign, t.Bound)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1000)
}
