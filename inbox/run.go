package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// runPage is one run: what it asks, where it stands, what was answered.
type runPage struct {
	Title    string
	Run      answering.Listed
	Status   workflows.RunGoalStatus
	Fields   []field
	OnItsWay int // questions whose answer is under way
	Ledger   []workflows.Receipt
	Outcome  *answering.Outcome
	Step     answering.Step
	Action   string
	Ticket   string
	Note     string
	URL      string // of Temporal's page
	Person   string
	CanExit  bool
	Refused  bool
	Silent   string // why the run cannot be asked
}

func (in *Inbox) showRun(w http.ResponseWriter, r *http.Request) error {
	page, err := in.runPage(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	in.render(w, http.StatusOK, "run", page)
	return nil
}

func (in *Inbox) runPage(ctx context.Context, id string) (*runPage, error) {
	run, err := in.board.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	page := &runPage{Title: run.Title, Run: run, Action: "/runs/" + url.PathEscape(id) + "/answers", Ticket: newTicket(), Person: personOf(ctx), CanExit: in.cfg.Token != ""}
	if in.cfg.RunURL != nil {
		page.URL = in.cfg.RunURL(run.WorkflowID, run.RunID)
	}
	if !run.Open() {
		outcome, err := in.board.Outcome(ctx, run)
		if err != nil {
			return nil, err
		}
		page.Outcome = &outcome
	} else if step, err := in.board.Progress(ctx, run); err == nil {
		page.Step = step // a courtesy
	}
	if run.Lane != workflows.LaneGoal {
		return page, nil
	}
	return page, in.ask(ctx, id, page)
}

// asking bounds how long a run may take to answer a query; without a worker none does.
const asking = 5 * time.Second

// ask fills in what only the run itself knows. A run that no worker answers for is shown all the same.
func (in *Inbox) ask(ctx context.Context, id string, page *runPage) error {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	questions, err := in.board.Questions(ctx, id)
	if err != nil {
		page.Silent = "No worker answers for this run at the moment. It goes on when one does."
		return nil //nolint:nilerr // said above
	}
	for _, question := range questions {
		if question.Answered {
			page.OnItsWay++
			continue
		}
		page.Fields = append(page.Fields, in.fieldOf(id, question))
	}
	if page.Ledger, err = in.board.Answers(ctx, id); err != nil {
		return err
	}
	page.Status, err = in.board.Status(ctx, id)
	return err
}

func (in *Inbox) answerRun(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	page, err := in.runPage(r.Context(), id)
	if err != nil {
		return err
	}
	if !page.Run.Open() {
		return answering.ErrEnded
	}
	if page.Silent != "" {
		return fault(http.StatusServiceUnavailable, "%s Nothing was sent; go back and send it again.", page.Silent)
	}
	sent, refused, err := in.send(r, id, page.Fields, answerOf(r, "inbox", personOf(r.Context())))
	switch {
	case err != nil:
		return err
	case refused:
		page.Refused, page.Note = true, r.PostFormValue("note")
		in.render(w, http.StatusUnprocessableEntity, "run", page)
	default:
		http.Redirect(w, r, fmt.Sprintf("/?sent=%d&to=%s", sent, url.QueryEscape(page.Run.Title)), http.StatusSeeOther)
	}
	return nil
}

// answerOf is what all answers of one form share. Its id is a prefix: each slot adds its own.
func answerOf(r *http.Request, channel, person string) workflows.Answer {
	note := r.PostFormValue("note")
	return workflows.Answer{AnswerID: ticketOf(r), AnsweredBy: person, Channel: channel, Note: note[:min(len(note), noteLimit)]}
}

const noteLimit = 1000 // bytes

// send gives the answers of a form to a run. Nothing is sent where something typed is no answer at all; what the
// run refuses is said beside its field.
func (in *Inbox) send(r *http.Request, id string, fields []field, shared workflows.Answer) (sent int, refused bool, err error) {
	answers := make([]json.RawMessage, len(fields))
	for i := range fields {
		value, err := in.read(r, &fields[i])
		if err != nil {
			fields[i].Fault, refused = sentence(err.Error()), true
		}
		answers[i] = value
	}
	if refused {
		return 0, true, nil
	}
	for i, value := range answers {
		if value == nil {
			continue
		}
		answer := shared
		answer.SlotID, answer.Value = fields[i].SlotID, value
		answer.AnswerID = shared.AnswerID + "-" + fields[i].SlotID + "-" + strconv.Itoa(fields[i].Round)
		fault, err := in.give(r.Context(), id, answer)
		if err != nil {
			return sent, refused, err
		}
		if fault != "" {
			fields[i].Fault, refused = fault, true
			continue
		}
		sent++
	}
	if sent == 0 && !refused && len(fields) > 0 {
		fields[0].Fault, refused = "Nothing was answered yet.", true
	}
	return sent, refused, nil
}

// give gives one answer; fault says why it does not count.
func (in *Inbox) give(ctx context.Context, id string, answer workflows.Answer) (fault string, err error) {
	receipt, err := in.board.Answer(ctx, id, answer)
	var refusal *answering.RefusedError
	switch {
	case errors.As(err, &refusal):
		return sentence(refusal.Receipt.Reason), nil
	case errors.Is(err, answering.ErrNoVerdict):
		return "", nil // it is kept, and judged when a worker is there
	case err != nil:
		return "", err
	}
	switch receipt.Verdict {
	case workflows.VerdictAccepted, workflows.VerdictEarly, workflows.VerdictDuplicate:
		return "", nil
	default:
		return sentence(receipt.Reason), nil
	}
}

// groupPage is one question of many runs.
type groupPage struct {
	Title   string
	Group   group
	Field   field
	Action  string
	Ticket  string
	Results []groupResult
	Person  string
	CanExit bool
}

type groupResult struct {
	WorkflowID, Title, Fault string
}

func (in *Inbox) showGroup(w http.ResponseWriter, r *http.Request) error {
	page, err := in.groupPage(r.Context(), r.PathValue("key"))
	if err != nil {
		return err
	}
	in.render(w, http.StatusOK, "group", page)
	return nil
}

func (in *Inbox) groupPage(ctx context.Context, key string) (*groupPage, error) {
	runs, err := in.board.Waiting(ctx, waitingLimit)
	if err != nil {
		return nil, err
	}
	for _, g := range groupsOf(runs, filter{}) {
		if g.Key != key {
			continue
		}
		page := &groupPage{Title: g.Text, Group: g, Action: "/groups/" + key + "/answers", Ticket: newTicket(), Person: personOf(ctx), CanExit: in.cfg.Token != ""}
		return page, in.askAny(ctx, page)
	}
	return nil, fault(http.StatusNotFound, "Nobody asks this any more; it has been answered.")
}

// askAny takes the question's wording from the first run that still asks it.
func (in *Inbox) askAny(ctx context.Context, page *groupPage) error {
	const tries = 5 // a list lags a little behind the runs
	for _, run := range page.Group.Runs[:min(len(page.Group.Runs), tries)] {
		questions, err := in.board.Questions(ctx, run.WorkflowID)
		if err != nil {
			return err
		}
		for _, question := range questions {
			if question.Key == page.Group.Key && !question.Answered {
				page.Field = in.fieldOf(run.WorkflowID, question)
				return nil
			}
		}
	}
	return fault(http.StatusNotFound, "Nobody asks this any more; it has been answered.")
}

func (in *Inbox) answerGroup(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	page, err := in.groupPage(r.Context(), r.PathValue("key"))
	if err != nil {
		return err
	}
	value, err := in.read(r, &page.Field)
	if err == nil && value == nil {
		err = errors.New("nothing was answered yet")
	}
	if err != nil {
		page.Field.Fault = sentence(err.Error())
		in.render(w, http.StatusUnprocessableEntity, "group", page)
		return nil
	}
	sent, err := in.sendAll(r, page, value)
	if err != nil {
		return err
	}
	if len(page.Results) > 0 {
		in.render(w, http.StatusUnprocessableEntity, "group", page)
		return nil
	}
	http.Redirect(w, r, fmt.Sprintf("/?sent=%d&to=%s", sent, url.QueryEscape(fmt.Sprintf("%d runs", sent))), http.StatusSeeOther)
	return nil
}

// sendAll answers every chosen run, and notes those that did not take it.
func (in *Inbox) sendAll(r *http.Request, page *groupPage, value json.RawMessage) (sent int, err error) {
	chosen := map[string]bool{}
	for _, id := range r.PostForm["run"] {
		chosen[id] = true
	}
	if len(chosen) == 0 {
		page.Field.Fault = "No run was chosen."
		page.Results = []groupResult{}
	}
	shared := answerOf(r, "inbox", personOf(r.Context()))
	shared.SlotID, shared.Value = page.Field.SlotID, value
	for _, run := range page.Group.Runs {
		if !chosen[run.WorkflowID] {
			continue
		}
		answer := shared
		answer.AnswerID += "-" + page.Group.Key // the same for every run: answer ids are a run's own
		fault, err := in.give(r.Context(), run.WorkflowID, answer)
		if err != nil {
			fault = in.told(r, err).message
		}
		if fault != "" {
			page.Results = append(page.Results, groupResult{run.WorkflowID, run.Title, fault})
			continue
		}
		sent++
	}
	return sent, nil
}
