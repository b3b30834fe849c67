package inbox

import (
	"fmt"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// chart is files done over time as bars, in a plane that is Wide and chartHigh high.
type chart struct {
	Bars    []bar
	Wide    int           // of the plane
	Span    time.Duration // of one bar; 0 where one sample alone cannot tell
	From    time.Time
	Until   time.Time // where the plane ends; zero where Span is
	Most    int
	Last    int
	Counted bool // the last bar still grows
}

// bar is one sample as it is drawn, and as it is said.
type bar struct {
	At        time.Time
	Done      int
	X         int
	Y, Height float64
	Open      bool // still counted
}

const (
	chartWide = 10 // of a bar with its gap
	chartHigh = 100
	chartFew  = 30 // bars that there is room for at least, so that few do not look like many
)

// chartOf draws samples that are evenly spaced; nil where there are none.
func chartOf(samples []batch.Sample, counting bool) *chart {
	if len(samples) == 0 {
		return nil
	}
	slots := max(len(samples), chartFew)
	c := &chart{Wide: slots * chartWide, From: samples[0].At, Last: samples[len(samples)-1].Done, Counted: counting}
	if len(samples) > 1 {
		c.Span = samples[1].At.Sub(samples[0].At)
		c.Until = c.From.Add(time.Duration(slots) * c.Span)
	}
	for _, s := range samples {
		c.Most = max(c.Most, s.Done)
	}
	for i, s := range samples {
		b := bar{At: s.At, Done: s.Done, X: i * chartWide, Open: counting && i == len(samples)-1}
		if s.Done > 0 {
			b.Height = max(2, chartHigh*float64(s.Done)/float64(c.Most)) // one file is seen beside a thousand
		}
		b.Y = chartHigh - b.Height
		c.Bars = append(c.Bars, b)
	}
	return c
}

// Caption says what the bars are.
func (c *chart) Caption() string {
	text := "Files done"
	if c.Span > 0 {
		text += ", " + term.Span(c.Span) + " a bar"
	}
	return text + fmt.Sprintf("; most %d, last %d", c.Most, c.Last)
}

// Text is the chart for those who do not see it.
func (c *chart) Text() string {
	text := term.Plural(len(c.Bars), "bar", "bars") + " from " + exact(c.From)
	if c.Span > 0 {
		text += ", " + term.Span(c.Span) + " each"
	}
	text += fmt.Sprintf(". The highest is %s, the last %d", term.Plural(c.Most, "file", "files"), c.Last)
	if c.Counted {
		text += " and still counted"
	}
	return text + ". The numbers follow below."
}

// clock is a time on the axis: with the day where the plane is wider than one.
func (c *chart) clock(t time.Time) string {
	switch wide := c.Until.Sub(c.From); {
	case wide > 24*time.Hour:
		return t.UTC().Format("2 Jan 15:04")
	case wide > time.Hour:
		return t.UTC().Format("15:04")
	}
	return t.UTC().Format("15:04:05")
}

// Begin is where the plane begins.
func (c *chart) Begin() string { return c.clock(c.From) + " UTC" }

// End is where the plane ends; empty where that is not known.
func (c *chart) End() string {
	if c.Until.IsZero() {
		return ""
	}
	return c.clock(c.Until) + " UTC"
}
