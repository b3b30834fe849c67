package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

// The types of questions whose answers are checked here.
const (
	typeChoice      = "choice"
	typeMultiChoice = "multi_choice"
	typeText        = "text"
	typeNumber      = "number"
	typeBoolean     = "boolean"
	typeDate        = "date"
	typeFile        = "file"
)

const ownPrefix = "convilyn."

// own says that the run itself asks this, not the service.
func own(slotID string) bool { return strings.HasPrefix(slotID, ownPrefix) }

// slotQuestion is a question of the service.
func slotQuestion(goal string, s activities.Slot) Question {
	q := Question{
		SlotID: s.SlotID, Type: string(s.Type), Text: s.Text, Options: s.Options, Required: s.Required,
		Suggested: s.Suggested, Confidence: s.Confidence, Previews: s.Previews,
	}
	q.Key = q.key(goal)
	return q
}

// Slot is the question by which answers are checked, read and shown.
func (q Question) Slot() slot.Slot {
	return slot.Slot{
		SlotID: q.SlotID, Type: slot.Type(q.Type), Text: q.Text, Options: q.Options, Required: q.Required, FreeText: q.FreeText,
		Suggested: q.Suggested, Confidence: q.Confidence, Previews: q.Previews,
	}
}

// key is equal for questions that one answer can settle: the same goal asks the same thing with the same options.
func (q Question) key(goal string) string {
	sum := sha256.Sum256(encoded([]any{goal, q.SlotID, q.Type, q.Text, q.Options}))
	return hex.EncodeToString(sum[:8])
}

// refuse says why a value is no answer to the question; empty where it is one. What it does not know, the
// service will judge.
func (q Question) refuse(value json.RawMessage) string {
	switch q.Type {
	case typeMultiChoice:
		return q.refuseOptions(value)
	case typeChoice:
		var one string
		if json.Unmarshal(value, &one) != nil {
			return "the answer is one of " + q.offers()
		}
		return q.refuseOption(one)
	case typeNumber:
		return refuseUnless[float64](value, "a number")
	case typeBoolean:
		return refuseUnless[bool](value, "true or false")
	case typeDate:
		return refuseDate(value)
	case typeFile:
		return refuseFiles(value)
	case typeText:
		return q.refuseText(value)
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
	return cutText(strings.Join(values, ", "), labelLimit)
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

func startQuestion(cause string) Question {
	q := Question{
		SlotID: QuestionStart, Type: typeChoice, Required: true,
		Text: "It is not known whether the service started this goal, and starting it again may cost again. " + cause,
		Options: []activities.Option{
			{Value: StartAgain, Label: "Start it again"},
			{Value: StartDrop, Label: "Give it up"},
		},
		FreeText: "the id of the job to adopt",
	}
	q.Key = q.key("")
	return q
}

func previewQuestion(goal string, previews []activities.Preview) Question {
	q := Question{
		SlotID: QuestionPreview, Type: typeChoice, Required: true, Text: "Go on with what the preview shows?", Previews: previews,
		Options: []activities.Option{
			{Value: PreviewApprove, Label: "Go on"},
			{Value: PreviewReject, Label: "Cancel the job"},
		},
	}
	q.Key = q.key(goal)
	return q
}

func troubleQuestion(step, cause string) Question {
	q := Question{
		SlotID: QuestionTrouble, Type: typeChoice, Required: true, Text: cause,
		Options: []activities.Option{
			{Value: TroubleRetry, Label: "Mended: try again"},
			{Value: TroubleGiveUp, Label: "Give up: the run fails and its job is cancelled"},
		},
	}
	q.Key = q.key(step)
	return q
}
