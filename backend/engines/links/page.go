package links

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/text/encoding/unicode"
)

// page cuts a page, well-formed or not; nil where nothing was cut. Elements without links stay as they are written.
func (c *cutter) page(data []byte, where place) []byte {
	if isUTF16(data) {
		decoded, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data)
		if err != nil {
			return nil
		}
		data = append([]byte("\xEF\xBB\xBF"), decoded...)
	}
	var out bytes.Buffer
	before, sheet := len(c.found), false
	tokens := html.NewTokenizer(bytes.NewReader(data))
	for n := 0; ; n++ {
		if n%10_000 == 0 && c.ctx != nil && c.ctx.Err() != nil {
			return nil // who called sees it, too
		}
		tokens.NextIsNotRawText() // readers do not agree on where text has no elements
		kind := tokens.Next()
		raw := tokens.Raw()
		if kind == html.ErrorToken {
			out.Write(raw)
			break
		}
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			raw = c.tag(raw, tokens, where)
			sheet = kind == html.StartTagToken && isStyle(raw)
		case html.EndTagToken:
			sheet = false
		case html.TextToken:
			if target := styleLoads(where, string(raw)); sheet && target != "" {
				c.add("style sheets", target)
				raw = nil
			}
		case html.CommentToken, html.DoctypeToken, html.ErrorToken:
		}
		out.Write(raw)
	}
	if len(c.found) == before {
		return nil
	}
	return out.Bytes()
}

func isStyle(tag []byte) bool {
	return len(tag) > 6 && strings.EqualFold(string(tag[1:6]), "style")
}

// tag is a start tag without the attributes that load something.
func (c *cutter) tag(raw []byte, tokens *html.Tokenizer, where place) []byte {
	raw = bytes.Clone(raw)
	token := tokens.Token()
	value := func(name string) string {
		for _, a := range token.Attr {
			if a.Key == name {
				return a.Val
			}
		}
		return ""
	}
	_, element := split(token.Data)
	kept := token.Attr[:0:0]
	for _, a := range token.Attr {
		prefix, name := split(a.Key)
		if kind := loads(where, element, prefix, name, a.Val, value); kind != "" {
			c.add(kind, targetOf(a.Val))
			continue
		}
		kept = append(kept, a)
	}
	if len(kept) == len(token.Attr) {
		return raw
	}
	token.Attr = kept
	return []byte(token.String())
}

func split(name string) (prefix, local string) {
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}
