package inbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// The controls that a question can have.
const (
	controlRadio  = "radio"
	controlSelect = "select" // where there are more options than radioLimit
	controlChecks = "checks"
	controlOrder  = "order" // checks that also say the order
	controlLine   = "line"
	controlArea   = "area"
	controlNumber = "number"
	controlSwitch = "boolean"
	controlDate   = "date"
	controlFile   = "file"
	controlAny    = "any" // a type that is unknown to us: JSON or text
)

const (
	radioLimit   = 8
	optionsLimit = 500 // that are shown; more are refused to nobody, but typed
	lineLimit    = 80  // runes of a suggestion that fits into a line
)

// field is a question with its control.
type field struct {
	questions.Question
	Control  string
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

func controlOf(q questions.Question) string {
	switch q.Type {
	case "choice":
		if len(q.Options) > radioLimit {
			return controlSelect
		}
		if len(q.Options) > 0 {
			return controlRadio
		}
		return controlLine
	case "multi_choice":
		switch {
		case len(q.Options) == 0:
			return controlAny
		case isOrder(q):
			return controlOrder
		}
		return controlChecks
	case "text":
		if text := textOf(q.Suggested); strings.Contains(text, "\n") || utf8.RuneCountInString(text) > lineLimit {
			return controlArea
		}
		return controlLine
	case "number":
		return controlNumber
	case "boolean":
		return controlSwitch
	case "date":
		return controlDate
	case "file":
		return controlFile
	}
	if len(q.Options) > 0 {
		return controlRadio
	}
	return controlAny
}

// isOrder says whether the suggestion names every option once: then their order is the question.
func isOrder(q questions.Question) bool {
	var values []string
	if json.Unmarshal(q.Suggested, &values) != nil || len(values) != len(q.Options) || len(values) < 2 {
		return false
	}
	seen := map[string]bool{}
	for _, v := range values {
		seen[v] = true
	}
	return len(seen) == len(values) && !slices.ContainsFunc(q.Options, func(o activities.Option) bool { return !seen[o.Value] })
}

// fieldOf makes the control of a question. previewRoot is where its previews are, without a slash at the end.
func (in *Inbox) fieldOf(q questions.Question, position int, previewRoot string) field {
	f := field{Question: q, Control: controlOf(q), Position: position, CanSend: in.cfg.Files != ""}
	suggested := len(q.Suggested) > 0 && string(q.Suggested) != "null"
	if suggested {
		f.Prefill = textOf(q.Suggested)
		f.Sure = "suggested"
		if q.Confidence != nil {
			f.Sure = fmt.Sprintf("suggested, %.0f %% sure", 100*min(max(*q.Confidence, 0), 1))
		}
	}
	f.Choices = choicesOf(q, f.Control)
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

func choicesOf(q questions.Question, control string) []choice {
	if control == controlSwitch {
		return []choice{
			{Value: "true", Label: "Yes", Picked: string(q.Suggested) == "true"},
			{Value: "false", Label: "No", Picked: string(q.Suggested) == "false"},
		}
	}
	var picked []string
	if json.Unmarshal(q.Suggested, &picked) != nil {
		picked = []string{textOf(q.Suggested)}
	}
	out := make([]choice, 0, min(len(q.Options), optionsLimit))
	for _, o := range q.Options[:min(len(q.Options), optionsLimit)] {
		place := slices.Index(picked, o.Value)
		out = append(out, choice{Value: o.Value, Label: nameOf(o.Label, o.Value), Picked: len(q.Suggested) > 0 && place >= 0, Place: place + 1})
	}
	if control == controlOrder {
		slices.SortStableFunc(out, func(a, b choice) int { return a.Place - b.Place })
	}
	return out
}

// textOf is a string as it is, any other JSON as written, and nothing for null.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// cut bounds text in bytes, at a whole rune.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	text = text[:limit]
	for !utf8.ValidString(text) && len(text) > 0 {
		text = text[:len(text)-1]
	}
	return text + "…"
}
