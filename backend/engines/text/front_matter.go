package text

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// frontMatter is what stands before a text of Markdown, and is about it.
type frontMatter struct {
	title  string
	fields []field
}

type field struct {
	name   string
	value  string
	simple bool // a value, or a list of values
}

// frontMatterMost bounds what is looked through for the end of it.
const frontMatterMost = 64 << 10

// cutFrontMatter takes YAML between lines of --- from the beginning of a text, or TOML between lines of +++. What is
// neither is text, as a rule and what follows it.
func cutFrontMatter(source string) (front frontMatter, rest string) {
	mark, _, _ := strings.Cut(source, "\n")
	mark = strings.TrimRight(mark, " \t")
	parse := parseYAML
	if mark == "+++" {
		parse = parseTOML
	}
	if mark != "---" && mark != "+++" {
		return front, source
	}

	begin, at := 0, 0
	for line := range strings.Lines(source[:min(len(source), frontMatterMost)]) {
		bare := strings.TrimRight(line, " \t\r\n")
		switch {
		case at == 0:
			begin = len(line)
		case bare == mark || mark == "---" && bare == "...":
			fields := parse(source[begin:at])
			if len(fields) == 0 {
				return front, source
			}
			return newFrontMatter(fields), source[at+len(line):]
		}
		at += len(line)
	}
	return front, source
}

func newFrontMatter(fields []field) frontMatter {
	front := frontMatter{}
	for _, f := range fields {
		if strings.EqualFold(f.name, "title") && f.simple && front.title == "" {
			front.title = f.value
			continue
		}
		front.fields = append(front.fields, f)
	}
	return front
}

// parseYAML is empty where the text is no mapping.
func parseYAML(text string) []field {
	var root yaml.Node
	if yaml.Unmarshal([]byte(text), &root) != nil || len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	var out []field
	pairs := root.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		f := field{name: pairs[i].Value}
		f.value, f.simple = simpleYAML(pairs[i+1])
		out = append(out, f)
	}
	return out
}

func simpleYAML(n *yaml.Node) (string, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		return strings.TrimSpace(n.Value), true
	case yaml.SequenceNode:
		var parts []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", false
			}
			parts = append(parts, strings.TrimSpace(item.Value))
		}
		return strings.Join(parts, ", "), true
	case yaml.DocumentNode, yaml.MappingNode, yaml.AliasNode:
	}
	return "", false
}

var tomlLine = regexp.MustCompile(`^([A-Za-z0-9_-]+)\s*=\s*(.+)$`)

// parseTOML reads the values of the first level; whole tables are named alone.
func parseTOML(text string) []field {
	var out []field
	within := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		pair := tomlLine.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "["):
			within = strings.Trim(line, "[] ")
			out = append(out, field{name: within})
		case within == "" && pair != nil:
			f := field{name: pair[1], value: pair[2], simple: !strings.ContainsAny(pair[2], "[{")}
			if value, err := strconv.Unquote(pair[2]); err == nil {
				f.value = value
			} else if len(f.value) > 1 && f.value[0] == '\'' {
				f.value = strings.Trim(f.value, "'")
			}
			out = append(out, f)
		}
	}
	return out
}

// heading is the title as one, where the text does not begin with it.
func (f frontMatter) heading(page string) string {
	text := html.EscapeString(f.title)
	begin := page[:min(len(page), 4*len(text)+200)]
	if text == "" || strings.Contains(begin, ">"+text+"</h1>") {
		return ""
	}
	return "<h1 class=\"title\">" + text + "</h1>\n"
}

var metaName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)

// meta is the rest as elements of the head of a page.
func (f frontMatter) meta() string {
	var b strings.Builder
	for _, one := range f.fields {
		if one.simple && metaName.MatchString(one.name) {
			fmt.Fprintf(&b, "<meta name=\"%s\" content=\"%s\">\n", one.name, html.EscapeString(one.value))
		}
	}
	return b.String()
}

// note names what a target does not hold.
func (f frontMatter) note(w *warnings, target string) {
	var names []string
	for _, one := range f.fields {
		if target != "html" || !one.simple || !metaName.MatchString(one.name) {
			names = append(names, one.name)
		}
	}
	if len(names) > 0 {
		w.add("best_effort: the front matter was left out, but for its title: " + quoted(names))
	}
}
