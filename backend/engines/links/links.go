// Package links takes out of a document what it would load from elsewhere: files of this machine and addresses. Programs
// follow such links without a word, and put what they find into the result. A document without links is copied as it is.
package links

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

const (
	// maxUnpacked is what all parts of a document may unpack to, each counted as often as it is read.
	maxUnpacked = 512 << 20
	maxEntries  = 20_000
	// maxToken is the longest piece of markup or text without markup.
	maxToken = 64 << 20
	// maxText is the longest page, drawing or rich text that is held in memory.
	maxText   = 256 << 20
	maxNested = 3
	// longestFormula is how much of a cell is looked at.
	longestFormula = 8192
	// named is how many targets of a kind a note names, and namedRunes how much of each.
	named, namedRunes = 3, 80
)

// Link is one that was cut. Kind is what people call several of them: "pictures", ...
type Link struct{ Kind, Target string }

// Cut copies a document without its links, and names those. Formats that cannot be opened here are copied as they are:
// what reads doc, xls, ppt, mobi, azw3 or a film is held by its sandbox alone.
func Cut(ctx context.Context, from, to, format string) ([]Link, error) {
	source, err := os.Open(from) //nolint:gosec // paths of our own
	if err != nil {
		return nil, fmt.Errorf("open the document: %w", err)
	}
	defer source.Close()                                                     //nolint:errcheck // read only
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // paths of our own
	if err != nil {
		return nil, fmt.Errorf("create the copy: %w", err)
	}
	found, err := cut(ctx, source, target, format)
	return found, errors.Join(err, target.Close())
}

// CutPage is Cut for a page at hand, in UTF-8.
func CutPage(ctx context.Context, page []byte) ([]byte, []Link) {
	c := &cutter{ctx: ctx}
	if changed := c.page(page, single); changed != nil {
		return changed, c.found
	}
	return page, nil
}

func cut(ctx context.Context, source *os.File, target io.Writer, format string) ([]Link, error) {
	info, err := source.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at the document: %w", err)
	}
	c := &cutter{ctx: ctx, left: maxUnpacked}
	switch format {
	case "docx", "xlsx", "pptx", "odt", "ods", "odp", "epub":
		err = c.archive(source, info.Size(), 0, target)
	case "rtf", "html", "svg", "txt", "csv":
		var data []byte
		if data, err = c.text(source); err == nil {
			err = write(target, data, c.file(data, format))
		}
	default:
		_, err = io.Copy(target, source)
	}
	if err != nil {
		return nil, err
	}
	return c.found, nil
}

// write writes what became of data, or data itself where nothing did.
func write(target io.Writer, data, changed []byte) error {
	if changed != nil {
		data = changed
	}
	if _, err := target.Write(data); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// cutter gathers the links of one document.
type cutter struct {
	ctx   context.Context //nolint:containedctx // it lives as long as one call of Cut
	found []Link
	left  int64 // bytes that may still be unpacked
}

func (c *cutter) add(kind, target string) { c.found = append(c.found, Link{kind, target}) }

// text reads a file that is not in parts.
func (c *cutter) text(source io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(source, maxText+1))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	if len(data) > maxText {
		return nil, tooLarge("the text is larger than %d MB", maxText>>20)
	}
	return data, nil
}

// file cuts a file that is not in parts; nil where nothing was cut. Programs guess formats by content, so that rich text
// called txt is read as rich text.
func (c *cutter) file(data []byte, format string) []byte {
	switch {
	case isRTF(data):
		return c.rtf(data)
	case format == "svg" || format == "html" || isMarkup(data):
		return c.markup(data, single)
	case format == "csv":
		return c.cells(data)
	}
	return nil
}

// cells makes text of formulas that take something from elsewhere; nil where there are none.
func (c *cutter) cells(data []byte) []byte {
	var out []byte
	start, end := true, 0
	for i, letter := range data {
		if start && letter == '=' && c.cell(data[i:]) {
			out = append(out, data[end:i]...)
			end = i + 1
		}
		start = bytes.IndexByte([]byte("\n\r\t,;|\""), letter) >= 0 || start && letter == ' '
	}
	if end == 0 {
		return nil
	}
	return append(out, data[end:]...)
}

// markup cuts what is read as a page by some programs, and as XML by others where it is that.
func (c *cutter) markup(data []byte, where place) []byte {
	out := data
	before := len(c.found)
	if changed, err := c.whole(out, where); err != nil {
		c.found = c.found[:before] // it is none
	} else if changed != nil {
		out = changed
	}
	if changed := c.page(out, where); changed != nil {
		out = changed
	}
	if bytes.Equal(out, data) {
		return nil
	}
	return out
}

func isRTF(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), " \t\r\n\x00"), []byte(`{\rt`))
}

// isMarkup knows XML and pages, in any encoding of which ASCII is a part, and in UTF-16.
func isMarkup(head []byte) bool {
	head = bytes.TrimLeft(head, "\xEF\xBB\xBF\xFE\xFF \t\r\n\x00")
	return bytes.HasPrefix(head, []byte("<"))
}

// cell reports whether a formula is to be cut, and names it.
func (c *cutter) cell(rest []byte) bool {
	line, _, _ := bytes.Cut(rest[:min(len(rest), longestFormula)], []byte("\n"))
	target := formulaLoads(string(line))
	if target != "" {
		c.add("formulas", target)
	}
	return target != ""
}

func damaged(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DOCUMENT_TOO_LARGE", Message: fmt.Sprintf(format, args...)}
}

// Notes name links in sentences for people, one a kind.
func Notes(found []Link) []string {
	var kinds []string
	targets, count := map[string][]string{}, map[string]int{}
	for _, link := range found {
		if count[link.Kind]++; count[link.Kind] == 1 {
			kinds = append(kinds, link.Kind)
		}
		if shown := readable(link.Target); len(targets[link.Kind]) < named && shown != "" {
			targets[link.Kind] = append(targets[link.Kind], shown)
		}
	}
	out := make([]string, len(kinds))
	for i, kind := range kinds {
		are := fmt.Sprintf("%d linked %s are not in the document and were left out", count[kind], kind)
		if count[kind] == 1 {
			are = fmt.Sprintf("1 linked %s is not in the document and was left out", strings.TrimSuffix(kind, "s"))
		}
		out[i] = "best_effort: " + are
		if len(targets[kind]) > 0 {
			out[i] += ": " + strings.Join(targets[kind], ", ")
		}
		if count[kind] > len(targets[kind]) && len(targets[kind]) > 0 {
			out[i] += ", ..."
		}
	}
	return out
}

// readable is a target in one line, bounded, and without what an address may hold in secret.
func readable(target string) string {
	target = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.TrimSpace(target))
	if scheme, rest, ok := strings.Cut(target, "://"); ok {
		if cut := strings.IndexAny(rest, "?#"); cut >= 0 {
			rest = rest[:cut]
		}
		host, path, _ := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			host = host[at+1:]
		}
		target = scheme + "://" + host
		if strings.Contains(rest, "/") {
			target += "/" + path
		}
	}
	if runes := []rune(target); len(runes) > namedRunes {
		target = string(runes[:namedRunes]) + "..."
	}
	return target
}
