package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

const (
	// questionsEvery is how often runs that are followed are looked at for questions.
	questionsEvery = 500 * time.Millisecond
	// looksAtOnce is how many runs are looked at in that time; more are looked at less often.
	looksAtOnce = 10
)

// errAsked ends the following of a run that waits for answers.
var errAsked = errors.New("the run waits for answers")

// pending is a run that waits for answers, with its open questions.
type pending struct {
	id    string
	open  []questions.Question
	fresh []questions.Question // those of them that were not reported before
}

// pendingQuestions are those of the runs that are followed.
type pendingQuestions struct {
	found chan pending
	at    func(pending) error // an error ends the following
}

func (p *pendingQuestions) next() <-chan pending {
	if p == nil {
		return nil
	}
	return p.found
}

// lookForQuestions looks at runs that may ask until end is called. What reported holds is not reported again.
func lookForQuestions(ctx context.Context, s *Session, all []*watched, reported map[string]bool, at func(pending) error) (found *pendingQuestions, end func()) {
	found = &pendingQuestions{found: make(chan pending), at: at}
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() { found.look(ctx, s.runs(), askers(all), reported) })
	return found, func() {
		cancel()
		looking.Wait()
	}
}

// askers are the runs that may ask.
func askers(all []*watched) (ids []string) {
	for _, w := range all {
		if w.kind().Asks {
			ids = append(ids, w.id())
		}
	}
	return ids
}

func (p *pendingQuestions) look(ctx context.Context, c *runs.Client, ids []string, reported map[string]bool) {
	ticker := time.NewTicker(questionsEvery * time.Duration(1+len(ids)/looksAtOnce))
	defer ticker.Stop()
	for {
		for _, id := range ids {
			now, found := openQuestions(ctx, c, id, reported)
			if !found {
				continue
			}
			select {
			case p.found <- now:
			case <-ctx.Done():
				return
			}
			for _, q := range now.fresh {
				reported[roundOf(id, q)] = true
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// openQuestions reads the memo first: a run that does not wait costs its worker nothing. It reports whether a required question
// was not reported before.
func openQuestions(ctx context.Context, c *runs.Client, id string, reported map[string]bool) (now pending, found bool) {
	now.id = id
	d, err := c.Describe(ctx, id)
	if err != nil || len(d.Memo.Questions) == 0 {
		return now, false // that Temporal is gone is noticed by whoever awaits the end
	}
	all, err := c.Questions(ctx, id)
	if err != nil {
		return now, false
	}
	for _, q := range all {
		if q.Answered {
			continue
		}
		now.open = append(now.open, q)
		if !reported[roundOf(id, q)] {
			now.fresh = append(now.fresh, q)
			found = found || q.Required
		}
	}
	return now, found
}

func roundOf(id string, q questions.Question) string {
	return fmt.Sprintf("%s %s#%d@%d", id, q.SlotID, q.Round, q.AskedAt.UnixNano())
}
