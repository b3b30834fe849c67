package fidelity

import (
	"bytes"
	"context"
	"strconv"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
)

// rich reads rich text: its words without page headers, pictures and what else has a group of its own.
type rich struct {
	data    []byte
	at      int
	words   *words
	decoder *encoding.Decoder
	groups  []group
	now     group
	pending []byte // bytes in the code page of the document
}

type group struct {
	skip   bool
	hidden bool
	skips  int // bytes that stand for a Unicode letter in programs without Unicode
}

func readRich(_ context.Context, file string, _ how) (Content, error) {
	data, err := readAll(file)
	if err != nil {
		return Content{}, err
	}
	if !bytes.HasPrefix(data, []byte(`{\rtf`)) {
		return Content{}, unreadable("it is no rich text")
	}
	r := &rich{data: data, words: newWords(), now: group{skips: 1}}
	r.codePage(1252)
	for r.at < len(r.data) {
		r.next()
	}
	r.flush()
	r.words.end()
	c := uncounted()
	c.Words, c.Partial = r.words.all, r.words.full
	return c, nil
}

func (r *rich) codePage(n int) {
	if found, _ := charset.Lookup("windows-" + strconv.Itoa(n)); found != nil {
		r.decoder = found.NewDecoder()
	}
}

func (r *rich) flush() {
	if len(r.pending) == 0 {
		return
	}
	text, err := r.decoder.Bytes(r.pending)
	if err == nil {
		r.words.text(string(text))
	}
	r.pending = r.pending[:0]
}

func (r *rich) next() {
	c := r.data[r.at]
	r.at++
	switch c {
	case '{':
		if len(r.groups) < maxDepth {
			r.groups = append(r.groups, r.now)
		}
	case '}':
		if top := len(r.groups) - 1; top >= 0 {
			r.now, r.groups = r.groups[top], r.groups[:top]
		}
	case '\\':
		r.control()
	case '\r', '\n':
	default:
		r.letter(c)
	}
}

func (r *rich) letter(c byte) {
	if !r.now.skip && !r.now.hidden {
		r.pending = append(r.pending, c)
	}
}

// control reads a control word or sign.
func (r *rich) control() {
	if r.at >= len(r.data) {
		return
	}
	c := r.data[r.at]
	if !letter(c) {
		r.at++
		r.sign(c)
		return
	}
	from := r.at
	for r.at < len(r.data) && letter(r.data[r.at]) {
		r.at++
	}
	name := string(r.data[from:r.at])
	from = r.at
	for r.at < len(r.data) && (r.data[r.at] == '-' && r.at == from || '0' <= r.data[r.at] && r.data[r.at] <= '9') {
		r.at++
	}
	value, err := strconv.Atoi(string(r.data[from:r.at]))
	if r.at < len(r.data) && r.data[r.at] == ' ' {
		r.at++
	}
	r.word(name, value, err == nil)
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func (r *rich) sign(c byte) {
	switch c {
	case '\'':
		if r.at+2 <= len(r.data) {
			if n, err := strconv.ParseUint(string(r.data[r.at:r.at+2]), 16, 8); err == nil {
				r.letter(byte(n))
			}
			r.at += 2
		}
	case '*':
		r.now.skip = true
	case '~', '_', '\r', '\n':
		r.space()
	case '\\', '{', '}':
		r.letter(c)
	}
}

func (r *rich) space() {
	r.flush()
	if !r.now.skip {
		r.words.end()
	}
}

// apart are groups that are no text of the pages' body.
var apart = set("fonttbl", "colortbl", "stylesheet", "info", "pict", "header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf",
	"fldinst", "listtable", "listoverridetable", "revtbl", "object", "annotation", "atnid", "atnauthor", "xe", "tc", "listtext", "pntext", "themedata",
	"colorschememapping", "datastore", "latentstyles", "generator", "filetbl", "objdata", "nonshppict", "shpinst", "deleted")

func (r *rich) word(name string, value int, given bool) {
	switch name {
	case "par", "line", "tab", "cell", "row", "sect", "page", "super", "sub", "nosupersub", "emdash", "endash", "bullet", "footnote", "nestcell", "nestrow":
		r.space()
	case "u":
		r.flush()
		if !r.now.skip && !r.now.hidden {
			r.words.rune(rune(uint16(value))) //nolint:gosec // negative numbers stand for those above 32767
		}
		r.leaveOut(r.now.skips)
	case "uc":
		r.now.skips = min(max(value, 0), 10)
	case "ansicpg":
		r.codePage(value)
	case "v":
		r.flush()
		r.now.hidden = !given || value != 0
	case "plain":
		r.flush()
		r.now.hidden = false
	case "bin":
		r.at = min(len(r.data), r.at+max(value, 0))
	case "lquote", "rquote", "ldblquote", "rdblquote", "emspace", "enspace":
		r.space()
	default:
		if apart[name] {
			r.flush()
			r.now.skip = true
		}
	}
}

// leaveOut passes over what stands for a letter in programs without Unicode.
func (r *rich) leaveOut(letters int) {
	for ; letters > 0 && r.at < len(r.data); letters-- {
		switch {
		case bytes.HasPrefix(r.data[r.at:], []byte(`\'`)):
			r.at = min(len(r.data), r.at+4)
		case r.data[r.at] == '{', r.data[r.at] == '}', r.data[r.at] == '\\':
			return
		default:
			r.at++
		}
	}
}
