package slot

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mostOffered is how many options one line of text holds.
const mostOffered = 20

// offers lists what can be answered, each option as name puts it.
func (s Slot) offers(name func(value string) string) string {
	var all []string
	for i, option := range s.Options {
		if i == mostOffered {
			all = append(all, fmt.Sprintf("... (%d in all)", len(s.Options)))
			break
		}
		all = append(all, name(option.Value))
	}
	if s.FreeText != "" {
		all = append(all, s.FreeText)
	}
	return strings.Join(all, ", ")
}

// Offers lists what can be answered, as one would type it; empty where nothing is offered.
func (s Slot) Offers() string { return s.offers(s.explained) }

// explained is what people type for an option, with its label where that is a number, which means nothing by itself.
func (s Slot) explained(value string) string {
	typed := s.Typed(value)
	at := s.index(value)
	if at < 0 || typed == value || typed != strconv.Itoa(at+1) || s.Options[at].Label == typed {
		return typed
	}
	return fmt.Sprintf("%s (%s)", typed, s.Options[at].Label)
}

// checkOption refuses what is not offered, where anything is offered and nothing else may be said.
func (s Slot) checkOption(value string) error {
	offered := func(o Option) bool { return o.Value == value }
	if len(s.Options) == 0 || slices.ContainsFunc(s.Options, offered) || s.FreeText != "" && strings.TrimSpace(value) != "" {
		return nil
	}
	for _, o := range s.Options {
		if o.Label == value {
			return fmt.Errorf("%.80q is what people read; its value is %.80q", value, o.Value)
		}
	}
	return fmt.Errorf("%.80q is not one of %s", value, s.Offers())
}

// notOffered is the error of a text that is no option; of a number it names the range.
func (s Slot) notOffered(text string) error {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && len(s.Options) > 1 {
		return fmt.Errorf("%d is not one of 1-%d", n, len(s.Options))
	}
	return fmt.Errorf("%.80q is not one of %s", text, s.Offers())
}

// find finds an option by its value, its label, or its number from 1, in this order.
func (s Slot) find(text string) (value string, found bool, err error) {
	if slices.ContainsFunc(s.Options, func(o Option) bool { return o.Value == text }) {
		return text, true, nil
	}
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return "", false, nil
	}
	for _, same := range []func(o Option) bool{
		func(o Option) bool { return o.Value == trimmed },
		func(o Option) bool { return strings.EqualFold(o.Label, trimmed) },
		func(o Option) bool { return strings.EqualFold(o.Value, trimmed) },
	} {
		values := s.values(same)
		if len(values) > 1 {
			return "", false, fmt.Errorf("%q names several options; write the number of one: %s", text, s.numbers(values[:min(len(values), mostOffered)]))
		}
		if len(values) == 1 {
			return values[0], true, nil
		}
	}
	if n, err := strconv.Atoi(trimmed); err == nil && n >= 1 && n <= len(s.Options) {
		return s.Options[n-1].Value, true, nil
	}
	return "", false, nil
}

// values are the different values of some options.
func (s Slot) values(of func(o Option) bool) []string {
	var values []string
	for _, option := range s.Options {
		if of(option) && !slices.Contains(values, option.Value) {
			values = append(values, option.Value)
		}
	}
	return values
}

// choose reads one option, or what may be said beside the options.
func (s Slot) choose(text string) (string, error) {
	value, found, err := s.find(text)
	if found || err != nil {
		return value, err
	}
	if trimmed := strings.TrimSpace(text); trimmed != "" && (s.FreeText != "" || len(s.Options) == 0) {
		return trimmed, nil
	}
	return "", s.notOffered(text)
}

// chooseSeveral reads a JSON list of options, one option, or several with commas.
func (s Slot) chooseSeveral(text string) ([]string, error) {
	parts, isList := stringsOf(json.RawMessage(text))
	if !isList {
		if value, found, err := s.find(text); found || err != nil {
			return []string{value}, err
		}
		parts = s.spread(strings.Split(text, ","))
	}
	chosen := []string{}
	for _, part := range parts {
		if !isList && strings.TrimSpace(part) == "" {
			continue
		}
		value, err := s.choose(part)
		if err != nil {
			return nil, err
		}
		if slices.Contains(chosen, value) {
			return nil, fmt.Errorf("%.80q is chosen twice", s.explained(value))
		}
		chosen = append(chosen, value)
	}
	return chosen, nil
}

