package goals

import (
	"context"
	"time"
)

// Span is a finding for tests.
type Span struct {
	Start, End int
	Kind       string
	Value      string
	ID         string
}

// Find is find.
func Find(text string) []Span {
	var out []Span
	for _, f := range find(text) {
		out = append(out, Span{Start: f.start, End: f.end, Kind: string(f.kind), Value: f.value, ID: f.id()})
	}
	return out
}

// RedactText takes values out of a text.
func RedactText(text string, ids []string, style string) (string, error) {
	out, _, err := newRedaction(ids, style).text(text)
	return out, err
}

// RedactPart takes values out of a part of a Word document.
func RedactPart(part string, ids []string) (string, error) {
	out, _, err := redactPart("word/document.xml", []byte(part), newRedaction(ids, styleLabel))
	return string(out), err
}

// PartTexts lists what is read in a part.
func PartTexts(part string) ([]string, error) {
	passages, err := readPart("word/document.xml", []byte(part))
	var out []string
	for _, p := range passages {
		out = append(out, p.text())
	}
	return out, err
}

// IsIBAN and IsCard are the checks of numbers.
var (
	IsIBAN = isIBAN
	IsCard = isCard
)

// CountPages is countPages.
func CountPages(path string) (int, error) { return countPages(path) }

// FileName is fileName.
func FileName(text string) string { return fileName(text, "otherwise") }

// StartClock is startClock.
func StartClock(ctx context.Context, atMost time.Duration) (pause, goOn func(), limited context.Context, stop func()) {
	c, limited, stop := startClock(ctx, atMost)
	return c.pause, c.goOn, limited, stop
}
