package goals

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/convilyn/convilyn-temporal/client/slot"
)

// MaxText is the longest text of an answer, in bytes.
const MaxText = 16 << 10

// Validate says why a value is no answer to the slot, in words for people; nil where it is one. Whether a file
// belongs to the caller is not known here.
func (s Slot) Validate(value json.RawMessage) error {
	if len(value) == 0 || string(value) == "null" {
		return errors.New("the value is missing; it cannot be null")
	}
	if err := s.asSlot().Check(value); err != nil {
		return err
	}
	var list []string
	if json.Unmarshal(value, &list) == nil {
		return s.validateList(list)
	}
	var text string
	if json.Unmarshal(value, &text) == nil && len(text) > MaxText {
		return fmt.Errorf("the text has %d bytes; %d are allowed", len(text), MaxText)
	}
	return nil
}

// validateList refuses what a person may send by mistake and a goal could not make sense of.
func (s Slot) validateList(list []string) error {
	for i, one := range list {
		if slices.Contains(list[:i], one) {
			return fmt.Errorf("%.60q is given twice", one)
		}
	}
	return nil
}

func (s Slot) asSlot() slot.Slot {
	q := slot.Slot{SlotID: s.SlotID, Type: s.SlotType, Text: s.Question, Required: s.Required}
	for _, option := range s.Options {
		q.Options = append(q.Options, slot.Option(option))
	}
	if s.Validation != nil {
		q.Bounds = slot.Bounds(*s.Validation)
	}
	return q
}
