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
	"slices"
)

// Cut copies a document without its links, and names those. Formats that cannot be opened here are copied as they are:
// what reads doc, xls, ppt, mobi, azw3 or a film is held by its sandbox alone. Links of the first three are named.
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

var (
	olds     = []string{"doc", "xls", "ppt"}
	archives = []string{"docx", "xlsx", "pptx", "odt", "ods", "odp", "epub"}
	texts    = []string{"rtf", "html", "svg", "txt", "csv"}
)

// isFlat reports whether an OpenDocument file is one file of XML.
func isFlat(source io.ReaderAt) (bool, error) {
	head := make([]byte, 5)
	n, err := source.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the document: %w", err)
	}
	return bytes.Contains(head[:n], []byte("<")), nil
}

func cut(ctx context.Context, source *os.File, target io.Writer, format string) ([]Link, error) {
	info, err := source.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at the document: %w", err)
	}
	c := &cutter{ctx: ctx, left: maxUnpacked}
	flat := false
	if format == "odt" || format == "ods" || format == "odp" {
		flat, err = isFlat(source)
	}
	switch {
	case err != nil:
	case flat:
		_, err = c.xml(source, target, single, nil, false)
		if err != nil && ctx.Err() == nil {
			err = damaged("the document is not well-formed")
		}
	case slices.Contains(archives, format):
		err = c.archive(source, info.Size(), 0, target)
	case slices.Contains(texts, format):
		var data []byte
		if data, err = c.text(source); err == nil {
			err = write(target, data, c.file(data, format))
		}
	default:
		if _, err = io.Copy(target, source); err == nil && slices.Contains(olds, format) && info.Size() <= maxText {
			var data []byte
			if data, err = c.text(io.NewSectionReader(source, 0, info.Size())); err == nil {
				c.old(data)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return c.found, nil
}
