package fidelity

import (
	"bytes"
	"context"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	utf16 "golang.org/x/text/encoding/unicode"
)

// decoded is text in Unicode; false where its encoding is not known.
func decoded(data []byte) (string, bool) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		out, err := utf16.UTF16(utf16.LittleEndian, utf16.UseBOM).NewDecoder().Bytes(data)
		return string(out), err == nil
	case utf8.Valid(data):
		return string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))), true
	}
	return "", false
}

func readPlain(_ context.Context, file string, _ how) (Content, error) {
	data, err := readAll(file)
	if err != nil {
		return Content{}, err
	}
	text, ok := decoded(data)
	if !ok {
		return Content{}, unreadable("its encoding is not known")
	}
	words := newWords()
	words.text(text)
	words.end()
	c := uncounted()
	c.Words, c.Partial = words.all, words.full
	return c, nil
}

// readCSV reads cells. Where the other file keeps values, numbers are compared as values, and what is a date, an amount of money
// or a share is left out: it may be kept as a number with a format.
func readCSV(ctx context.Context, file string, as how) (Content, error) {
	if !as.values {
		return readPlain(ctx, file, as)
	}
	data, err := readAll(file)
	if err != nil {
		return Content{}, err
	}
	text, ok := decoded(data)
	if !ok {
		return Content{}, unreadable("its encoding is not known")
	}
	words := newWords()
	text = grouped.ReplaceAllString(text, " ")
	for cell := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(",;\t|\"\r\n", r) }) {
		words.end()
		switch cell = strings.TrimSpace(cell); {
		case isNumber.MatchString(cell):
			words.value(cell)
		case strings.ContainsFunc(cell, unicode.IsLetter) || !strings.ContainsFunc(cell, unicode.IsDigit):
			words.text(cell)
		}
	}
	words.end()
	c := uncounted()
	c.Words, c.Partial = words.all, words.full
	return c, nil
}

// grouped are numbers in quotes, since a comma is in them.
var grouped = regexp.MustCompile(`"[^"\pL\n]*[0-9],[0-9][^"\pL\n]*"`)

// isNumber leaves out what begins with zeros: it may be a phone number, and is kept as text.
var isNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?$`)

// value adds a number as it is, whatever zeros it is written with.
func (w *words) value(text string) {
	w.end()
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		w.text(strconv.FormatFloat(n, 'f', -1, 64))
	}
	w.end()
}
