package term

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

const day = 24 * time.Hour

// Bytes is a size in powers of a thousand: 999 B, 1.5 kB, 524 MB.
func Bytes(n int64) string { return humanize.Bytes(uint64(max(0, n))) }

// Span is a duration in its two largest units: 0.4 s, 56 s, 7 min 2 s, 26 h 1 min, 3 days 4 h. Below zero it is 0 s.
func Span(d time.Duration) string {
	d = max(0, d)
	if d < 10*time.Second {
		return strconv.FormatFloat(float64(d.Round(100*time.Millisecond))/float64(time.Second), 'f', -1, 64) + " s"
	}
	large, small := time.Minute, time.Second
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return inUnit(d, time.Second)
	case d < time.Hour:
	case d < 2*day:
		large, small = time.Hour, time.Minute
	default:
		large, small = day, time.Hour
	}
	text := inUnit(d, large)
	if rest := d % large; rest >= small {
		text += " " + inUnit(rest, small)
	}
	return text
}

// Age is how long something has been, in its largest unit: 5 s, 3 min, 26 h, 3 days. Below zero it is 0 s.
func Age(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return inUnit(d, time.Second)
	case d < time.Hour:
		return inUnit(d, time.Minute)
	case d < 2*day:
		return inUnit(d, time.Hour)
	}
	return inUnit(d, day)
}

func inUnit(d, unit time.Duration) string {
	name := map[time.Duration]string{time.Second: "s", time.Minute: "min", time.Hour: "h", day: "days"}[unit]
	return fmt.Sprintf("%d %s", d/unit, name)
}

// Setting is a duration as it is typed in a flag: 1h, not 1h0m0s. time.ParseDuration reads it.
func Setting(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Moment is a time of a list, as short as it can be told from now: 15:04:05, 2 Jan 15:04, 2 Jan 2006. Both are shown in the
// zone of now.
func Moment(t, now time.Time) string {
	t = t.In(now.Location())
	switch {
	case t.Year() != now.Year():
		return t.Format("2 Jan 2006")
	case t.YearDay() != now.YearDay():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("15:04:05")
}