// Typed is what people type for an option. A value that speaks for itself is that, or a label of one word where that is
// shorter, as names of files are. In place of an id it is the label, or the option's number where the label means others,
// too, or would be taken for several.
func (s Slot) Typed(value string) string {
	at := s.index(value)
	if at < 0 {
		return value
	}
	label := s.Options[at].Label
	id := looksLikeID(value)
	if label == "" || strings.EqualFold(label, value) || !id && (len(label) > len(value) || strings.ContainsAny(label, " ,\t\n")) {
		return value
	}
	if len(label) <= longestTyped && !strings.ContainsAny(label, ",\t\n") && s.means(label, value) {
		return label
	}
	if number := strconv.Itoa(at + 1); id && s.means(number, value) {
		return number
	}
	return value
}

// longestTyped is how long a label may be that people type, in bytes.
const longestTyped = 60

// looksLikeID reports whether a value says nothing to people: it is long, and has digits in it.
func looksLikeID(value string) bool {
	digits := 0
	for _, r := range value {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return len(value) >= 8 && digits >= 2
}

func (s Slot) index(value string) int {
	return slices.IndexFunc(s.Options, func(o Option) bool { return o.Value == value })
}

// means reports whether a text names this option, and no other.
func (s Slot) means(text, value string) bool {
	meant, found, err := s.find(text)
	return err == nil && found && meant == value
}

// Numbers are the numbers of a value's options, as one would type them: "1-5", or "2, 1, 3". It is empty where the value
// is not made of options, or a number means another one.
func (s Slot) Numbers(value json.RawMessage) string {
	values, isList := stringsOf(value)
	if !isList {
		values = []string{scalar(value)}
	}
	for _, v := range values {
		if at := s.index(v); at < 0 || !s.means(strconv.Itoa(at+1), v) {
			return ""
		}
	}
	return s.numbers(values)
}

// numbers writes runs of three and more as a span.
func (s Slot) numbers(values []string) string {
	var all []string
	for i := 0; i < len(values); {
		first, end := s.index(values[i]), i+1
		for end < len(values) && s.index(values[end]) == first+end-i {
			end++
		}
		if end-i >= 3 {
			all = append(all, fmt.Sprintf("%d-%d", first+1, first+end-i))
			i = end
			continue
		}
		all = append(all, strconv.Itoa(first+1))
		i++
	}
	return strings.Join(all, ", ")
}

// spread replaces spans of numbers, such as 1-5, by the numbers.
func (s Slot) spread(parts []string) []string {
	var all []string
	for _, part := range parts {
		low, high, isSpan := strings.Cut(strings.TrimSpace(part), "-")
		from, err := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		_, option, fault := s.find(part)
		if !isSpan || err != nil || err2 != nil || option || fault != nil || from < 1 || to > len(s.Options) || from > to {
			all = append(all, part)
			continue
		}
		for n := from; n <= to; n++ {
			all = append(all, strconv.Itoa(n))
		}
	}
	return all
}

// ordered reports whether the suggestion names every option once: then their order is the question.
func (s Slot) ordered() bool {
	values, isList := stringsOf(s.Suggested)
	if !isList || len(values) != len(s.Options) || len(values) < 2 {
		return false
	}
	for i, value := range values {
		if slices.Contains(values[:i], value) {
			return false
		}
	}
	return !slices.ContainsFunc(s.Options, func(o Option) bool { return !slices.Contains(values, o.Value) })
}

// stringsOf reads a JSON array of strings.
func stringsOf(value json.RawMessage) (list []string, isList bool) {
	if json.Unmarshal(value, &list) != nil || list == nil {
		return nil, false
	}
	return list, true
}
