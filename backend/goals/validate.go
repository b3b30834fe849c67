package goals

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

// MaxText is the longest text of an answer, in bytes.
const MaxText = 16 << 10

// Validate says why a value is no answer to the slot, in words for people; nil where it is one. Whether a file
// belongs to the caller is not known here.
func (s Slot) Validate(value json.RawMessage) error {
	switch s.SlotType {
	case client.SlotMultiChoice:
		return s.validateChoices(value)
	case client.SlotChoice:
		return s.validateChoice(value)
	case client.SlotNumber:
		return s.validateNumber(value)
	case client.SlotBoolean:
		var yes bool
		return typed(value, &yes, "true or false")
	case client.SlotDate:
		var text string
		if err := typed(value, &text, "a date as YYYY-MM-DD"); err != nil {
			return err
		}
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return fmt.Errorf("%.40q is not a date as YYYY-MM-DD", text)
		}
		return nil
	case client.SlotFile:
		var many []string
		if json.Unmarshal(value, &many) == nil && len(many) > 0 {
			return nil
		}
		var one string
		return typed(value, &one, "a file id or a list of them")
	default:
		var text string
		if err := typed(value, &text, "a text"); err != nil {
			return err
		}
		switch {
		case len(text) > MaxText:
			return fmt.Errorf("the text has %d bytes; %d are allowed", len(text), MaxText)
		case s.Required && strings.TrimSpace(text) == "":
			return fmt.Errorf("the text is empty")
		}
		return nil
	}
}

func typed(value json.RawMessage, into any, wanted string) error {
	if len(value) == 0 || string(value) == "null" || json.Unmarshal(value, into) != nil {
		return fmt.Errorf("%.60s is not %s", value, wanted)
	}
	return nil
}

func (s Slot) validateChoice(value json.RawMessage) error {
	var text string
	if err := typed(value, &text, "one of the options as a text"); err != nil {
		return err
	}
	return s.offered(text)
}

func (s Slot) validateChoices(value json.RawMessage) error {
	var list []string
	if err := typed(value, &list, "a list of options"); err != nil {
		return err
	}
	if s.Required && len(list) == 0 {
		return fmt.Errorf("choose at least one of %s", s.optionList())
	}
	if s.MaxItems > 0 && len(list) > s.MaxItems {
		return fmt.Errorf("%d options are chosen; %d are allowed", len(list), s.MaxItems)
	}
	for i, text := range list {
		if slices.Contains(list[:i], text) {
			return fmt.Errorf("%.60q is chosen twice", text)
		}
		if err := s.offered(text); err != nil {
			return err
		}
	}
	return nil
}

func (s Slot) offered(text string) error {
	if slices.ContainsFunc(s.Options, func(o client.SlotOption) bool { return o.Value == text }) {
		return nil
	}
	return fmt.Errorf("%.60q is not one of %s", text, s.optionList())
}

func (s Slot) optionList() string {
	var values []string
	for i, option := range s.Options {
		if i == 20 {
			values = append(values, fmt.Sprintf("... (%d in all)", len(s.Options)))
			break
		}
		values = append(values, option.Value)
	}
	return strings.Join(values, ", ")
}

func (s Slot) validateNumber(value json.RawMessage) error {
	var n float64
	if err := typed(value, &n, "a number"); err != nil {
		return err
	}
	if s.Min != nil && n < *s.Min || s.Max != nil && n > *s.Max {
		return fmt.Errorf("%v is not from %v to %v", n, *s.Min, *s.Max)
	}
	return nil
}
