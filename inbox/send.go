package inbox

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// outcome is what became of one answer, for people.
type outcome struct {
	Slot string `json:"s,omitempty"`
	Run  string `json:"r,omitempty"`
	Good bool   `json:"g,omitempty"`
	Text string `json:"t"`
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
	http.Redirect(w, r, path+"?said="+url.QueryEscape(in.sign("flash", f)), http.StatusSeeOther)
}

func (in *Inbox) flash(r *http.Request) flash {
	var f flash
	if !in.unsign("flash", r.URL.Query().Get("said"), &f) || f.Path != r.URL.EscapedPath() {
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
		o.Good, o.Text = verdictText(receipt)
	case errors.As(err, &refused):
		o.Text = "Not accepted: " + refused.Receipt.Reason
	case errors.Is(err, runs.ErrNoVerdict):
		o.Good, o.Text = true, "Kept. No worker has judged it yet; it will count when one is back."
	case errors.Is(err, runs.ErrEnded):
		o.Text = "The run has ended; it takes no more answers."
	case errors.Is(err, runs.ErrNoSuchRun):
		o.Text = "There is no such run any more."
	default:
		o.Text = "Could not be sent: Temporal could not be asked. Send it again."
	}
	return o
}

func verdictText(receipt questions.Receipt) (bool, string) {
	why := ""
	if receipt.Reason != "" {
		why = ": " + receipt.Reason
	}
	switch receipt.Verdict {
	case questions.VerdictAccepted:
		return true, "Accepted. Thank you."
	case questions.VerdictDuplicate:
		return true, "Already answered the same."
	case questions.VerdictEarly:
		return true, "Kept until the question is asked."
	case questions.VerdictConflict:
		return false, "Another answer counted first" + why
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
	s, known := in.session(r)
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
	by := in.answerer(w, r)
	var outcomes []outcome
	for _, q := range questions {
		if q.Answered {
			continue
		}
		value, err := in.valueOf(r, q)
		switch {
		case err != nil:
			outcomes = append(outcomes, outcome{Slot: q.SlotID, Text: "Not sent: " + err.Error()})
		case value != nil:
			receipt, err := in.runs.Answer(r.Context(), id, answerOf(r, id, q, value, by, "inbox"))
			outcomes = append(outcomes, outcomeOf(q.SlotID, "", receipt, err))
		}
	}
	in.forget()
	if len(outcomes) == 0 {
		outcomes = []outcome{{Text: "Nothing was filled in, or the questions have been answered meanwhile. Nothing was sent."}}
	}
	in.redirect(w, r, runPath(id), outcomes)
}

// questions asks within the patience of a page.
func (in *Inbox) questions(r *http.Request, id string) ([]questions.Question, error) {
	ctx, cancel := in.patient(r)
	defer cancel()
	return in.runs.Questions(ctx, id)
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

var errGone = errors.New("no run waits for this question any more, or none could be asked")

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
	for _, id := range runs[:min(len(runs), 5)] {
		questions, err := in.questions(r, id)
		if err != nil {
			continue
		}
		for _, q := range questions {
			if q.Key == key && !q.Answered {
				return q, nil
			}
		}
	}
	return questions.Question{}, errGone
}
