package inbox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// fact is one line about a batch.
type fact struct{ Name, Text string }

// Facts are the numbers beside the bar: of the result, or of now.
func (b *batchPage) Facts() []fact {
	var out []fact
	add := func(name, text string) {
		if text != "" {
			out = append(out, fact{name, text})
		}
	}
	switch now, report := b.Now, b.report(); {
	case report != nil:
		sum := report.Summary
		add("Bytes in", term.Bytes(sum.BytesIn))
		add("Bytes out", term.Bytes(sum.BytesOut))
		add("Outputs", fmt.Sprint(sum.Outputs))
		add("With warnings", countText(sum.Warnings, "file", "files"))
		add("Histories", fmt.Sprintf("%d, the largest of %s", report.Runs, term.Plural(report.LargestHistory, "event", "events")))
		add("Report", sum.Report)
	case now != nil:
		if b.Run.ClosedAt == nil {
			add("Rate", rateText(now.Rate))
			add("Left", leftText(time.Duration(now.LeftFor)))
			add("In flight", inFlight(now.InFlight))
			add("Window", fmt.Sprintf("%d of %d at once", now.Window, now.Concurrency))
		}
		add("Throttled", countText(now.Throttled, "time", "times"))
		add("Bytes in", term.Bytes(now.BytesIn)+" of "+term.Bytes(now.TotalBytes))
		add("Bytes out", term.Bytes(now.BytesOut))
		add("With warnings", countText(now.Warnings, "file", "files"))
		add("Histories", fmt.Sprint(now.Runs))
		add("Report", now.Report)
	}
	return out
}

// Why says why the batch stands still or was stopped. What it asks says so itself.
func (b *batchPage) Why() string {
	switch {
	case b.report() != nil:
		return b.report().Reason
	case b.Now == nil || b.Open > 0:
		return ""
	}
	return b.Now.Reason
}

// Slowest are the files longest under way.
func (b *batchPage) Slowest() []batch.ItemNow {
	if b.Now == nil || b.Run.ClosedAt != nil {
		return nil
	}
	return b.Now.Slowest
}

func countText(n int, one, many string) string {
	if n == 0 {
		return ""
	}
	return term.Plural(n, one, many)
}

// rateText is for files a second; slow ones are told by the minute or the hour.
func rateText(rate float64) string {
	switch {
	case rate <= 0:
		return "nothing done lately"
	case rate >= 1:
		return fmt.Sprintf("%.1f files a second", rate)
	case rate*60 >= 1:
		return fmt.Sprintf("%.1f files a minute", rate*60)
	}
	return fmt.Sprintf("%.1f files an hour", rate*3600)
}

func leftText(left time.Duration) string {
	if left <= 0 {
		return ""
	}
	return "about " + term.Span(left)
}

// stepsInOrder are those that files of a batch go through.
var stepsInOrder = []string{activities.StepUpload, activities.StepCreate, activities.StepAwait, activities.StepDownload}

// inFlight is what is under way by step, in the order of the steps: "upload 2, convert 5".
func inFlight(steps map[string]int) string {
	names := slices.SortedFunc(maps.Keys(steps), func(a, b string) int {
		return cmp.Or(cmp.Compare(placeOf(stepsInOrder, a), placeOf(stepsInOrder, b)), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		if steps[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", cut(name, 60), steps[name]))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing")
}

// placeOf is after all others for what is not in the list.
func placeOf(list []string, item string) int {
	if at := slices.Index(list, item); at >= 0 {
		return at
	}
	return len(list)
}
