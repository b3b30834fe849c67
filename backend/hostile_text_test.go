package backend_test

import (
	"fmt"
	"strings"
)

func hostileTexts() []hostile {
	of := func(source, target, name, want string, content func() string) hostile {
		return hostile{name: name, source: source, target: target, want: want, content: func() []byte { return []byte(content()) }, late: true}
	}
	deep, large := "NESTED_TOO_DEEP", "DOCUMENT_TOO_LARGE"
	return []hostile{
		of("html", "txt", "100,000 nested divisions", deep, func() string { return times(100_000, "<div>") + "x" }),
		of("html", "md", "100,000 nested lists", deep, func() string { return times(100_000, "<ul><li>") + "x" }),
		of("html", "txt", "100,000 nested drawings", deep, func() string { return times(100_000, "<svg><g>") + "x" }),
		of("html", "txt", "laughs in a drawing", "", func() string { return laughs + "<p>x<svg>&g;</svg>" }),
		of("html", "txt", "fonts that are opened again", large, func() string { return each(400, "<font size=%d>") + times(60_000, "<p>x") }),
		of("html", "txt", "tags of 20,000 attributes", large, func() string {
			attributes := each(20_000, "a%d ")
			var b strings.Builder
			for i := range 300 {
				fmt.Fprintf(&b, "<b %s c%d>", attributes, i)
			}
			return b.String() + "x"
		}),
		of("html", "txt", "ten million elements", large, func() string { return times(10_000_000, "<p>x") }),
		of("html", "txt", "a hundred nested tables", "", func() string { return times(40, "<table><tr><td>") + times(200_000, "<td>x") }),
		of("html", "txt", "quotes around a million lines", "RESULT_TOO_LARGE", func() string { return times(150, "<blockquote>") + times(1_000_000, "x<br>") }),
		of("html", "pdf", "a heading of half a million pieces", "", func() string { return "<h1>" + times(200_000, "<b>a</b><i>b</i>") + "</h1>" }),
		of("md", "html", "100,000 nested quotes", deep, func() string { return times(100_000, "> ") + "x" }),
		of("md", "html", "100,000 nested items", deep, func() string { return times(100_000, "- ") + "x" }),
		of("md", "html", "a million brackets", "", func() string { return times(1_000_000, "[") }),
		of("md", "html", "a million brackets of pictures", "", func() string { return times(500_000, "![") }),
		of("md", "html", "links within links", large, func() string { return times(100_000, "[a](") }),
		of("md", "html", "half a million emphases", large, func() string { return times(500_000, "*a **b ") + times(500_000, "b** a*") }),
		of("md", "html", "half a million open emphases", large, func() string { return times(500_000, "*a _b ") }),
		of("md", "html", "emphases that cross", large, func() string { return times(40_000, "_a*") }),
		of("md", "html", "a long list of links", "", func() string { return times(20_000, "- [a *good* name](https://example.org/a_b) - what **it** is\n") }),
		of("md", "html", "a long table", "", func() string { return "|a|b|\n|-|-|\n" + times(20_000, "|*a*|[b](c)|\n") }),
		of("md", "html", "a table that is none", large, func() string { return "|a|\n|-|-|\n" + times(100_000, "_a*|\n") }),
		of("md", "html", "runs of backquotes", "", func() string {
			var b strings.Builder
			for i := range 1500 {
				b.WriteString("x" + times(i+1, "`"))
			}
			return b.String()
		}),
		of("md", "html", "a reference used 100,000 times", "RESULT_TOO_LARGE", func() string { return "[a]: /" + times(500_000, "x") + "\n\n" + times(100_000, "[a] ") }),
		of("md", "html", "30,000 footnotes", large, func() string { return each(30_000, "[^%d] ") + "\n\n" + each(30_000, "[^%[1]d]: note %[1]d\n\n") }),
		of("md", "html", "a table of 5,000 by 20,000", large, func() string {
			return times(5000, "|a") + "\n" + times(5000, "|-") + "\n" + times(20_000, "|\n")
		}),
		of("md", "html", "100,000 equal headings", "", func() string { return times(100_000, "# a\n") }),
		of("md", "html", "deep brackets of a link", "", func() string { return "[a](" + times(500_000, "(") }),
		of("md", "html", "a million entities", "", func() string { return times(1_000_000, "&") + times(300_000, "<a ") }),
		of("txt", "html", "megabytes of NUL", "NOT_TEXT", func() string { return times(8<<20, "\x00") }),
		of("txt", "html", "megabytes of no UTF-8", "", func() string { return times(8<<20, "\xff") }),
		of("txt", "pdf", "a word of eight megabytes", "", func() string { return times(8<<20, "m") }),
		of("txt", "pdf", "a text of 60 megabytes", large, func() string { return times(4_000_000, "line of text.\n") }),
		of("txt", "pdf", "more scripts than there are", "MISSING_GLYPHS", func() string {
			var b strings.Builder
			for r := rune(0x250); r < 0x30000; r++ {
				if r < 0xD800 || r > 0xDFFF {
					b.WriteRune(r)
				}
			}
			return b.String()
		}),
		of("csv", "html", "a million columns", "TABLE_TOO_LARGE", func() string { return times(1_000_000, "a,") }),
		of("csv", "xlsx", "60 million commas", "TABLE_TOO_LARGE", func() string { return times(60_000_000, ",") }),
		of("csv", "html", "a line of 100 megabytes", "INPUT_TOO_LARGE", func() string { return times(100<<20, "a") }),
		of("csv", "html", "one wide row and a million short ones", "TABLE_TOO_LARGE", func() string { return times(16_000, "a,") + "\n" + times(1_000_000, "b\n") }),
		of("csv", "txt", "one long cell and a million short ones", "", func() string { return times(1<<20, "x") + ",a\n" + times(1_000_000, "b,c\n") }),
		of("csv", "md", "a million rows of ten", "", func() string { return times(1_000_000, "1,2,3,4,5,6,7,8,9,0\n") }),
		of("csv", "txt", "quotes that never end", "MALFORMED_CSV", func() string { return times(10_000_000, "\"a\n") }),
	}
}
