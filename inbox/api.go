package inbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// apiWaiting is a question in the list of what waits.
type apiWaiting struct {
	WorkflowID string   `json:"workflow_id"`
	Goal       string   `json:"goal"`
	Name       string   `json:"name,omitempty"`
	Labels     []string `json:"labels,omitempty"`
	questions.MemoQuestion
}

// apiKept is the reply to an answer that no worker has judged: verdict is null.
type apiKept struct {
	AnswerID string  `json:"answer_id"`
	SlotID   string  `json:"slot_id"`
	Kept     bool    `json:"kept"`
	Verdict  *string `json:"verdict"`
}

const (
	apiLimit    = 100
	apiLimitMax = 1000
	maxAnswerID = 200 // bytes
)

func (in *Inbox) apiFail(w http.ResponseWriter, r *http.Request, err error) {
	switch code := codeOf(err); code {
	case http.StatusNotFound:
		writeFault(w, code, "NO_SUCH_RUN", runs.ErrNoSuchRun.Error())
	case http.StatusGone:
		writeFault(w, code, "RUN_ENDED", runs.ErrEnded.Error())
	case http.StatusServiceUnavailable:
		writeFault(w, code, "NO_WORKER", "no worker answered for the run in time; ask again")
	default:
		in.cfg.Logger.Warn("an API request failed", zap.String("path", r.Pattern), zap.Error(err))
		writeFault(w, code, "TEMPORAL_UNREACHABLE", "Temporal could not be asked; try again")
	}
}

func (in *Inbox) apiQuestions(w http.ResponseWriter, r *http.Request) {
	limit := apiLimit
	if text := r.URL.Query().Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > apiLimitMax {
			writeFault(w, http.StatusBadRequest, "BAD_LIMIT", "limit is a number from 1 to 1000")
			return
		}
	}
	s, err := in.look(r.Context())
	if err != nil {
		in.apiFail(w, r, err)
		return
	}
	query := r.URL.Query()
	f := filter{Text: query.Get("q"), Goal: query.Get("goal"), Mine: query.Get("for"), Label: query.Get("label")}
	writeJSON(w, http.StatusOK, map[string]any{"questions": waitingRuns(s.waiting, f, limit)})
}

func (in *Inbox) apiRunQuestions(w http.ResponseWriter, r *http.Request) {
	open, err := in.questions(r, r.PathValue("id"))
	if err != nil {
		in.apiFail(w, r, err)
		return
	}
	if open == nil {
		open = []questions.Question{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"questions": open})
}

func (in *Inbox) apiRunAnswers(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := in.patient(r)
	defer cancel()
	receipts, err := in.runs.Answers(ctx, r.PathValue("id"))
	if err != nil {
		in.apiFail(w, r, err)
		return
	}
	if receipts == nil {
		receipts = []questions.Receipt{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"answers": receipts})
}

// apiBody is an answer as programs send it. The channel is ours to say.
type apiBody struct {
	SlotID     string          `json:"slot_id"`
	Value      json.RawMessage `json:"value"`
	AnswerID   string          `json:"answer_id"`
	AnsweredBy string          `json:"answered_by"`
	Note       string          `json:"note"`
	Early      bool            `json:"early"` // keep it where its question is not asked yet
}

func (in *Inbox) apiAnswer(w http.ResponseWriter, r *http.Request) {
	var body apiBody
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	var tooLarge *http.MaxBytesError
	switch err := decoder.Decode(&body); {
	case errors.As(err, &tooLarge):
		writeFault(w, http.StatusRequestEntityTooLarge, "TOO_LARGE", "an answer is at most 1 MiB of JSON")
		return
	case err != nil || !atEnd(decoder):
		writeFault(w, http.StatusBadRequest, "BAD_REQUEST", `the body is one JSON object with "slot_id" and "value", and maybe "answer_id", "answered_by", "note" and "early"`)
		return
	case body.SlotID == "" || len(body.Value) == 0:
		writeFault(w, http.StatusBadRequest, "BAD_REQUEST", "slot_id and value are needed")
		return
	case len(body.AnswerID) > maxAnswerID:
		writeFault(w, http.StatusBadRequest, "BAD_REQUEST", "answer_id is at most 200 bytes")
		return
	}
	if err := refuseLocal(body.Value); err != nil {
		writeFault(w, http.StatusUnprocessableEntity, "LOCAL_FILE", err.Error())
		return
	}
	id := r.PathValue("id")
	receipt, err := in.runs.Answer(r.Context(), id, questions.Answer{
		SlotID: body.SlotID, Value: body.Value, AnswerID: body.AnswerID, AnsweredBy: personName(body.AnsweredBy), Channel: "http", Note: cut(body.Note, maxNote), Asked: !body.Early,
	})
	in.forget()
	in.apiVerdict(w, r, id, receipt, err)
}

// atEnd reports whether nothing follows; More takes a stray bracket for the end.
func atEnd(decoder *json.Decoder) bool {
	_, err := decoder.Token()
	return errors.Is(err, io.EOF)
}

func (in *Inbox) apiVerdict(w http.ResponseWriter, r *http.Request, id string, receipt questions.Receipt, err error) {
	var refused *runs.RefusedError
	switch {
	case errors.Is(err, runs.ErrNoVerdict):
		writeJSON(w, http.StatusAccepted, apiKept{AnswerID: receipt.AnswerID, SlotID: receipt.SlotID, Kept: true})
	case errors.As(err, &refused):
		receipt = refused.Receipt
		fault := apiFault{Code: "ANSWER_REFUSED", Message: receipt.Reason, Receipt: &receipt, Options: in.optionsOf(r, id, receipt.SlotID)}
		if receipt.Verdict == questions.VerdictConflict {
			fault.Code = "ANSWER_CONFLICT"
		}
		writeJSON(w, codeOf(err), fault)
	case err != nil:
		in.apiFail(w, r, err)
	case receipt.Verdict == questions.VerdictConflict:
		writeJSON(w, http.StatusConflict, apiFault{Code: "ANSWER_CONFLICT", Message: nameOf(receipt.Reason, "another answer counted first"), Receipt: &receipt})
	case receipt.Verdict == questions.VerdictInvalid:
		writeJSON(w, http.StatusUnprocessableEntity, apiFault{
			Code: "ANSWER_REFUSED", Message: nameOf(receipt.Reason, "not an answer to this question"), Receipt: &receipt, Options: in.optionsOf(r, id, receipt.SlotID),
		})
	default:
		writeJSON(w, http.StatusOK, receipt)
	}
}

func (in *Inbox) optionsOf(r *http.Request, id, slotID string) []activities.Option {
	questions, err := in.questions(r, id)
	if err != nil {
		return nil
	}
	for _, q := range questions {
		if q.SlotID == slotID {
			return q.Options
		}
	}
	return nil
}

// waitingRuns narrows what waits for the API.
func waitingRuns(waiting []runs.Run, f filter, limit int) []apiWaiting {
	out := []apiWaiting{}
	for _, r := range waiting {
		for _, q := range r.Memo.Questions {
			if f.takes(r, q) && len(out) < limit {
				out = append(out, apiWaiting{WorkflowID: r.ID, Goal: r.Memo.Goal, Name: r.Memo.Name, Labels: r.Labels, MemoQuestion: q})
			}
		}
	}
	return out
}
