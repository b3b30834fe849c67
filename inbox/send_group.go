package inbox

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/uploads"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const (
	groupLimit = 500 // runs that are answered at once
	groupWide  = 8   // at the same time
)

func (in *Inbox) postGroup(w http.ResponseWriter, r *http.Request) {
	if !in.parseForm(w, r) {
		return
	}
	defer dropForm(r)
	key, picked := r.PathValue("key"), r.PostForm["run"]
	runs := make([]string, len(picked))
	for i, one := range picked {
		runs[i], _, _ = strings.Cut(one, pickedBy)
	}
	if len(runs) == 0 {
		in.redirect(w, r, groupPath(key), []outcome{{Text: "No run was picked. Nothing was sent."}})
		return
	}
	if len(runs) > groupLimit {
		in.renderMessage(w, r, http.StatusBadRequest, "Too many runs", fmt.Sprintf("At most %d runs can be answered at once. Nothing was sent.", groupLimit))
		return
	}
	sample, _, err := in.sample(r, key, runs)
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
	if err := uploads.Note(in.cfg.Files, value, runs...); err != nil { // all of them, before the first may refuse
		in.cfg.Logger.Warn("an upload will not be removed when its runs have ended", zap.Error(err))
	}
	by := in.answerer(w, r)
	outcomes := make([]outcome, len(runs))
	in.each(runs, func(i int, id string) {
		asked := sample
		if _, slot, some := strings.Cut(picked[i], pickedBy); some {
			asked.SlotID = slot
		}
		answer := answerOf(r, id, asked, value, by, "inbox")
		receipt, err := in.answerKey(r, id, key, answer)
		outcomes[i] = outcomeOf("", id, receipt, err)
		if asked.Loss != nil {
			outcomes[i].Slot = asked.SlotID
		}
		if errors.Is(err, errGone) {
			uploads.Refused(in.cfg.Files, value, id)
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
			return in.give(r.Context(), id, answer)
		}
	}
	return questions.Receipt{}, errGone
}

// sample is the question of a group, whole, and the first run that still asks it.
func (in *Inbox) sample(r *http.Request, key string, asking []string) (q questions.Question, runID string, err error) {
	var ids []string // a run may ask it several times
	for _, id := range asking {
		if len(ids) < 5 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}

	fault := errSilent
	for _, id := range ids {
		open, err := in.questions(r, id)
		if err != nil {
			continue
		}
		fault = errGone
		for _, q := range open {
			if q.Key == key && !q.Answered {
				return q, id, nil
			}
		}
	}
	return questions.Question{}, "", fault
}
