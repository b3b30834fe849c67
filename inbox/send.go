package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/convilyn/convilyn-temporal/client/slot"
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

func (in *Inbox) redirect(w http.ResponseWriter, r *http.Request, path string, outcomes []outcome) {
	f := flash{Outcomes: outcomes[:min(len(outcomes), maxFlash)], More: max(0, len(outcomes)-maxFlash), Path: path}
	for i := range f.Outcomes {
		f.Outcomes[i].Text, f.Outcomes[i].Run = cut(f.Outcomes[i].Text, 200), cut(f.Outcomes[i].Run, 80)
		f.Outcomes[i].Slot = cut(f.Outcomes[i].Slot, 80)
	}
	in.redirectTo(w, r, path+"?said="+url.QueryEscape(in.gate.Sign("flash", f)))
}

func (in *Inbox) flash(r *http.Request) flash {
	var f flash
	if !in.gate.Unsign("flash", r.URL.Query().Get("said"), &f) || f.Path != r.URL.EscapedPath() {
		return flash{}
	}
	return f
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
			receipt, err := in.runs.Answer(r.Context(), id, answerOf(r, id, q, value, by, "inbox"))
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

// questions asks within the patience of a page.
func (in *Inbox) questions(r *http.Request, id string) ([]questions.Question, error) {
	ctx, cancel := in.patient(r)
	defer cancel()
	open, err := in.runs.Questions(ctx, id)
	return open, in.blame(r, id, err)
}

// describe looks at a run, which needs no worker: where it takes too long, Temporal is away.
func (in *Inbox) describe(r *http.Request, id string) (runs.Description, error) {
	ctx, cancel := context.WithTimeout(r.Context(), lookWithin)
	defer cancel()
	d, err := in.runs.Describe(ctx, id)
	if err != nil && !errors.Is(err, runs.ErrNoSuchRun) && r.Context().Err() == nil {
		err = fmt.Errorf("%w: %w", errAway, err)
	}
	return d, err
}

// blame tells Temporal's absence from that of a worker.
func (in *Inbox) blame(r *http.Request, id string, err error) error {
	if !runs.NoWorker(err) || errors.Is(err, errAway) {
		return err
	}
	if _, away := in.describe(r, id); errors.Is(away, errAway) {
		return away
	}
	return err
}

const (
	groupLimit = 500 // runs that are answered at once
	groupWide  = 8   // at the same time
)

func (in *Inbox) postGroup(w http.ResponseWriter, r *http.Request) {
	if !in.parseForm(w, r) {
		return
	}
	defer dropForm(r)
	key, runs := r.PathValue("key"), r.PostForm["run"]
	if len(runs) == 0 {
		in.redirect(w, r, groupPath(key), []outcome{{Text: "No run was picked. Nothing was sent."}})
		return
	}
	if len(runs) > groupLimit {
		in.renderMessage(w, r, http.StatusBadRequest, "Too many runs", fmt.Sprintf("At most %d runs can be answered at once. Nothing was sent.", groupLimit))
		return
	}
	sample, err := in.sample(r, key, runs)
	if err != nil {
		in.redirect(w, r, groupPath(key), []outcome{{Text: "Not sent: " + err.Error()}})
		return
	}
	value, err := in.valueOf(r, sample)
	if err == nil && value == nil {
		err = errors.New("nothing was filled in")
	}
	if err != nil {
		in.redirect(w, r, groupPath(key), []outcome{{Text: "Not sent: " + err.Error()}})
		return
	}
	by := in.answerer(w, r)
	outcomes := make([]outcome, len(runs))
	in.each(runs, func(i int, id string) {
		answer := answerOf(r, id, sample, value, by, "inbox")
		receipt, err := in.answerKey(r, id, key, answer)
		outcomes[i] = outcomeOf("", id, receipt, err)
		if errors.Is(err, errGone) {
			outcomes[i].Text = "Waits for this no more."
		}
	})
	in.forget()
	in.redirect(w, r, groupPath(key), outcomes)
}

func (in *Inbox) each(runs []string, work func(i int, id string)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, groupWide)
	for i, id := range runs {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			work(i, id)
		})
	}
	all.Wait()
}

var (
	errGone   = errors.New("no run waits for this question any more")
	errSilent = errors.New("no worker answers for the runs that ask this")
)

// answerKey answers the question of a run that has the key: its slot may have another round, or none.
func (in *Inbox) answerKey(r *http.Request, id, key string, answer questions.Answer) (questions.Receipt, error) {
	open, err := in.questions(r, id)
	if err != nil {
		return questions.Receipt{}, err
	}
	for _, q := range open {
		if q.Key == key && q.SlotID == answer.SlotID {
			return in.runs.Answer(r.Context(), id, answer)
		}
	}
	return questions.Receipt{}, errGone
}

// sample is the question of a group, whole, from the first run that still asks it.
func (in *Inbox) sample(r *http.Request, key string, runs []string) (questions.Question, error) {
	fault := errSilent
	for _, id := range runs[:min(len(runs), 5)] {
		questions, err := in.questions(r, id)
		if err != nil {
			continue
		}
		fault = errGone
		for _, q := range questions {
			if q.Key == key && !q.Answered {
				return q, nil
			}
		}
	}
	return questions.Question{}, fault
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
