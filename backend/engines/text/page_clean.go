package text

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/net/html"
)

// CleanPage is a page for programs that read HTML by rules of their own: in UTF-8, with every element closed, and without what
// browsers do not show. Each of them has its own idea of encodings, open tags and hidden elements.
func CleanPage(ctx context.Context, path string) (page []byte, warnings []string, err error) {
	content, warning, err := ReadPage(path)
	if err != nil {
		return nil, nil, err
	}
	root, lost, err := parsePage(ctx, content)
	if err != nil {
		return nil, nil, err
	}
	var out bytes.Buffer
	if err := html.Render(&out, root); err != nil {
		return nil, nil, fmt.Errorf("write the page: %w", err)
	}
	if warning != "" {
		warnings = append(warnings, warning)
	}
	page = bytes.Replace(out.Bytes(), []byte("<head>"), []byte(`<head><meta charset="utf-8"/>`), 1)
	return page, append(warnings, lost.sentences()...), nil
}
