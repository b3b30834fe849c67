package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/answering"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const (
	// questionsEvery is how often goals that are followed are looked at for questions.
	questionsEvery = 500 * time.Millisecond
	// looksAtOnce is how many goals are looked at in that time; more are looked at less often.
	looksAtOnce = 10
)

// errAsked ends the following of a run that has stopped at questions.
var errAsked = errors.New("the run waits for answers")

// stop is a goal that has come to questions that were not told yet.
type stop struct {
	id        string
	questions []questions.Question
}

// stops are those of the runs that are followed.
type stops struct {
	found chan stop
	at    func(stop) error // an error ends the following
}

func (s *stops) next() <-chan stop {
	if s == nil {
		return nil
	}
	return s.found
}

// lookForStops looks at the goals among runs until end is called. What told holds is not told again.
func lookForStops(ctx context.Context, s *Session, runs []*watched, told map[string]bool, at func(stop) error) (found *stops, end func()) {
	found = &stops{found: make(chan stop), at: at}
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() { found.look(ctx, s.desk(), goalsOf(runs), told) })
	return found, func() {
		cancel()
		looking.Wait()
	}
}

func goalsOf(runs []*watched) (ids []string) {
	for _, w := range runs {
		if _, ok := w.work.(goalItem); ok {
			ids = append(ids, w.id())
		}
	}
	return ids
}

func (s *stops) look(ctx context.Context, desk *answering.Desk, ids []string, told map[string]bool) {
	ticker := time.NewTicker(questionsEvery * time.Duration(1+len(ids)/looksAtOnce))
	defer ticker.Stop()
	for {
		for _, id := range ids {
			open, untold := openQuestions(ctx, desk, id, told)
			if !untold {
				continue
			}
			select {
			case s.found <- stop{id: id, questions: open}:
			case <-ctx.Done():
				return
			}
			for _, q := range open {
				told[roundOf(id, q)] = true
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// openQuestions reads the memo first: a run that does not wait costs its worker nothing.
func openQuestions(ctx context.Context, desk *answering.Desk, id string, told map[string]bool) (open []questions.Question, untold bool) {
	description, err := desk.Temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil || len(answering.MemoOf(description.GetWorkflowExecutionInfo().GetMemo()).Questions) == 0 {
		return nil, false // that Temporal is gone is told by whoever awaits the end
	}
	all, err := desk.Questions(ctx, id)
	if err != nil {
		return nil, false
	}
	for _, q := range all {
		if q.Answered {
			continue
		}
		open = append(open, q)
		untold = untold || q.Required && !told[roundOf(id, q)]
	}
	return open, untold
}

func roundOf(id string, q questions.Question) string {
	return fmt.Sprintf("%s %s#%d", id, q.SlotID, q.Round)
}
