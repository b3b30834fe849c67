package questions

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

// The types of questions whose answers are checked here.
const (
	TypeChoice      = "choice"
	TypeMultiChoice = "multi_choice"
	TypeText        = "text"
	TypeNumber      = "number"
	TypeBoolean     = "boolean"
	TypeDate        = "date"
	TypeFile        = "file"
)

const ownPrefix = "convilyn."

// Own says that the run itself asks this, not the service.
func Own(slotID string) bool { return strings.HasPrefix(slotID, ownPrefix) }

// FromSlot is a question of the service.
func FromSlot(goal string, s activities.Slot) Question {
	q := Question{
		SlotID: s.SlotID, Type: string(s.Type), Text: s.Text, Options: s.Options, Required: s.Required,
		Suggested: s.Suggested, Confidence: s.Confidence, Previews: s.Previews,
	}
	q.Key = q.KeyFor(goal)
	return q
}

// KeyFor is equal for questions that one answer can settle: the same goal asks the same thing with the same options.
func (q Question) KeyFor(goal string) string {
	sum := sha256.Sum256(run.Encode([]any{goal, q.SlotID, q.Type, q.Text, q.Options}))
	return hex.EncodeToString(sum[:8])
}

// Refuse says why a value is no answer to the question; empty where it is one. What it does not know, the
// service will judge.
func (q Question) Refuse(value json.RawMessage) string {
	switch q.Type {
	case TypeMultiChoice:
		return q.refuseOptions(value)
	case TypeChoice:
		var one string
		if json.Unmarshal(value, &one) != nil {
			return "the answer is one of " + q.offers()
		}
		return q.refuseOption(one)
	case TypeNumber:
		return refuseUnless[float64](value, "a number")
	case TypeBoolean:
		return refuseUnless[bool](value, "true or false")
	case TypeDate:
		return refuseDate(value)
	case TypeFile:
		return refuseFiles(value)
	case TypeText:
		return q.refuseText(value)
	}
	return ""
}

func refuseDate(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		if _, err := time.Parse(time.DateOnly, text); err == nil {
			return ""
		}
	}
	return "the answer is a date as YYYY-MM-DD"
}

func refuseFiles(value json.RawMessage) string {
	var many []string
	if json.Unmarshal(value, &many) == nil && len(many) > 0 && !slices.Contains(many, "") {
		return ""
	}
	var one string
	if json.Unmarshal(value, &one) != nil || one == "" {
		return "the answer is a file id, a file:// URL, or a list of them"
	}
	return ""
}

// labelLimit bounds a label, in bytes.
const labelLimit = 300

func refuseUnless[T any](value json.RawMessage, wanted string) string {
	var into *T
	if json.Unmarshal(value, &into) != nil || into == nil {
		return "the answer is " + wanted
	}
	return ""
}

func (q Question) refuseOptions(value json.RawMessage) string {
	var many []string
	if json.Unmarshal(value, &many) != nil {
		return "the answer is a list of options: " + q.offers()
	}
	for _, one := range many {
		if reason := q.refuseOption(one); reason != "" {
			return reason
		}
	}
	if q.Required && len(many) == 0 {
		return "choose at least one of " + q.offers()
	}
	return ""
}

func (q Question) refuseText(value json.RawMessage) string {
	var text string
	switch {
	case json.Unmarshal(value, &text) != nil:
		return "the answer is a text"
	case q.Required && strings.TrimSpace(text) == "":
		return "the answer is empty"
	}
	return ""
}

// label is a value as people read it; empty where the value says the same.
func (q Question) label(value json.RawMessage) string {
	var values []string
	if json.Unmarshal(value, &values) != nil {
		values = make([]string, 1)
		if json.Unmarshal(value, &values[0]) != nil {
			return ""
		}
	}
	said := false
	for i, v := range values {
		for _, option := range q.Options {
			if option.Value == v && option.Label != "" {
				said = said || option.Label != v
				values[i] = option.Label
			}
		}
	}
	if !said {
		return ""
	}
	return run.Cut(strings.Join(values, ", "), labelLimit)
}

func (q Question) refuseOption(value string) string {
	offered := func(o activities.Option) bool { return o.Value == value }
	if len(q.Options) == 0 || slices.ContainsFunc(q.Options, offered) || q.FreeText != "" && strings.TrimSpace(value) != "" {
		return ""
	}
	return fmt.Sprintf("%.80q is not one of %s", value, q.offers())
}

// offers lists the options, as many as one line holds.
func (q Question) offers() string {
	const most = 20
	var values []string
	for i, option := range q.Options {
		if i == most {
			values = append(values, fmt.Sprintf("... (%d in all)", len(q.Options)))
			break
		}
		values = append(values, option.Value)
	}
	if q.FreeText != "" {
		values = append(values, q.FreeText)
	}
	return strings.Join(values, ", ")
}
