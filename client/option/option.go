// Package option is the schema of what a conversion can be asked for beyond its formats: names, types, bounds, and how values
// are written. Engines list the options that their routes take; services send that list, and everybody checks by it.
package option

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Option is one thing to ask for. Its JSON form is what services list.
type Option struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	// Values are those of a choice, and examples of a paper.
	Values []string `json:"values,omitempty"`
	// Min and Max bound numbers, lengths in millimetres, and the length of a text in characters; no bound where both are 0.
	Min     float64 `json:"min,omitempty"`
	Max     float64 `json:"max,omitempty"`
	Default string  `json:"default,omitempty"` // for people: what is done without it
	Help    string  `json:"help"`
}

// Check reads a value as people write it, and returns it in the one form that means the same.
func (o Option) Check(value string) (string, error) {
	k, known := kinds[o.Type]
	if !known {
		return value, nil // of a newer service, which checks it
	}
	if o.Type != Secret { // of which every letter counts
		value = strings.TrimSpace(value)
	}
	out, err := k(o, value)
	if err != nil {
		return "", fmt.Errorf("option %s: %w", o.Name, err)
	}
	return out, nil
}

// Values are options that are asked for, by name. In JSON numbers and booleans are taken, too.
type Values map[string]string

// UnmarshalJSON takes an object of strings, numbers and booleans.
func (v *Values) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("options are not an object: %w", err)
	}
	*v = nil
	for name, value := range raw {
		var text string
		switch {
		case json.Unmarshal(value, &text) == nil && string(value) != "null":
		case len(value) > 0 && strings.ContainsRune("-0123456789tf", rune(value[0])):
			text = string(value)
		default:
			return fmt.Errorf("option %s is not a string, a number or a boolean", name)
		}
		if *v == nil {
			*v = Values{}
		}
		(*v)[name] = text
	}
	return nil
}

// Names are the names in order.
func (v Values) Names() []string { return slices.Sorted(maps.Keys(v)) }

// String is all of them, in order, for comparing and for people.
func (v Values) String() string {
	parts := make([]string, 0, len(v))
	for _, name := range v.Names() {
		parts = append(parts, name+"="+v[name])
	}
	return strings.Join(parts, "\n")
}

// Parse reads NAME=VALUE, as flags give it.
func Parse(args []string) (Values, error) {
	out := Values{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		name = strings.TrimSpace(name)
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("option %s is given twice", name)
		}
		if !ok || name == "" {
			return nil, fmt.Errorf("option %q is not NAME=VALUE, such as paper=A4", arg)
		}
		out[name] = value
	}
	return out, nil
}

// Check returns given in canonical form, or one error with all that is wrong with it. taken is what may be given, and taker who
// takes it, such as "docx to pdf".
func Check(given Values, taken []Option, taker string) (Values, error) {
	var faults []error
	out := Values{}
	for _, name := range given.Names() {
		at := slices.IndexFunc(taken, func(o Option) bool { return o.Name == name })
		if at < 0 {
			faults = append(faults, unknown(name, taken, taker))
			continue
		}
		value, err := taken[at].Check(given[name])
		if err != nil {
			faults = append(faults, err)
			continue
		}
		out[name] = value
	}
	if len(out) == 0 {
		out = nil
	}
	return out, errors.Join(faults...)
}

func unknown(name string, taken []Option, taker string) error {
	names := make([]string, len(taken))
	for i, o := range taken {
		names[i] = o.Name
	}
	slices.Sort(names)
	if len(names) == 0 {
		return fmt.Errorf("%s takes no option %s, and no other", taker, name)
	}
	meant := ""
	if near := Nearest(name, names); near != "" {
		meant = fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Errorf("%s takes no option %s%s (it takes %s)", taker, name, meant, strings.Join(names, ", "))
}

// Nearest is the name that was probably meant; empty where none is near.
func Nearest(typed string, names []string) string {
	best, least := "", 3
	for _, name := range names {
		if d := distance(strings.ToLower(typed), name); d < least && d < len(name) {
			best, least = name, d
		}
	}
	return best
}

// distance counts letters that are added, removed, replaced, or swapped with their neighbour.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
		for j := range rows[i] {
			if i == 0 {
				rows[i][j] = j
				continue
			}
			if j == 0 {
				continue
			}
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// Union is all options of several lists, each once, by name.
func Union(lists ...[]Option) []Option {
	out := []Option{}
	for _, list := range lists {
		for _, o := range list {
			if !slices.ContainsFunc(out, func(have Option) bool { return have.Name == o.Name }) {
				out = append(out, o)
			}
		}
	}
	slices.SortFunc(out, func(a, b Option) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
