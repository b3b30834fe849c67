package bench

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Report is everything that was measured.
type Report struct {
	StartedAt time.Time    `json:"started_at"`
	Machine   Machine      `json:"machine"`
	Rounds    int          `json:"rounds"`
	Kinds     []KindReport `json:"kinds"`
}

// Machine is where it was measured.
type Machine struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
}

// KindReport is what was measured of one kind of conversion.
type KindReport struct {
	Name        string       `json:"name"` // one of Kinds
	Title       string       `json:"title"`
	Files       int          `json:"files"`       // a turn
	Concurrency int          `json:"concurrency"` // files at once
	InputBytes  int64        `json:"input_bytes"` // of a file
	Contestants []Contestant `json:"contestants,omitempty"`
	Targets     []Target     `json:"targets,omitempty"`
	Skipped     string       `json:"skipped,omitempty"` // why it was not measured
}

// Contestant is one way to convert the files.
type Contestant struct {
	Name   string    `json:"name"`
	Median Figures   `json:"median"` // of each figure by itself
	Turns  []Figures `json:"turns"`  // one a round
}

// Figures are of one turn, those a file are averages.
type Figures struct {
	Seconds        float64 `json:"seconds"`
	FilesPerSecond float64 `json:"files_per_second"`
	Activities     float64 `json:"activities_per_file"`
	Events         float64 `json:"events_per_file"`
	HistoryBytes   float64 `json:"history_bytes_per_file"`
	Requests       float64 `json:"api_requests_per_file"`
	Transfers      float64 `json:"storage_transfers_per_file"`
	CPU            float64 `json:"cpu_seconds_per_file"`         // of worker, Temporal and what drives them
	ServiceCPU     float64 `json:"service_cpu_seconds_per_file"` // of the conversion service
	Memory         float64 `json:"memory_bytes,omitempty"`       // most resident of worker and Temporal; absent where not measured
}

func (f *Figures) all() []*float64 {
	return []*float64{
		&f.Seconds, &f.FilesPerSecond, &f.Activities, &f.Events, &f.HistoryBytes, &f.Requests, &f.Transfers, &f.CPU, &f.ServiceCPU, &f.Memory,
	}
}

// Target is a bound that the issue of this benchmark sets, and where we stand.
type Target struct {
	What   string  `json:"what"`
	Value  float64 `json:"value"`
	Bound  float64 `json:"bound"`
	AtMost bool    `json:"at_most"` // otherwise at least
	Met    bool    `json:"met"`
}

// medians is the median of each figure by itself.
func medians(turns []Figures) Figures {
	var out Figures
	for i, into := range out.all() {
		values := make([]float64, len(turns))
		for j := range turns {
			values[j] = *turns[j].all()[i]
		}
		*into = median(values)
	}
	return out
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}

func newReport(rounds int) *Report {
	return &Report{
		StartedAt: time.Now().UTC().Truncate(time.Second), Rounds: rounds,
		Machine: Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()},
	}
}

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
