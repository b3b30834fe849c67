package inbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// outcome is what became of one answer, for people.
type outcome struct {
	Slot string `json:"s,omitempty"`
	Run  string `json:"r,omitempty"`
	Good bool   `json:"g,omitempty"`
	Text string `json:"t"`
	ID   string `json:"i,omitempty"` // of the answer; what became of it since is told by the run's ledger
}

// settle says what became of the answer by now.
func (o *outcome) settle(ledger []questions.Receipt, waits int) {
	for _, receipt := range ledger {
		if o.ID != "" && receipt.AnswerID == o.ID {
			o.Good, o.Text = verdictText(receipt, waits)
		}
	}
}

// flash is what a page says after a form was sent. It travels signed in the address, so that no foreign link can put words here.
type flash struct {
	Outcomes []outcome `json:"o"`
	More     int       `json:"m,omitempty"` // outcomes that did not fit
	Path     string    `json:"p"`           // the page that it is for
}

const maxFlash = 25

func (in *Inbox) flash(r *http.Request) flash {
	var f flash
	if !in.gate.Unsign("flash", r.URL.Query().Get("said"), &f) || f.Path != r.URL.EscapedPath() {
		return flash{}
	}
	return f
}

func (in *Inbox) redirect(w http.ResponseWriter, r *http.Request, path string, outcomes []outcome) {
	f := flash{Outcomes: outcomes[:min(len(outcomes), maxFlash)], More: max(0, len(outcomes)-maxFlash), Path: path}
	for i := range f.Outcomes {
		f.Outcomes[i].Text, f.Outcomes[i].Run = cut(f.Outcomes[i].Text, 200), cut(f.Outcomes[i].Run, 80)
		f.Outcomes[i].Slot = cut(f.Outcomes[i].Slot, 80)
	}
	in.redirectTo(w, r, path+"?said="+url.QueryEscape(in.gate.Sign("flash", f)))
}

// outcomeOf says what a receipt or a fault means.
func outcomeOf(slot, runName string, receipt questions.Receipt, err error) outcome {
	o := outcome{Slot: slot, Run: runName}
	var refused *runs.RefusedError
	switch {
	case err == nil:
		o.ID = receipt.AnswerID
		o.Good, o.Text = verdictText(receipt, unknown)
	case errors.As(err, &refused):
		o.Text = "Not accepted: " + refused.Receipt.Reason
	case errors.Is(err, runs.ErrNoVerdict):
		o.ID, o.Good, o.Text = receipt.AnswerID, true, "Kept. No worker has judged it yet; that happens when one is back."
	case errors.Is(err, runs.ErrEnded):
		o.Text = "The run has ended; it takes no more answers."
	case errors.Is(err, runs.ErrNoSuchRun):
		o.Text = "There is no such run any more."
	default:
		o.Text = "Could not be sent: Temporal could not be asked. Send it again."
	}
	return o
}

// unknown is how many answers are waited for, where nobody was asked.
const unknown = -1

// verdictText says what became of an answer, and whether that is good. Waits is how many answers are missing before it is
// sent. Nothing is accepted before whoever asked has taken it.
func verdictText(receipt questions.Receipt, waits int) (bool, string) {
	why := ""
	if receipt.Reason != "" {
		why = ": " + receipt.Reason
	}
	switch receipt.Verdict {
	case questions.VerdictAccepted:
		switch {
		case receipt.DeliveredAt != nil:
			return true, "Accepted. Thank you."
		case waits > 0:
			return true, "Answered. It is sent when " + term.Plural(waits, "more answer is", "more answers are") + " there."
		case waits == unknown:
			return true, "Answered. Whether it is accepted stands on the page of the run."
		}
		return true, "Answered, and on its way; it is not accepted yet."
	case questions.VerdictDuplicate:
		return true, "Already answered the same."
	case questions.VerdictEarly:
		return true, "Kept until the question is asked."
	case questions.VerdictConflict:
		return false, "Somebody was faster" + why
	case questions.VerdictInvalid:
		return false, "Not an answer to this question" + why
	case questions.VerdictSuperseded:
		return false, "Replaced by a later answer" + why
	case questions.VerdictLate:
		return false, "Too late" + why
	}
	return false, string(receipt.Verdict) + why
}

// whoOf names who gave an answer.
func whoOf(r questions.Receipt) string {
	switch {
	case r.Automatic:
		return "the policy of the run"
	case r.AnsweredBy != "":
		return cut(r.AnsweredBy, maxName)
	case r.Channel == questions.ChannelElsewhere:
		return "somebody in Convilyn"
	}
	return "somebody"
}

// answerText is an answer as people read it.
func answerText(r questions.Receipt) string {
	if r.Label != "" {
		return cut(r.Label, 300)
	}
	return valueText(r.Value)
}

func labelOf(q questions.Question, value json.RawMessage) string {
	if label := q.Label(value); label != "" {
		return cut(label, maxNote)
	}
	if text := textOf(value); !strings.HasPrefix(text, "file://") {
		return cut(text, maxNote)
	}
	return valueText(value)
}

// counted is the latest answer to a slot that counts; nil where there is none.
func counted(ledger []questions.Receipt, slotID string) *questions.Receipt {
	for i := len(ledger) - 1; i >= 0; i-- {
		if r := &ledger[i]; r.SlotID == slotID && r.Verdict == questions.VerdictAccepted {
			return r
		}
	}
	return nil
}
