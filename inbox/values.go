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

	"github.com/convilyn/convilyn-temporal/client/slot"
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
	errAsked     = errors.New("the question has been asked again since this page was loaded; look at it again")
)

// valueOf reads a question's answer from a form; nil where none was given.
func (in *Inbox) valueOf(r *http.Request, q questions.Question) (json.RawMessage, error) {
	if round := r.PostFormValue(fieldRound + q.SlotID); round != "" && round != strconv.Itoa(q.Round) {
		return nil, errAsked
	}
	control := q.Control()
	if control.Several() {
		return valuesOf(r, q, control)
	}
	if control.Name == slot.ControlFile && in.cfg.Files != "" {
		saved, err := in.saveUpload(r, fieldFile+q.SlotID)
		if err != nil || saved != nil {
			return saved, err
		}
	}
	text := unixLines(r.PostFormValue(fieldValue + q.SlotID))
	if free := r.PostFormValue(fieldFree + q.SlotID); strings.TrimSpace(free) != "" {
		text = unixLines(free)
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil //nolint:nilnil // no value is not an error
	}
	value, err := q.Parse(text)
	if err != nil {
		return nil, err
	}
	return value, refuseLocal(value)
}

// valuesOf reads what was picked of several, in the order that the form says.
func valuesOf(r *http.Request, q questions.Question, control slot.Control) (json.RawMessage, error) {
	var picked []string
	for _, value := range r.PostForm[fieldValue+q.SlotID] {
		picked = append(picked, unixLines(value))
	}
	if control.Name == slot.ControlOrder {
		place := func(value string) int {
			n, err := strconv.Atoi(r.PostFormValue(placeName(q.SlotID, value)))
			if err != nil {
				return len(control.Choices) + 1
			}
			return n
		}
		slices.SortStableFunc(picked, func(a, b string) int { return place(a) - place(b) })
	}
	if free := strings.TrimSpace(r.PostFormValue(fieldFree + q.SlotID)); free != "" {
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
	if err := q.Check(value); err != nil {
		return nil, err
	}
	return value, refuseLocal(value)
}

// unixLines undoes what browsers do to the ends of lines.
func unixLines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// placeName is the form field that holds an option's place in an order.
func placeName(slotID, value string) string {
	sum := sha256.Sum256([]byte(value))
	return fieldPlace + slotID + ":" + hex.EncodeToString(sum[:8])
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
		SlotID: q.SlotID, Value: value, AnswerID: "inbox-" + hex.EncodeToString(sum[:16]), AnsweredBy: by, Channel: channel, Asked: true,
		Note: cut(strings.TrimSpace(r.PostFormValue("note")), maxNote),
	}
}
