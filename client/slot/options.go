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
func (s Slot) Offers() string { return s.offers(s.typable) }

func asIs(value string) string { return value }

// checkOption refuses what is not offered, where anything is offered and nothing else may be said.
func (s Slot) checkOption(value string) error {
	offered := func(o Option) bool { return o.Value == value }
	if len(s.Options) == 0 || slices.ContainsFunc(s.Options, offered) || s.FreeText != "" && strings.TrimSpace(value) != "" {
		return nil
	}
	return fmt.Errorf("%.80q is not one of %s", value, s.offers(asIs))
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
			return "", false, fmt.Errorf("%q names several options: %s", text, strings.Join(values[:min(len(values), mostOffered)], ", "))
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
	return "", fmt.Errorf("%.80q is not one of %s", text, s.Offers())
}

// chooseSeveral reads a JSON list of options, one option, or several with commas.
func (s Slot) chooseSeveral(text string) ([]string, error) {
	parts, isList := stringsOf(json.RawMessage(text))
	if !isList {
		if value, found, err := s.find(text); found || err != nil {
			return []string{value}, err
		}
		parts = strings.Split(text, ",")
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
			return nil, fmt.Errorf("%.80q is chosen twice", value)
		}
		chosen = append(chosen, value)
	}
	return chosen, nil
}

// typable is the shortest thing to type for an option: its label where that is one word and means this option alone,
// as names of files do, and its value otherwise.
func (s Slot) typable(value string) string {
	at := slices.IndexFunc(s.Options, func(o Option) bool { return o.Value == value })
	if at < 0 {
		return value
	}
	label := s.Options[at].Label
	if label == "" || len(label) > len(value) || strings.ContainsAny(label, " ,\t\n") || strings.EqualFold(label, value) {
		return value
	}
	if meant, found, err := s.find(label); err != nil || !found || meant != value {
		return value
	}
	return label
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
