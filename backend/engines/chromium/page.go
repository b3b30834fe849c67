package chromium

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// base64Line is the longest line of a web archive, in bytes of the page.
const base64Line = 57

// page is a document about to be printed.
type page struct {
	source   []byte // UTF-8
	text     string // what has to be drawn
	warnings []string
}

// look finds what the print of a page will lack.
func look(source []byte) page {
	p := page{source: source}
	var words strings.Builder
	scripts := 0
	hidden := false
	tokens := html.NewTokenizer(bytes.NewReader(p.source))
	for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
		token := tokens.Token()
		switch kind {
		case html.TextToken:
			if !hidden {
				words.WriteString(token.Data)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			hidden = kind == html.StartTagToken && (token.Data == "script" || token.Data == "style")
			if token.Data == "script" {
				scripts++
			}
		default:
			hidden = false
		}
	}
	p.text = words.String()
	if scripts > 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("best_effort: %d scripts of the page did not run", scripts))
	}
	return p
}

// mhtml wraps a page into a web archive. Chromium opens one without scripts and automatic redirects, and loads
// nothing for it but what is in the archive: no file of this machine and nothing from the network.
func mhtml(source []byte) []byte {
	const head = "MIME-Version: 1.0\r\nContent-Type: multipart/related; type=\"text/html\"; boundary=\"page\"\r\n\r\n" +
		"--page\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nContent-Location: https://page.invalid/\r\n\r\n"
	var out bytes.Buffer
	out.WriteString(head)
	out.WriteString(encode(append([]byte("\xEF\xBB\xBF"), onA4(source)...))) // what a page says of its encoding counts more than the archive, this mark most
	out.WriteString("--page--\r\n")
	return out.Bytes()
}

var docType = regexp.MustCompile(`^(?is)\s*<!doctype[^>]*>`)

// onA4 asks for A4, as the other engines print, before the page can ask for something else.
func onA4(source []byte) []byte {
	end := 0
	if at := docType.FindIndex(source); at != nil {
		end = at[1]
	}
	return slices.Concat(source[:end], []byte("<style>@page{size:A4}</style>"), source[end:])
}

func encode(data []byte) string {
	var out strings.Builder
	for line := range slices.Chunk(data, base64Line) {
		out.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	return out.String()
}
