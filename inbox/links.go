package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/httpserver"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// linkPage is one question for whoever holds its link, and of what it is.
type linkPage struct {
	frame
	Run     pageRun
	By      string   // who started the run; may be empty
	Files   []string // names of its inputs
	Until   time.Time
	Field   *field
	Used    *questions.Receipt // what became of the answer that this link gave
	First   *questions.Receipt // the answer that counts, where it is not this link's
	Yours   string             // what was typed, and is of no use any more
	Heading string
	Said    outcome
	For     string
	Action  string
}

const linkAnswer = "link-" // and the link's key: the id of its answer

// linkState is where a link stands: used, or good for one answer under the id.
type linkState struct {
	question questions.Question
	used     *questions.Receipt
	first    *questions.Receipt // the answer that counts; may be nil
	waits    int                // questions that hold the answers back
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
	default:
		httpserver.Trust(r.Context())
	}
	return c, err == nil
}

// showLink changes nothing: mail scanners open links, too.
func (in *Inbox) showLink(w http.ResponseWriter, r *http.Request) {
	c, ok := in.claim(w, r)
	if !ok {
		return
	}
	p := in.linkPage(r, c)
	ctx, cancel := in.patient(r)
	defer cancel()
	state, err := in.linked(ctx, c)
	switch {
	case errors.Is(err, errClosed):
		in.renderClosed(w, p, state)
		return
	case err != nil:
		in.failLink(w, r, in.blame(r, c.WorkflowID, err))
		return
	case state.used != nil:
		p.use(state)
	default:
		p.offer(in, state.question)
	}
	in.render(w, http.StatusOK, "link", p)
}

// linkPage is the page of a link, without its question.
func (in *Inbox) linkPage(r *http.Request, c link.Claim) linkPage {
	p := linkPage{frame: in.frame(r, "A question for you"), Heading: "A question for you", For: c.For, Until: c.Expires, Action: "/answer/" + r.PathValue("token")}
	p.Bare, p.Live, p.LiveAt = true, "", p.Action+"/live"
	if s, err := in.look(r.Context()); err == nil {
		p.Version = s.versionFor(c.WorkflowID)
	}
	seen, err := in.describe(r, c.WorkflowID)
	if err != nil {
		return p // it is told with the question
	}
	p.Run = pageRun{Run: seen.Run}
	if seen.Kind == runs.Goal {
		ctx, cancel := in.patient(r)
		defer cancel()
		var input goal.Input
		if in.runs.Input(ctx, seen.Run, &input) == nil {
			p.By = input.StartedBy
			for _, file := range input.Files {
				p.Files = append(p.Files, file.Name)
			}
		}
	}
	return p
}

// liveLink is the socket of a page that a link opens: of its run, and no other.
func (in *Inbox) liveLink(w http.ResponseWriter, r *http.Request) {
	if c, ok := in.claim(w, r); ok {
		in.keepTelling(w, r, c.WorkflowID)
	}
}

func (p *linkPage) offer(in *Inbox, q questions.Question) {
	f := in.fieldOf(q, 1, p.Action+"/previews")
	p.Field = &f
}

// use shows what became of the answer that the link gave.
func (p *linkPage) use(state linkState) {
	p.Used = state.used
	p.Said.Good, p.Said.Text = verdictText(*state.used, state.waits)
	p.Heading = "Your answer was taken"
	if !p.Said.Good {
		p.Heading, p.First = "Your answer does not count", state.first
	}
}

// renderClosed shows who answered otherwise, and what.
func (in *Inbox) renderClosed(w http.ResponseWriter, p linkPage, state linkState) {
	p.Heading, p.First = "This question is closed", state.first
	if state.first == nil {
		p.Said.Text = "It was answered otherwise, or is not asked any more. There is nothing left to do."
	}
	in.render(w, http.StatusGone, "link", p)
}

// linked finds the question of a link, or the receipt of the answer that it gave. An answer that was taken first and
// refused later does not use the link up; the next one needs another id, or it would share that verdict.
func (in *Inbox) linked(ctx context.Context, c link.Claim) (linkState, error) {
	receipts, err := in.runs.Answers(ctx, c.WorkflowID)
	if err != nil {
		return linkState{}, err
	}
	state := linkState{id: linkAnswer + c.Key, first: counted(receipts, c.SlotID)}
	refused := 0
	for i := range receipts {
		switch {
		case receipts[i].AnswerID != state.id:
		case receipts[i].Verdict == questions.VerdictInvalid:
			refused++
			state.id = fmt.Sprintf("%s%s.%d", linkAnswer, c.Key, refused)
		default:
			state.used = &receipts[i]
		}
	}
	if used := state.used; used != nil && (used.DeliveredAt != nil || used.Verdict != questions.VerdictAccepted) {
		return state, nil
	}
	open, err := in.runs.Questions(ctx, c.WorkflowID)
	if state.used != nil {
		state.waits = missing(open)
		return state, nil
	}
	if err != nil {
		return linkState{}, err
	}
	for _, q := range open {
		if q.SlotID == c.SlotID && q.Round == c.Round && q.AskedAt.Equal(c.Asked) && !q.Answered {
			state.question = q
			return state, nil
		}
	}
	return state, errClosed
}

