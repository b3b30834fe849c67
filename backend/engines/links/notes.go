package links

import (
	"fmt"
	"strings"
	"unicode"
)

// named is how many targets of a kind a note names, and namedRunes how much of each.
const named, namedRunes = 3, 80

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
	if runes := []rune(target); len(runes) > namedRunes { // its end has the name of the file
		target = string(runes[:namedRunes/2]) + "..." + string(runes[len(runes)-namedRunes/2:])
	}
	return target
}
