package inbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// answerer is who answers: the login's name, or what the form says, which is then remembered.
func (in *Inbox) answerer(w http.ResponseWriter, r *http.Request) string {
	s, known := in.gate.Session(r)
	if s.Name != "" {
		return s.Name
	}
	name := personName(r.PostFormValue("answered_by"))
	if name != "" && (known || in.cfg.Token == "") {
		in.remember(w, r, name)
	}
	return name
}

func (in *Inbox) postRun(w http.ResponseWriter, r *http.Request) {
	if !in.parseForm(w, r) {
		return
	}
	defer dropForm(r)
	id := r.PathValue("id")
	questions, err := in.questions(r, id)
	if err != nil {
		in.fail(w, r, err)
		return
	}
	outcomes, faults := in.answerRun(r, id, questions, in.answerer(w, r))
	in.forget()
	switch {
	case len(faults) > 0:
		in.renderRun(w, r, http.StatusUnprocessableEntity, flash{Outcomes: outcomes}, faults)
		return
	case len(outcomes) == 0:
		outcomes = []outcome{{Text: "Nothing was filled in. Nothing was sent."}}
	}
	in.redirect(w, r, runPath(id), outcomes)
}

// answerRun sends the answers of a form. Faults are why some were not sent or not taken, by slot.
func (in *Inbox) answerRun(r *http.Request, id string, open []questions.Question, by string) (outcomes []outcome, faults map[string]string) {
	faults = map[string]string{}
	outcomes = append(outcomes, in.tooLate(r, id, open)...)
	fail := func(o outcome) {
		outcomes = append(outcomes, o)
		faults[o.Slot] = o.Text
	}
	for _, q := range open {
		if q.Answered && q.Control().Name == slot.ControlFile {
			continue // an upload that nobody wants is not kept
		}
		value, err := in.valueOf(r, q)
		switch {
		case q.Answered: // since the page was loaded, where its form has a value
			if value != nil && q.Given != nil && !sameJSON(value, q.Given.Value) {
				fail(lostTo(*q.Given, q, value))
			}
		case err != nil:
			fail(outcome{Slot: q.SlotID, Text: "Not sent: " + err.Error()})
		case value != nil:
			receipt, err := in.give(r.Context(), id, answerOf(r, id, q, value, by, "inbox"))
			o := outcomeOf(q.SlotID, "", receipt, err)
			var refused *runs.RefusedError
			switch {
			case err == nil && receipt.Verdict == questions.VerdictConflict:
				o = in.lost(r, id, q, value, o)
				fail(o)
			case errors.As(err, &refused), err != nil && !o.Good:
				fail(o)
			default:
				outcomes = append(outcomes, o)
			}
		}
	}
	return outcomes, faults
}

// tooLate are the answers of a form to questions that are closed by now.
func (in *Inbox) tooLate(r *http.Request, id string, open []questions.Question) (outcomes []outcome) {
	var ledger []questions.Receipt
	for name := range r.PostForm {
		slotID, asked := strings.CutPrefix(name, fieldRound)
		typed := unixLines(r.PostFormValue(fieldValue + slotID))
		if !asked || typed == "" || slices.ContainsFunc(open, func(q questions.Question) bool { return q.SlotID == slotID }) {
			continue
		}
		if ledger == nil {
			ctx, cancel := in.patient(r)
			ledger, _ = in.runs.Answers(ctx, id)
			cancel()
		}
		if first := counted(ledger, slotID); first != nil && textOf(first.Value) != typed {
			outcomes = append(outcomes, lostTo(*first, questions.Question{Slot: slot.Slot{SlotID: slotID}}, quote(typed)))
		}
	}
	slices.SortFunc(outcomes, func(a, b outcome) int { return strings.Compare(a.Slot, b.Slot) })
	return outcomes
}

// lost is an answer that somebody else was faster than: who answered what, and what it was.
func (in *Inbox) lost(r *http.Request, id string, q questions.Question, value json.RawMessage, otherwise outcome) outcome {
	ctx, cancel := in.patient(r)
	defer cancel()
	ledger, err := in.runs.Answers(ctx, id)
	if first := counted(ledger, q.SlotID); err == nil && first != nil {
		return lostTo(*first, q, value)
	}
	return otherwise
}

func lostTo(first questions.Receipt, q questions.Question, value json.RawMessage) outcome {
	return outcome{Slot: q.SlotID, Text: fmt.Sprintf("Somebody was faster: %s answered “%s”. Yours was not sent: “%s”", whoOf(first), answerText(first), labelOf(q, value))}
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
