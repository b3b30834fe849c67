package term

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPrintable(t *testing.T) {
	assert.Equal(t, "a\ufffd[2Jb\ufffd\n\tc", Printable("a\x1b[2Jb\x07\n\tc"))
	assert.Equal(t, `a\x1b[2Jb\a\n\tc\xff\u202e`, OneLine("a\x1b[2Jb\x07\n\tc\xff\u202e"))
	assert.Equal(t, "日本語 \\ ü\ufffd", OneLine("日本語 \\ ü\ufffd"))
	assert.Equal(t, "invoice\ufffdfdp.exe", Printable("invoice\u202efdp.exe"), "shown backwards it would end in .pdf")
}

func TestCut(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		width int
		want  string
	}{
		"fits":             {"abc", 3, "abc"},
		"latin":            {"abcdef", 3, "ab…"},
		"CJK":              {"日本語.docx", 6, "日本…"},
		"half a character": {"日本語.docx", 4, "日…"},
		"CJK that fits":    {"日本語.docx", 11, "日本語.docx"},
		"combining":        {"Cafe\u0301 Noir", 4, "Caf…"},
		"combining fits":   {"Cafe\u0301", 4, "Cafe\u0301"},
		"emoji":            {"🎉🎉🎉", 4, "🎉…"},
		"bars are narrow":  {"██░░→×", 6, "██░░→×"},
		"nothing":          {"abc", 0, ""},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, Cut(c.text, c.width)) })
	}
	t.Run("marks without end", func(t *testing.T) {
		assert.LessOrEqual(t, len([]rune(Cut("e"+strings.Repeat("\u0301", 10_000), 30))), 30*runesOfColumn+1)
	})
}

func TestUnits(t *testing.T) {
	for name, c := range map[string]struct{ want, got string }{
		"bytes":              {"999 B", Bytes(999)},
		"kilobytes":          {"1.5 kB", Bytes(1500)},
		"tens of kilobytes":  {"53 kB", Bytes(53_100)},
		"megabytes":          {"524 MB", Bytes(500 << 20)},
		"gigabytes":          {"3.1 GB", Bytes(3_100_000_000)},
		"no bytes":           {"0 B", Bytes(-1)},
		"span of tenths":     {"0.4 s", Span(420 * time.Millisecond)},
		"span of 5 s":        {"5 s", Span(5 * time.Second)},
		"span of 56 s":       {"56 s", Span(56*time.Second + 300*time.Millisecond)},
		"span of a minute":   {"1 min", Span(59*time.Second + 700*time.Millisecond)},
		"span of minutes":    {"7 min 2 s", Span(7*time.Minute + 1500*time.Millisecond)},
		"span of hours":      {"26 h 1 min", Span(26*time.Hour + time.Minute + 10*time.Second)},
		"span of days":       {"3 days 4 h", Span(76*time.Hour + time.Minute)},
		"span of whole days": {"30 days", Span(30 * day)},
		"span below zero":    {"0 s", Span(-time.Second)},
		"age of seconds":     {"5 s", Age(5900 * time.Millisecond)},
		"age of minutes":     {"3 min", Age(3*time.Minute + 50*time.Second)},
		"age of hours":       {"26 h", Age(26*time.Hour + time.Minute)},
		"age of days":        {"3 days", Age(73 * time.Hour)},
		"setting of an hour": {"1h", Setting(time.Hour)},
		"setting":            {"1h30m", Setting(90 * time.Minute)},
		"setting of seconds": {"1m30s", Setting(90 * time.Second)},
		"one thing":          {"1 file", Plural(1, "file", "files")},
		"no things":          {"0 files", Plural(0, "file", "files")},
		"half a bar":         {"██░░", Bar(1, 2, 4)},
		"bar of nothing":     {"░░░░", Bar(0, 0, 4)},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, c.got) })
	}
}

func TestTable_FitsWidth(t *testing.T) {
	table := Table{
		Heading: []string{"RUN", "FILE", "STATE"}, Whole: []string{"RUN"},
		Rows: [][]string{
			{"convert-日本語-0123456789", "日本語の長い名前のファイル.docx", "running"},
			{"convert-b", "a\tb\x1b[2J.md", "completed with warnings"},
		},
	}
	for name, c := range map[string]struct {
		width int
		want  string
	}{
		"no bounds": {0, `
RUN                        FILE                             STATE
convert-日本語-0123456789  日本語の長い名前のファイル.docx  running
convert-b                  a\tb\x1b[2J.md                   completed with warnings
`},
		"80 columns": {80, `
RUN                        FILE                          STATE
convert-日本語-0123456789  日本語の長い名前のファイル.…  running
convert-b                  a\tb\x1b[2J.md                completed with warnings
`},
		"too narrow": {20, `
RUN       FILE      STATE
convert…  日本語…   running
convert…  a\tb\x1…  complet…
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer

			require.NoError(t, table.Print(&out, c.width))

			assert.Equal(t, strings.TrimPrefix(c.want, "\n"), out.String())
		})
	}
}

func TestTable_PaintsBehindTheWidths(t *testing.T) {
	table := Table{
		Heading: []string{"STATUS", "FILE"}, Rows: [][]string{{"failed", "a.md"}, {"completed", ""}},
		Paint: func(heading, cell string) Color {
			if heading == "STATUS" && cell == "failed" {
				return Red
			}
			return Plain
		},
	}
	var out bytes.Buffer

	require.NoError(t, table.Print(&out, 80))

	assert.Equal(t, "STATUS     FILE\n\x1b[31mfailed\x1b[0m     a.md\ncompleted\n", out.String())
}

func TestLive_RedrawsInOneRowEach(t *testing.T) {
	var out bytes.Buffer
	live := NewLive(&out, Screen{Live: true, Width: func() int { return 10 }})

	live.Clear()
	live.Draw("日本語の名前.docx", "b\nc")
	live.Draw("d")
	live.Clear()
	live.Clear()

	assert.Equal(t, "日本語の…\nb\\nc\n"+"\r\x1b[2A\x1b[J"+"d\n"+"\r\x1b[1A\x1b[J", out.String())
}

func TestCounter_IsSilentWithoutScreen(t *testing.T) {
	var out bytes.Buffer
	counter := NewCounter(&out, Screen{})

	counter.Show("%d", 1)
	counter.Clear()

	assert.Empty(t, out.String())
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, time.November, 29, 9, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		at   time.Time
		want string
	}{
		"the same day":   {now.Add(-time.Hour), "08:00:00"},
		"another zone":   {now.Add(-time.Hour).In(time.FixedZone("", 3600)), "08:00:00"},
		"the day before": {now.Add(-10 * time.Hour), "28 Nov 23:00"},
		"another year":   {now.AddDate(-1, 0, 0), "29 Nov 2025"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, row.want, Moment(row.at, now)) })
	}
}
