package inbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"

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
	Sure     string // "82 % sure"; empty where there is no suggestion
	Shown    []preview
	CanSend  bool // files can be uploaded
	Position int  // from 1
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

// pictures are the media types that are shown in the page; all else is downloaded.
var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// fieldOf makes the control of a question. previewRoot is where its previews are, without a slash at the end.
func (in *Inbox) fieldOf(q questions.Question, position int, previewRoot string) field {
	f := field{Question: q, Control: q.Control(), Position: position, CanSend: in.cfg.Files != ""}
	suggested := len(q.Suggested) > 0 && string(q.Suggested) != "null"
	if suggested {
		f.Prefill = q.Show(q.Suggested)
		f.Sure = "suggested"
		if q.Confidence != nil {
			f.Sure = fmt.Sprintf("suggested, %.0f %% sure", 100*min(max(*q.Confidence, 0), 1))
		}
	}
	f.Choices = choicesOf(f.Control, q.Suggested)
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
	if control.Name == slot.ControlOrder {
		slices.SortStableFunc(out, func(a, b choice) int { return a.Place - b.Place })
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
