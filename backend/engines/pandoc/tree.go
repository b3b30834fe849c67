package pandoc

import (
	"archive/zip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/links"
	"github.com/convilyn/convilyn-temporal/client"
)

// maxPicture bounds one picture of a document, in bytes.
const maxPicture = 32 << 20

// cleaner takes out of a tree whatever a writer would fetch: pictures by address, raw markup, attributes, and
// metadata that name files. Pictures that the document carries stay, as part of the tree.
type cleaner struct {
	pictures  *zip.Reader // of the source; nil where it is no archive
	keep      bool        // the target has a place for pictures
	addressed []links.Link
	raw       int
	dropped   int
}

// clean rewrites the tree in its file and names what that lost.
func clean(tree, source string, in engines.Request) ([]string, error) {
	data, err := os.ReadFile(tree) //nolint:gosec // paths of our own
	if err != nil {
		return nil, fmt.Errorf("read the document's tree: %w", err)
	}
	var document struct {
		Version any            `json:"pandoc-api-version"`
		Meta    map[string]any `json:"meta"`
		Blocks  any            `json:"blocks"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("read the document's tree: %w", err)
	}
	c := cleaner{keep: in.Target != "md" && in.Target != "txt"}
	if archive, err := zip.OpenReader(source); err == nil {
		defer archive.Close() //nolint:errcheck // read only
		c.pictures = &archive.Reader
	}
	document.Blocks = c.value(document.Blocks)
	for key, value := range document.Meta {
		if !slices.Contains([]string{"title", "subtitle", "author", "date", "lang"}, key) {
			delete(document.Meta, key)
			continue
		}
		document.Meta[key] = c.value(value)
	}
	if data, err = json.Marshal(document); err != nil {
		return nil, fmt.Errorf("write the document's tree: %w", err)
	}
	if err := os.WriteFile(tree, data, 0o600); err != nil {
		return nil, fmt.Errorf("write the document's tree: %w", err)
	}
	return c.losses(in), nil
}

func (c *cleaner) losses(in engines.Request) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if in.Source != "md" {
		say("layout_degraded: headings, lists, tables and emphasis are kept; fonts, colours, page breaks and positions are not")
	}
	if in.Target == "pptx" {
		say("layout_degraded: each heading became a slide; what does not fit on one runs over its edge")
	}
	out = append(out, links.Notes(c.addressed)...)
	if c.dropped > 0 {
		say("best_effort: %d pictures were left out; %s has no place for them", c.dropped, in.Target)
	}
	if c.raw > 0 {
		say("best_effort: %d pieces of raw markup were left out", c.raw)
	}
	return out
}

func (c *cleaner) value(v any) any {
	switch v := v.(type) {
	case []any:
		if isAttributes(v) {
			return []any{v[0], v[1], []any{}}
		}
		out := make([]any, 0, len(v))
		for _, element := range v {
			if inner, ok := c.unwrapped(element); ok {
				out = append(out, inner...)
				continue
			}
			out = append(out, c.value(element))
		}
		return out
	case map[string]any:
		switch v["t"] {
		case "Image":
			return c.image(v)
		case "RawInline":
			c.raw++
			return map[string]any{"t": "Str", "c": ""}
		case "RawBlock":
			c.raw++
			return map[string]any{"t": "Null"}
		}
		for key := range v {
			v[key] = c.value(v[key])
		}
	}
	return v
}

// unwrapped is what a group holds, for targets that could write the group in HTML only.
func (c *cleaner) unwrapped(element any) ([]any, bool) {
	v, ok := element.(map[string]any)
	if !ok || c.keep || v["t"] != "Span" && v["t"] != "Div" {
		return nil, false
	}
	content, ok := v["c"].([]any)
	if !ok || len(content) != 2 {
		return nil, false
	}
	inner, ok := c.value(content[1]).([]any)
	return inner, ok
}

// isAttributes knows [id, [classes], [[key, value], ...]].
func isAttributes(v []any) bool {
	if len(v) != 3 {
		return false
	}
	_, id := v[0].(string)
	_, classes := v[1].([]any)
	pairs, ok := v[2].([]any)
	if !id || !classes || !ok {
		return false
	}
	for _, pair := range pairs {
		if p, ok := pair.([]any); !ok || len(p) != 2 {
			return false
		}
	}
	return true
}

// image keeps a picture that the document carries, and its size; another becomes the words that describe it.
func (c *cleaner) image(v map[string]any) any {
	content, ok := v["c"].([]any)
	if !ok || len(content) != 3 {
		return map[string]any{"t": "Str", "c": ""}
	}
	words := c.value(content[1])
	described := map[string]any{"t": "Span", "c": []any{[]any{"", []any{}, []any{}}, words}}
	target, ok := content[2].([]any)
	if !ok || len(target) != 2 {
		return described
	}
	address, _ := target[0].(string)
	if !strings.HasPrefix(address, "data:image/") {
		address = c.carried(address)
	}
	switch {
	case address == "":
		if name, _ := target[0].(string); name != "" { // one without was cut before, and is named
			c.addressed = append(c.addressed, links.Link{Kind: "pictures", Target: name})
		}
		return described
	case !c.keep:
		c.dropped++
		return described
	}
	return map[string]any{"t": "Image", "c": []any{sizeOnly(content[0]), words, []any{address, target[1]}}}
}

// sizeOnly keeps the width and height of a picture.
func sizeOnly(attributes any) any {
	kept := []any{}
	if v, ok := attributes.([]any); ok && isAttributes(v) {
		for _, pair := range v[2].([]any) {
			if p := pair.([]any); p[0] == "width" || p[0] == "height" {
				kept = append(kept, pair)
			}
		}
	}
	return []any{"", []any{}, kept}
}

// carried is a picture of the source's archive as a data URL; empty where there is none of this name.
func (c *cleaner) carried(name string) string {
	format := client.NormalizeFormat(path.Ext(name))
	if c.pictures == nil || !slices.Contains(strings.Fields("png jpg gif svg bmp tiff webp"), format) {
		return ""
	}
	for _, file := range c.pictures.File {
		if file.Name != name && !strings.HasSuffix(file.Name, "/"+name) || file.UncompressedSize64 > maxPicture {
			continue
		}
		content, err := file.Open()
		if err != nil {
			return ""
		}
		defer content.Close() //nolint:errcheck // read only
		data, err := io.ReadAll(io.LimitReader(content, maxPicture))
		if err != nil {
			return ""
		}
		return "data:" + client.ContentType(format) + ";base64," + base64.StdEncoding.EncodeToString(data)
	}
	return ""
}
