package engines

import (
	"fmt"
	"strconv"
	"strings"
)

// PageRange selects pages, from 1, in ascending order of its spans.
type PageRange []PageSpan

// PageSpan is a run of pages, both ends included; Last 0 means to the end.
type PageSpan struct{ First, Last int }

// maxSpans bounds what is looked through for every page of a document.
const maxSpans = 1000

// ParsePageRange reads "3", "1-5", "2-" and lists of them with commas. Empty text selects everything.
func ParsePageRange(text string) (PageRange, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if n := strings.Count(text, ",") + 1; n > maxSpans {
		return nil, fmt.Errorf("the page range has %d parts; %d are allowed", n, maxSpans)
	}
	var out PageRange
	for part := range strings.SplitSeq(text, ",") {
		span, err := parseSpan(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("page range %.60q: %w", text, err)
		}
		out = append(out, span)
	}
	return out, nil
}

func parseSpan(part string) (PageSpan, error) {
	from, to, isSpan := strings.Cut(part, "-")
	first, err := pageNumber(from)
	if err != nil {
		return PageSpan{}, err
	}
	if !isSpan {
		return PageSpan{First: first, Last: first}, nil
	}
	if strings.TrimSpace(to) == "" {
		return PageSpan{First: first}, nil
	}
	last, err := pageNumber(to)
	if err != nil {
		return PageSpan{}, err
	}
	if last < first {
		return PageSpan{}, fmt.Errorf("%d-%d runs backwards", first, last)
	}
	return PageSpan{First: first, Last: last}, nil
}

func pageNumber(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%.60q is not a page number", strings.TrimSpace(text))
	}
	return n, nil
}

// Select lists the page numbers (from 1) of a document with count pages that the range takes, each once,
// in document order. A range that takes none is an error.
func (r PageRange) Select(count int) ([]int, error) {
	var out []int
	for page := 1; page <= count; page++ {
		if len(r) == 0 || r.has(page) {
			out = append(out, page)
		}
	}
	if len(out) == 0 {
		return nil, Errorf(CodeInvalidParameters, "the page range takes none of the document's %d pages", count)
	}
	return out, nil
}

func (r PageRange) has(page int) bool {
	for _, span := range r {
		if page >= span.First && (span.Last == 0 || page <= span.Last) {
			return true
		}
	}
	return false
}
