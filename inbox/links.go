package inbox

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// linkPage is the one question that a link is for.
type linkPage struct {
	Title  string
	Field  *field
	Action string
	For    string
	Note   string
	Used   *workflows.Receipt // the answer that the link has given
	Gone   string             // why there is nothing to answer any more
}

// claim reads the link of a request. A link is the authority of whoever holds it, for one question alone.
func (in *Inbox) claim(r *http.Request) (link.Claim, error) {
	c, err := link.Verify(in.cfg.Secret, r.PathValue("token"), in.cfg.Clock())
	switch {
	case errors.Is(err, link.ErrExpired):
		return c, &httpFault{status: http.StatusGone, code: "LINK_EXPIRED", message: "This link has expired. The question may still be open in the inbox."}
	case err != nil:
		return c, &httpFault{status: http.StatusForbidden, code: "LINK_FORGED", message: "This link is not one of ours, or it was damaged on its way."}
	}
	return c, nil
}

// linkAnswerID is the id of the one answer that a link can give: the ledger gives its first verdict for ever.
func linkAnswerID(c link.Claim) string { return "link-" + c.Key }

// showLink shows the question of a link. It changes nothing: mail scanners follow links, too.
func (in *Inbox) showLink(w http.ResponseWriter, r *http.Request) error {
	c, err := in.claim(r)
	if err != nil {
		return err
	}
	page, err := in.linkPage(r, c)
	if err != nil {
		return err
	}
	in.render(w, http.StatusOK, "link", page)
	return nil
}

func (in *Inbox) linkPage(r *http.Request, c link.Claim) (*linkPage, error) {
	action := "/answer/" + url.PathEscape(r.PathValue("token"))
	page := &linkPage{Title: "A question", Action: action, For: c.For}
	receipts, err := in.board.Answers(r.Context(), c.WorkflowID)
	if err != nil {
		return nil, err
	}
	for i := range receipts {
		if receipts[i].AnswerID == linkAnswerID(c) {
			page.Used = &receipts[i]
			return page, nil
		}
	}
	questions, err := in.board.Questions(r.Context(), c.WorkflowID)
	if err != nil {
		return nil, err
	}
	for _, q := range questions {
		if q.SlotID == c.SlotID && q.Round == c.Round && !q.Answered {
			f := in.fieldOf(c.WorkflowID, q)
			f.Base = action + "/previews"
			page.Title, page.Field = q.Text, &f
			return page, nil
		}
	}
	page.Gone = "This question has been answered already, or is no longer asked."
	return page, nil
}

func (in *Inbox) answerByLink(w http.ResponseWriter, r *http.Request) error {
	c, err := in.claim(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	page, err := in.linkPage(r, c)
	if err != nil {
		return err
	}
	if page.Field == nil {
		in.render(w, http.StatusOK, "link", page)
		return nil
	}
	value, err := in.read(r, page.Field)
	if err == nil && value == nil {
		err = errors.New("nothing was answered yet")
	}
	if err != nil {
		page.Field.Fault = sentence(err.Error())
		in.render(w, http.StatusUnprocessableEntity, "link", page)
		return nil
	}
	answer := answerOf(r, "link", c.For)
	answer.AnswerID, answer.SlotID, answer.Value = linkAnswerID(c), c.SlotID, value
	receipt, err := in.board.Answer(r.Context(), c.WorkflowID, answer)
	var refused *answering.RefusedError
	switch {
	case errors.As(err, &refused):
		page.Field.Fault = sentence(refused.Receipt.Reason)
		in.render(w, http.StatusUnprocessableEntity, "link", page)
		return nil
	case err != nil && !errors.Is(err, answering.ErrNoVerdict):
		return err
	}
	page.Used = &receipt
	in.render(w, http.StatusOK, "link", page)
	return nil
}

func (in *Inbox) previewByLink(w http.ResponseWriter, r *http.Request) error {
	c, err := in.claim(r)
	if err != nil {
		return err
	}
	return in.servePreview(w, r, c.WorkflowID, c.SlotID)
}
