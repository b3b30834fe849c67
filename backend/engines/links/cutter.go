package links

import (
	"bytes"
	"context"
	"fmt"
	"io"

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
)

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

func isRTF(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), " \t\r\n\x00"), []byte(`{\rt`))
}

// isMarkup knows XML and pages, in any encoding of which ASCII is a part, and in UTF-16.
func isMarkup(head []byte) bool {
	head = bytes.TrimLeft(head, "\xEF\xBB\xBF\xFE\xFF \t\r\n\x00")
	return bytes.HasPrefix(head, []byte("<"))
}

func damaged(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DOCUMENT_TOO_LARGE", Message: fmt.Sprintf(format, args...)}
}

// bounded reads until everything together is too much.
type bounded struct {
	from io.Reader
	left *int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if *b.left -= int64(n); *b.left < 0 {
		return 0, tooLarge("the document unpacks to more than %d MB", maxUnpacked>>20)
	}
	return n, err
}

func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xFE\xFF"))
}

// Link is one that was cut. Kind is what people call several of them: "pictures", ...
type Link struct{ Kind, Target string }
