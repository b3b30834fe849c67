package links

import (
	"regexp"
	"slices"
	"strings"
)

// kinds are what people call what an element shows, by its local name.
var kinds = map[string]string{
	"img": "pictures", "image": "pictures", "imagedata": "pictures", "blip": "pictures", "fill": "pictures", "fill-image": "pictures", "stroke": "pictures",
	"feImage": "pictures", "feimage": "pictures", "input": "pictures", "background-image": "pictures", "list-level-style-image": "pictures", "body": "pictures",
	"table": "pictures", "td": "pictures", "tr": "pictures", "th": "pictures", "svgBlip": "pictures", "source": "pictures", "picture": "pictures",
	"link": "style sheets", "style": "style sheets", "font-face-uri": "fonts", "base": "addresses",
	"audio": "sounds", "sound": "sounds", "video": "films", "plugin": "films", "embed": "objects", "applet": "objects",
	"table-source": "tables", "cell-range-source": "tables", "connection": "tables", "webPr": "tables", "dbPr": "tables", "textPr": "tables",
	"dde-source": "tables", "dde-connection-decl": "tables", "connection-resource": "tables", "database-source-sql": "tables",
	"section-source": "documents", "object": "objects", "object-ole": "objects", "OLEObject": "objects",
	"iframe": "frames", "frame": "frames", "floating-frame": "frames", "template": "templates",
}

func kindOf(element string) string {
	if kind, ok := kinds[element]; ok {
		return kind
	}
	return "files"
}

// followed are the attributes that name what an element shows; those of links that only readers follow are in onlyRead.
var followed = map[string]bool{
	"href": true, "src": true, "srcset": true, "imagesrcset": true, "data": true, "background": true, "poster": true, "lowsrc": true, "dynsrc": true,
	"codebase": true, "archive": true, "code": true, "full-path": true, "image-data": true, "sourceFile": true, "odcFile": true, "resource": true,
	"definitionURL": true, "schemaLocation": true, "noNamespaceSchemaLocation": true, "target-frame-url": true,
}

// onlyRead are elements whose href is for readers, or names where something goes.
var onlyRead = map[string]bool{
	"a": true, "area": true, "area-rectangle": true, "area-circle": true, "area-polygon": true, "event-listener": true, "form": true, "button": true,
	"hyperlink": true, "hlinkClick": true, "hlinkHover": true, "hlinkMouseOver": true, "citation": true, "mtext": true,
	"script": true, // nothing here runs one
	"param":  true, "tref": true,
}

// shapes of old drawings have an href for readers, without a prefix.
var shapes = strings.Fields("shape shapetype rect roundrect oval line group curve arc polyline diagram")

// formulas are attributes that a table computes.
var formulas = map[string]bool{
	"formula": true, "condition": true, "cell-range-address": true, "values-cell-range-address": true, "label-cell-address": true, "expression": true,
	"base-cell-address": true, "source-cell-range-addresses": true, "select-page": true,
}

// painted are attributes of drawings that may name a picture or a filter in the manner of style sheets.
var painted = strings.Fields("style fill stroke filter mask clip-path marker-start marker-mid marker-end marker cursor")

// attribute is one of an element, with a way to the others.
type attribute struct {
	where                        place
	element, prefix, name, value string
	other                        func(name string) string
}

func loads(where place, element, prefix, name, value string, other func(string) string) string {
	if prefix == "xmlns" || name == "xmlns" {
		return ""
	}
	// The first that knows an attribute decides.
	for _, rule := range []func(a attribute) (kind string, known bool){sources, computed, drawn, inPages, addressed} {
		if kind, known := rule(attribute{where, element, prefix, name, value, other}); known {
			return kind
		}
	}
	return ""
}

// sources are programs and databases that a table takes data from.
func sources(a attribute) (string, bool) {
	dde := a.name == "dde-topic" || a.name == "dde-item" || a.name == "ddeTopic"
	connection := a.element == "webPr" && a.name == "url" || a.element == "dbPr" && a.name == "connection"
	return "tables", dde || connection
}

func computed(a attribute) (string, bool) {
	if !formulas[a.name] {
		return "", false
	}
	if formulaLoads(a.value) == "" {
		return "", true
	}
	return "formulas", true
}

// drawn are attributes in the manner of style sheets, and those that change an address later.
func drawn(a attribute) (string, bool) {
	var outside bool
	switch {
	case slices.Contains(painted, a.name):
		outside = styleLoads(a.where, a.value) != ""
	case a.element == "animate" || a.element == "set":
		changes := slices.Contains([]string{"from", "to", "values", "by"}, a.name) && strings.HasSuffix(a.other("attributeName"), "href")
		outside = changes && slices.ContainsFunc(strings.Split(a.value, ";"), a.where.outside)
	default:
		return "", false
	}
	if !outside {
		return "", true
	}
	return kindOf("fill"), true
}

// inPages are elements of pages whose address is in an attribute that means other things elsewhere.
func inPages(a attribute) (string, bool) {
	switch {
	case a.element == "meta" && a.name == "content":
		if strings.EqualFold(a.other("http-equiv"), "refresh") && addressInRefresh(a.where, a.value) {
			return "pages", true
		}
		return "", true
	case a.element == "param" && a.name == "value":
		if slices.Contains(strings.Fields("src movie filename url data"), strings.ToLower(a.other("name"))) && a.where.outside(a.value) {
			return "objects", true
		}
		return "", true
	}
	return "", false
}

