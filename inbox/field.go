package inbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// optionsLimit bounds the options that a form shows.
const optionsLimit = 500

// field is a question with its control.
type field struct {
	questions.Question
	Control  slot.Control
	Choices  []choice
	Prefill  string
	Free     string // said beside the choices
	Sure     string // "82 % sure"; empty where no suggestion is shown
	Fault    string // why the answer before, or what was typed, does not count
	Waits    int    // questions whose answers this one waits for, where it is answered
	Shown    []preview
	Loss     *lossView // of a question about a loss; nil for others
	CanSend  bool      // files can be uploaded
	Position int       // from 1
}

type choice struct {
	Value, Label string
	Picked       bool
	Place        int // from 1, of an order
}

type preview struct {
	URL, Name string
	Picture   bool
}

// fieldOf makes the control of a question. previewRoot is where its previews are, without a slash at the end.
func (in *Inbox) fieldOf(q questions.Question, position int, previewRoot string) field {
	f := field{Question: q, Control: q.Control(), Position: position, CanSend: in.cfg.Files != ""}
	value := q.Suggested
	switch {
	case q.Answered:
		value = nil
		if q.Given != nil {
			value = q.Given.Value
		}
	case q.Refused != nil:
		value, f.Fault = q.Refused.Value, refusalText(q)
	case given(value):
		f.Sure = "suggested"
		if q.Confidence != nil {
			f.Sure = fmt.Sprintf("suggested, %.0f %% sure", 100*min(max(*q.Confidence, 0), 1))
		}
	}
	if given(value) && refuseLocal(value) == nil { // where an upload lies is nothing to type
		f.Prefill = q.Show(value)
	}
	f.Choices = choicesOf(f.Control, value)
	for _, p := range q.Previews {
		if in.cfg.Previews == nil {
			break
		}
		f.Shown = append(f.Shown, preview{
			URL: previewRoot + "/" + url.PathEscape(p.ArtifactID), Name: nameOf(p.FileName, p.ArtifactID), Picture: slices.Contains(pictures, p.MimeType),
		})
	}
	return f
}

// AtDeadline is what happens when nobody answers in time.
func (f field) AtDeadline() string {
	switch {
	case f.Question.Loss == nil:
		return atDeadline(f.OnDeadline)
	case f.OnDeadline == questions.DeadlineDefault:
		return "then the policy answers"
	}
	return "then the output is refused"
}

func given(value json.RawMessage) bool { return len(value) > 0 && string(value) != "null" }

// refusalText is why an answer that had been taken does not count.
func refusalText(q questions.Question) string {
	value := q.Label(q.Refused.Value)
	if value == "" {
		value = valueText(q.Refused.Value)
	}
	if value == "" {
		return "The answer was refused: " + q.Refused.Reason
	}
	return fmt.Sprintf("The answer “%s” was refused: %s", cut(value, 200), q.Refused.Reason)
}

// typed shows in the field what a form holds, with the fault for which it was not sent.
func (f *field) typed(form url.Values, fault string) {
	f.Fault, f.Sure = fault, ""
	f.Free, f.Prefill = form.Get(fieldFree+f.SlotID), unixLines(form.Get(fieldValue+f.SlotID))
	for i := range f.Choices {
		c := &f.Choices[i]
		c.Picked = slices.ContainsFunc(form[fieldValue+f.SlotID], func(value string) bool { return unixLines(value) == c.Value })
		if n, err := strconv.Atoi(form.Get(placeName(f.SlotID, c.Value))); err == nil {
			c.Place = n
		}
	}
	if f.Control.Name == slot.ControlOrder {
		slices.SortStableFunc(f.Choices, func(a, b choice) int { return a.Place - b.Place })
	}
}

// Chosen reports whether the picks are somebody's, and not a suggestion.
func (f field) Chosen() bool { return f.Answered || f.Fault != "" }

// choicesOf marks what is suggested among the choices of a control, and sorts those of an order by it.
func choicesOf(control slot.Control, suggested json.RawMessage) []choice {
	var picked []any
	if json.Unmarshal(suggested, &picked) != nil {
		var one any
		if json.Unmarshal(suggested, &one) == nil {
			picked = []any{one}
		}
	}
	out := make([]choice, 0, min(len(control.Choices), optionsLimit))
	for _, o := range control.Choices[:min(len(control.Choices), optionsLimit)] {
		place := slices.IndexFunc(picked, func(value any) bool { return picks(o.Value, value) })
		out = append(out, choice{Value: o.Value, Label: nameOf(o.Label, o.Value), Picked: place >= 0, Place: place + 1})
	}
	if control.Name != slot.ControlOrder {
		return out
	}
	last := func(c choice) int { return cmp.Or(c.Place, len(out)+1) } // what is not picked comes after what is
	slices.SortStableFunc(out, func(a, b choice) int { return last(a) - last(b) })
	for i := range out {
		out[i].Place = i + 1
	}
	return out
}

// picks reports whether a choice of a form is the value: the same text, or the number or truth that its text is.
func picks(choice string, value any) bool {
	if text, isText := value.(string); isText {
		return text == choice
	}
	var meant any
	return value != nil && json.Unmarshal([]byte(choice), &meant) == nil && reflect.DeepEqual(meant, value)
}
