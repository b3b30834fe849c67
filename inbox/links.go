package inbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// linkPage is one question for whoever holds its link.
type linkPage struct {
	frame
	Field  *field
	Used   *questions.Receipt // what became of the answer that this link gave
	Said   outcome
	For    string
	Action string
}

const linkAnswer = "link-" // and the link's key: the id of its answer

// linkState is where a link stands: used, or good for one answer under the id.
type linkState struct {
	question questions.Question
	used     *questions.Receipt
	id       string
}

// claim reads the link of a request; it has answered where it returns false.
func (in *Inbox) claim(w http.ResponseWriter, r *http.Request) (link.Claim, bool) {
	c, err := link.Verify(in.cfg.Secret, r.PathValue("token"), in.cfg.Clock())
	switch {
	case errors.Is(err, link.ErrExpired):
		in.renderMessage(w, r, http.StatusGone, "This link has expired", "The question may still be open: ask whoever sent you the link for another.")
	case err != nil:
		in.renderMessage(w, r, http.StatusForbidden, "This is not one of our links", "It may have been cut in the mail. Copy the whole of it.")
	}
	return c, err == nil
}

// showLink changes nothing: mail scanners open links, too.
func (in *Inbox) showLink(w http.ResponseWriter, r *http.Request) {
	c, ok := in.claim(w, r)
	if !ok {
		return
	}
	p := linkPage{frame: in.frame(r, "A question for you"), For: c.For, Action: "/answer/" + r.PathValue("token")}
	p.Bare = true
	ctx, cancel := in.patient(r)
	defer cancel()
	state, err := in.linked(ctx, c)
	switch {
	case err != nil:
		in.failLink(w, r, err)
		return
	case state.used != nil:
		p.Used = state.used
		p.Said.Good, p.Said.Text = verdictText(*state.used)
	default:
		f := in.fieldOf(state.question, 1, p.Action+"/previews")
		p.Field = &f
	}
	in.render(w, http.StatusOK, "link", p)
}

// linked finds the question of a link, or the receipt of the answer that it gave. An answer that was taken first and
// refused later does not use the link up; the next one needs another id, or it would share that verdict.
func (in *Inbox) linked(ctx context.Context, c link.Claim) (linkState, error) {
	receipts, err := in.runs.Answers(ctx, c.WorkflowID)
	if err != nil {
		return linkState{}, err
	}
	state := linkState{id: linkAnswer + c.Key}
	refused := 0
	for i := range receipts {
		switch {
		case receipts[i].AnswerID != state.id:
		case receipts[i].Verdict == questions.VerdictInvalid:
			refused++
			state.id = fmt.Sprintf("%s%s.%d", linkAnswer, c.Key, refused)
		default:
			state.used = &receipts[i]
			return state, nil
		}
	}
	questions, err := in.runs.Questions(ctx, c.WorkflowID)
	if err != nil {
		return linkState{}, err
	}
	for _, q := range questions {
		if q.SlotID == c.SlotID && q.Round == c.Round && q.AskedAt.Equal(c.Asked) && !q.Answered {
			state.question = q
			return state, nil
		}
	}
	return linkState{}, errClosed
}

var errClosed = errors.New("the question is not open any more")

func (in *Inbox) failLink(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errClosed) || errors.Is(err, runs.ErrNoSuchRun) || errors.Is(err, runs.ErrEnded) {
		in.renderMessage(w, r, http.StatusGone, "This question is closed", "It was answered otherwise, or the run has ended. There is nothing left to do.")
		return
	}
	in.fail(w, r, err)
}

func (in *Inbox) postLink(w http.ResponseWriter, r *http.Request) {
	c, ok := in.claim(w, r)
	if !ok || !in.parseForm(w, r) {
		return
	}
	defer dropForm(r)
	ctx, cancel := in.patient(r)
	defer cancel()
	state, err := in.linked(ctx, c)
	if err != nil {
		in.failLink(w, r, err)
		return
	}
	here := "/answer/" + r.PathValue("token")
	if state.used != nil {
		http.Redirect(w, r, here, http.StatusSeeOther) // shows what became of it
		return
	}
	q := state.question
	value, err := in.valueOf(r, q)
	if err == nil && value == nil {
		err = errors.New("nothing was filled in")
	}
	p := linkPage{frame: in.frame(r, "A question for you"), For: c.For, Action: here}
	p.Bare = true
	if err != nil {
		f := in.fieldOf(q, 1, here+"/previews")
		p.Field, p.Said = &f, outcome{Text: "Not sent: " + err.Error()}
		in.render(w, http.StatusUnprocessableEntity, "link", p)
		return
	}
	answer := answerOf(r, c.WorkflowID, q, value, c.For, "link")
	answer.AnswerID = state.id
	receipt, err := in.runs.Answer(r.Context(), c.WorkflowID, answer)
	in.forget()
	if err == nil {
		http.Redirect(w, r, here, http.StatusSeeOther)
		return
	}
	p.Said = outcomeOf("", "", receipt, err)
	var refused *runs.RefusedError
	if errors.As(err, &refused) { // a refused answer is in no ledger: the link is good for another try
		f := in.fieldOf(q, 1, here+"/previews")
		p.Field = &f
	}
	in.render(w, codeOf(err), "link", p)
}

func (in *Inbox) showLinkPreview(w http.ResponseWriter, r *http.Request) {
	if c, ok := in.claim(w, r); ok {
		in.servePreview(w, r, c.WorkflowID, c.SlotID)
	}
}