var errClosed = errors.New("the question is not open any more")

func (in *Inbox) failLink(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, runs.ErrNoSuchRun) || errors.Is(err, runs.ErrEnded) {
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
	p := in.linkPage(r, c)
	ctx, cancel := in.patient(r)
	defer cancel()
	state, err := in.linked(ctx, c)
	switch {
	case errors.Is(err, errClosed):
		p.Yours = strings.TrimSpace(r.PostFormValue(fieldValue + c.SlotID))
		in.renderClosed(w, p, state)
		return
	case err != nil:
		in.failLink(w, r, in.blame(r, c.WorkflowID, err))
		return
	case state.used != nil:
		if typed := unixLines(r.PostFormValue(fieldValue + c.SlotID)); isAnother(*state.used, typed) {
			in.renderUsed(w, p, *state.used, typed)
			return
		}
		in.redirectTo(w, r, p.Action) // shows what became of it
		return
	}

	q := state.question
	value, err := in.valueOf(r, q)
	if err == nil && value == nil {
		err = errors.New("nothing was filled in")
	}
	if err != nil {
		p.offer(in, q)
		p.Field.typed(r.PostForm, "Not sent: "+err.Error())
		in.render(w, http.StatusUnprocessableEntity, "link", p)
		return
	}
	answer := answerOf(r, c.WorkflowID, q, value, c.For, "link")
	answer.AnswerID = state.id
	receipt, err := in.give(r.Context(), c.WorkflowID, answer)
	in.forget()
	switch {
	case err == nil && receipt.Verdict == questions.VerdictConflict:
		in.renderLost(w, r, p, q, value)
	case err == nil && isAnother(receipt, textOf(value)): // sent at the same time
		in.renderUsed(w, p, receipt, labelOf(q, value))
	case err == nil:
		in.redirectTo(w, r, p.Action)
	default:
		in.renderUnsent(w, r, p, q, receipt, err)
	}
}

// renderLost shows who was faster, and keeps what was typed.
func (in *Inbox) renderLost(w http.ResponseWriter, r *http.Request, p linkPage, q questions.Question, value json.RawMessage) {
	ctx, cancel := in.patient(r)
	defer cancel()
	ledger, err := in.runs.Answers(ctx, p.Run.ID)
	if err == nil {
		p.First = counted(ledger, q.SlotID)
	}
	p.Heading, p.Yours = "Somebody was faster", labelOf(q, value)
	in.render(w, http.StatusConflict, "link", p)
}

// isAnother reports whether a link gave another answer than what is typed now. Lists and uploads are taken for the same.
func isAnother(given questions.Receipt, typed string) bool {
	was, typed := textOf(given.Value), strings.TrimSpace(typed)
	return typed != "" && was != typed && !sameJSON(given.Value, json.RawMessage(typed)) && !strings.HasPrefix(was, "[") && !strings.HasPrefix(was, "file://")
}

// renderUsed tells that a link gave another answer, which counts, and keeps what was written.
func (in *Inbox) renderUsed(w http.ResponseWriter, p linkPage, given questions.Receipt, yours string) {
	p.Heading, p.First, p.Yours = "This link has given another answer", &given, yours
	in.render(w, http.StatusConflict, "link", p)
}

// renderUnsent shows the question again, with what was typed; a refused answer does not use the link up.
func (in *Inbox) renderUnsent(w http.ResponseWriter, r *http.Request, p linkPage, q questions.Question, receipt questions.Receipt, err error) {
	said := outcomeOf("", "", receipt, err)
	if said.Good { // kept, and not judged yet
		p.Said, p.Heading = said, "Your answer is kept"
	} else {
		p.offer(in, q)
		p.Field.typed(r.PostForm, said.Text)
	}
	in.render(w, codeOf(err), "link", p)
}

func (in *Inbox) showLinkPreview(w http.ResponseWriter, r *http.Request) {
	if c, ok := in.claim(w, r); ok {
		in.servePreview(w, r, c.WorkflowID, c.SlotID)
	}
}
