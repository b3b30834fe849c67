package inbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// apiBodyLimit bounds an answer by the API; files are uploaded to the service, or by the page.
const apiBodyLimit = 64 << 10

// system answers a program, in JSON throughout.
func (in *Inbox) system(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, apiBodyLimit)
		err := error(nil)
		if !in.bearer(r) {
			err = &httpFault{status: http.StatusUnauthorized, code: "UNAUTHORIZED", message: "Send Authorization: Bearer and the inbox's token."}
		} else {
			err = h(w, r)
		}
		if err == nil {
			return
		}
		f := in.told(r, err)
		code := f.code
		if code == "" {
			code = "HTTP_" + strconv.Itoa(f.status)
		}
		body := map[string]any{"code": code, "message": f.message}
		if f.details != nil {
			body["receipt"] = f.details
		}
		writeJSON(w, f.status, body)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked has left
}

// apiQuestion is a question in the list of all runs.
type apiQuestion struct {
	WorkflowID string     `json:"workflow_id"`
	Name       string     `json:"name,omitempty"`
	Goal       string     `json:"goal"`
	SlotID     string     `json:"slot_id"`
	Type       string     `json:"type"`
	Text       string     `json:"text"` // cut to 200 bytes; the run's own list has all of it
	Key        string     `json:"key"`
	AskedAt    time.Time  `json:"asked_at"`
	Deadline   *time.Time `json:"deadline,omitempty"`
	For        string     `json:"for,omitempty"`
}

// apiQuestions lists what waits in all runs, the longest waiting first: GET /api/questions.
func (in *Inbox) apiQuestions(w http.ResponseWriter, r *http.Request) error {
	limit := 100
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > waitingLimit {
			return &httpFault{status: http.StatusBadRequest, code: "BAD_LIMIT", message: "limit is a number from 1 to " + strconv.Itoa(waitingLimit) + "."}
		}
		limit = n
	}
	runs, err := in.board.Waiting(r.Context(), waitingLimit)
	if err != nil {
		return err
	}
	f := filterOf(r)
	out := []apiQuestion{}
	for _, run := range runs {
		for _, q := range run.Memo.Questions {
			if !f.takes(group{SlotID: q.SlotID, Text: q.Text, Goal: run.Memo.Goal, For: q.For, Runs: []groupRun{{run.WorkflowID, run.Memo.Name, q.AskedAt}}}) {
				continue
			}
			out = append(out, apiQuestion{run.WorkflowID, run.Memo.Name, run.Memo.Goal, q.SlotID, q.Type, q.Text, q.Key, q.AskedAt, q.Deadline, q.For})
		}
	}
	total := len(out)
	writeJSON(w, http.StatusOK, map[string]any{"questions": out[:min(total, limit)], "total": total})
	return nil
}

// apiRunQuestions lists what one run asks, with options and all: GET /api/runs/{id}/questions.
func (in *Inbox) apiRunQuestions(w http.ResponseWriter, r *http.Request) error {
	questions, err := in.board.Questions(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"questions": append([]workflows.Question{}, questions...)})
	return nil
}

// apiRunAnswers is the ledger of one run: GET /api/runs/{id}/answers.
func (in *Inbox) apiRunAnswers(w http.ResponseWriter, r *http.Request) error {
	receipts, err := in.board.Answers(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"answers": append([]workflows.Receipt{}, receipts...)})
	return nil
}

// apiAnswer gives an answer: POST /api/runs/{id}/answers. Under the same answer_id it may be repeated.
func (in *Inbox) apiAnswer(w http.ResponseWriter, r *http.Request) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var answer workflows.Answer
	if err := json.Unmarshal(data, &answer); err != nil {
		return &httpFault{status: http.StatusBadRequest, code: "BAD_REQUEST", message: `The body is an object: {"slot_id", "value", "answer_id", "answered_by", "note"}.`}
	}
	if err := checkValue(answer.Value); err != nil {
		return &httpFault{status: http.StatusUnprocessableEntity, code: "FILE_URL", message: sentence(err.Error())}
	}
	if len(answer.AnswerID) > idLimit {
		return &httpFault{status: http.StatusBadRequest, code: "BAD_REQUEST", message: "answer_id has 200 characters at most."}
	}
	answer.Channel, answer.AnsweredBy = "http", personName(answer.AnsweredBy)
	answer.Note = answer.Note[:min(len(answer.Note), noteLimit)]
	receipt, err := in.board.Answer(r.Context(), r.PathValue("id"), answer)
	var refused *answering.RefusedError
	switch {
	case errors.Is(err, answering.ErrNoVerdict):
		writeJSON(w, http.StatusAccepted, map[string]any{"answer_id": receipt.AnswerID, "slot_id": receipt.SlotID, "verdict": nil, "message": "Kept; no worker has judged it yet. GET the run's answers for what became of it."})
		return nil
	case errors.As(err, &refused):
		return &httpFault{status: http.StatusUnprocessableEntity, code: "ANSWER_REFUSED", message: sentence(refused.Receipt.Reason), details: refused.Receipt}
	case err != nil:
		return err
	case receipt.Verdict == workflows.VerdictConflict:
		return &httpFault{status: http.StatusConflict, code: "ANSWERED_ALREADY", message: sentence(receipt.Reason), details: receipt}
	case receipt.Verdict == workflows.VerdictInvalid, receipt.Verdict == workflows.VerdictLate:
		return &httpFault{status: http.StatusUnprocessableEntity, code: "ANSWER_REFUSED", message: sentence(receipt.Reason), details: receipt}
	}
	writeJSON(w, http.StatusOK, receipt)
	return nil
}

const idLimit = 200 // bytes of an answer's id
