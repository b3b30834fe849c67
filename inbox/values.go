package inbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// Names of form fields: a prefix and the slot id.
const (
	fieldValue = "v:"
	fieldFree  = "free:"
	fieldPlace = "p:" // and the option, see placeName
	fieldNone  = "none:"
	fieldFile  = "file:"
	fieldRound = "round:"
)

const maxNote = 2000 // bytes

var (
	errLocalFile = errors.New("a file:// address is not taken from here: upload the file, or give a file id")
	errAsked     = errors.New("the question has been asked anew since this page was loaded; look at it again")
)

// valueOf reads a question's answer from a form; nil where none was given.
func (in *Inbox) valueOf(r *http.Request, q questions.Question) (json.RawMessage, error) {
	if round := r.PostFormValue(fieldRound + q.SlotID); round != "" && round != strconv.Itoa(q.Round) {
		return nil, errAsked
	}
	control := controlOf(q)
	text := strings.TrimSpace(r.PostFormValue(fieldValue + q.SlotID))
	free := strings.TrimSpace(r.PostFormValue(fieldFree + q.SlotID))
	switch control {
	case controlChecks, controlOrder:
		return valuesOf(r, q, control, free)
	case controlFile:
		if in.cfg.Files != "" {
			saved, err := in.saveUpload(r, fieldFile+q.SlotID)
			if err != nil || saved != nil {
				return saved, err
			}
		}
	case controlArea, controlLine:
		text = strings.ReplaceAll(r.PostFormValue(fieldValue+q.SlotID), "\r\n", "\n")
	}
	if free != "" {
		text = free
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil //nolint:nilnil // no value is not an error
	}
	return typed(control, text)
}

// typed turns text into the JSON of a control.
func typed(control, text string) (json.RawMessage, error) {
	var value json.RawMessage
	switch control {
	case controlNumber:
		var number *float64
		if json.Unmarshal([]byte(text), &number) != nil || number == nil {
			return nil, errors.New("not a number; write it like 12 or 12.5")
		}
		value = json.RawMessage(text)
	case controlSwitch:
		if text != "true" && text != "false" {
			return nil, errors.New("neither yes nor no")
		}
		value = json.RawMessage(text)
	case controlDate:
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return nil, errors.New("not a date; write it like 2026-11-30")
		}
		value = quote(text)
	case controlAny:
		if value = json.RawMessage(text); !json.Valid(value) {
			value = quote(text)
		}
	default:
		value = quote(text)
	}
	return value, refuseLocal(value)
}

func valuesOf(r *http.Request, q questions.Question, control, free string) (json.RawMessage, error) {
	picked := slices.Clone(r.PostForm[fieldValue+q.SlotID])
	if control == controlOrder {
		place := func(value string) int {
			n, err := strconv.Atoi(r.PostFormValue(placeName(q.SlotID, value)))
			if err != nil {
				return len(q.Options) + 1
			}
			return n
		}
		slices.SortStableFunc(picked, func(a, b string) int { return place(a) - place(b) })
	}
	if free != "" {
		picked = append(picked, free)
	}
	if len(picked) == 0 {
		if r.PostFormValue(fieldNone+q.SlotID) != "" {
			return json.RawMessage("[]"), nil
		}
		return nil, nil //nolint:nilnil // no value is not an error
	}
	value, err := json.Marshal(picked)
	if err != nil {
		return nil, err
	}
	return value, refuseLocal(value)
}

// placeName is the form field that holds an option's place in an order.
func placeName(slotID, value string) string {
	sum := sha256.Sum256([]byte(value))
	return fieldPlace + slotID + ":" + hex.EncodeToString(sum[:8])
}

func quote(text string) json.RawMessage {
	body, err := json.Marshal(text)
	if err != nil {
		return nil // a string can always be written
	}
	return body
}

// refuseLocal keeps paths of the worker's own disk out: it would read what they name.
func refuseLocal(raw json.RawMessage) error {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return errors.New("the value is not JSON")
	}
	if namesLocalFile(value) {
		return errLocalFile
	}
	return nil
}

func namesLocalFile(value any) bool {
	switch v := value.(type) {
	case string:
		rest, found := strings.CutPrefix(strings.ToLower(strings.TrimSpace(v)), "file:")
		return found && rest == strings.TrimLeft(rest, " ") // "file: see below" is prose
	case []any:
		return slices.ContainsFunc(v, namesLocalFile)
	case map[string]any:
		for _, inner := range v {
			if namesLocalFile(inner) {
				return true
			}
		}
	}
	return false
}

// answerOf is the answer to send. Its id depends on the page and on what was said: sending twice counts once, and
// saying something else from the same page is another answer.
func answerOf(r *http.Request, workflowID string, q questions.Question, value json.RawMessage, by, channel string) questions.Answer {
	said := value
	if strings.HasPrefix(textOf(value), "file://") {
		said = nil // every upload has a name of its own
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{r.PostFormValue("nonce"), workflowID, q.SlotID, strconv.Itoa(q.Round), string(said)}, "\x00")))
	return questions.Answer{
		SlotID: q.SlotID, Value: value, AnswerID: "inbox-" + hex.EncodeToString(sum[:16]), AnsweredBy: by, Channel: channel,
		Note: cut(strings.TrimSpace(r.PostFormValue("note")), maxNote),
	}
}