// addressed are attributes that name what an element shows.
func addressed(a attribute) (string, bool) {
	const named = "rdf" // what describes a document names things, and shows none
	if !followed[a.name] || a.onlyRead() || a.prefix == named && a.name == "resource" {
		return "", false
	}
	addresses := []string{a.value}
	if strings.HasSuffix(a.name, "srcset") {
		addresses = candidates(a.value)
	}
	return kindOf(a.element), slices.ContainsFunc(addresses, a.where.outside)
}

// onlyRead reports whether an address is for readers, or for nobody.
func (a attribute) onlyRead() bool {
	switch {
	case a.name == "href" && (onlyRead[a.element] || a.prefix == "" && slices.Contains(shapes, a.element)):
		return true
	case a.name == "full-path": // of manifests, which list what is there
		return a.element != "rootfile"
	case a.element == "script", a.element == "base" && a.where.alone:
		return true
	}
	return a.element == "link" && !fetched(a.other("rel"))
}

// candidates are the addresses of a picture that comes in several sizes.
func candidates(set string) []string {
	var out []string
	for set = strings.TrimLeft(set, ", \t\r\n"); set != ""; set = strings.TrimLeft(set, ", \t\r\n") {
		end := strings.IndexAny(set, " \t\r\n")
		if end < 0 {
			end = len(set)
		}
		address := set[:end]
		out = append(out, strings.TrimRight(address, ","))
		set = set[end:]
		if !strings.HasSuffix(address, ",") { // a size follows
			_, set, _ = strings.Cut(set, ",")
		}
	}
	return out
}

// fetched reports whether a page is shown with what it links to by such a relation.
func fetched(rel string) bool {
	rel = strings.ToLower(rel)
	return strings.Contains(rel, "stylesheet") || strings.Contains(rel, "import") || strings.Contains(rel, "load")
}

var refresh = regexp.MustCompile(`(?i)url\s*=\s*["']?([^"']*)`)

func addressInRefresh(where place, content string) bool {
	m := refresh.FindStringSubmatch(content)
	return m != nil && where.outside(m[1])
}

// targetOf is what of an attribute is worth telling.
func targetOf(value string) string {
	if target := styleLoads(single, value); target != "" {
		return target
	}
	if len(value) > 5 && strings.EqualFold(value[:5], "data:") {
		return "" // a drawing with links of its own
	}
	return value
}

var (
	styleEscape = regexp.MustCompile(`\\([0-9A-Fa-f]{1,6})[ \t\r\n\f]?|\\([^0-9A-Fa-f\r\n\f])`)
	styleNote   = regexp.MustCompile(`(?s)/\*.*?(\*/|$)`)
	styleURL    = regexp.MustCompile(`(?is)\b(?:url|src|image|image-set|cross-fade)\(\s*(?:"([^"]*)"?|'([^']*)'?|([^"'()\s]*))`)
	styleImport = regexp.MustCompile(`(?is)@import\s*(?:url\(\s*)?(?:"([^"]*)"?|'([^']*)'?|([^"'()\s;]+))`)
)

// styleLoads is the first address of a style sheet that is outside of the document, or empty. It is read with and without
// what might be comments, and with its escapes undone.
func styleLoads(where place, sheet string) string {
	readings := []string{sheet, styleNote.ReplaceAllString(sheet, "")}
	if strings.Contains(sheet, `\`) {
		readings = append(readings, unescapeStyle(sheet), styleNote.ReplaceAllString(unescapeStyle(sheet), ""))
	}
	for _, reading := range readings {
		for _, pattern := range []*regexp.Regexp{styleURL, styleImport} {
			for _, m := range pattern.FindAllStringSubmatch(reading, -1) {
				if address := m[1] + m[2] + m[3]; where.outside(address) {
					return address
				}
			}
		}
	}
	return ""
}

func unescapeStyle(sheet string) string {
	return styleEscape.ReplaceAllStringFunc(sheet, func(escape string) string {
		m := styleEscape.FindStringSubmatch(escape)
		if m[2] != "" {
			return m[2]
		}
		var r rune
		for _, digit := range strings.ToLower(m[1]) {
			r = r<<4 | rune(strings.IndexRune("0123456789abcdef", digit)) //nolint:gosec // below 16
		}
		return string(r)
	})
}

var (
	quoted    = regexp.MustCompile(`'((?:[^']|'')*)'`)
	functions = regexp.MustCompile(`(?i)\b(WEBSERVICE|DDE|SERVICE|RTD|CALL|REGISTER\.ID)\s*\(`)
	ddeBar    = regexp.MustCompile(`^[=+@-]?\s*[A-Za-z0-9_]+\|`)
)

// formulaLoads is what a formula takes from another file or program, or empty. Addresses that a formula puts together
// while it computes cannot be seen.
func formulaLoads(formula string) string {
	if m := functions.FindString(formula); m != "" {
		return formula
	}
	if ddeBar.MatchString(formula) {
		return formula
	}
	for _, m := range quoted.FindAllStringSubmatch(formula, -1) {
		name := plain(m[1])
		if scheme.MatchString(strings.ToLower(name)) || strings.ContainsAny(name, `/\`) && (strings.Contains(name, "[") || strings.Contains(formula, "'#")) {
			return m[1]
		}
	}
	return ""
}

// loadingFields are commands that bring another file, or what another program says, into a text.
var loadingFields = strings.Fields("INCLUDEPICTURE INCLUDETEXT INCLUDE IMPORT LINK DDE DDEAUTO RD DATABASE SUBDOCUMENT")

// isLoading reports whether a command is, or begins as, one of those.
func isLoading(command string) bool {
	words := strings.FieldsFunc(strings.ToUpper(command), func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' })
	return len(words) > 0 && slices.Contains(loadingFields, words[0])
}
