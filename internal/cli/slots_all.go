package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// waitingRuns bounds how many runs that wait are looked through.
const waitingRuns = 10000

// alike are the runs that ask the same question.
type alike struct {
	key    string
	text   string
	asking []asking
}

// asking is a question of a run.
type asking struct{ run, slot string }

// count is how many ask, for people.
func (g alike) count() string {
	runs := map[string]bool{}
	for _, a := range g.asking {
		runs[a.run] = true
	}
	if len(runs) == len(g.asking) {
		return term.Plural(len(runs), "run", "runs")
	}
	return fmt.Sprintf("%s of %s", term.Plural(len(g.asking), "question", "questions"), term.Plural(len(runs), "run", "runs"))
}

// answerAllRuns answers every run that asks the same question under a slot.
func (e *Env) answerAllRuns(ctx context.Context, s *Session, r answerRequest, pair string) error {
	slot, text, _ := strings.Cut(pair, "=")
	r.filter.slot = slot
	waiting, err := s.runs().Waiting(ctx, waitingRuns)
	if err != nil {
		return err
	}
	if waiting, err = complete(ctx, s.runs(), waiting); err != nil {
		return err
	}
	group, err := oneQuestion(groupAlike(waiting, r.filter), slot)
	if err != nil {
		return err
	}
	value, err := valueForAll(ctx, s.runs(), group, slot, text)
	if err != nil {
		return err
	}
	if err := e.confirmAll(ctx, r, group, value); err != nil {
		return err
	}
	return e.giveAll(ctx, s, r, group, r.answer(slot, value))
}

// complete asks the runs whose memo does not hold all their questions.
func complete(ctx context.Context, c *runs.Client, waiting []runs.Run) ([]runs.Run, error) {
	for i, run := range waiting {
		if run.Memo.More == 0 {
			continue
		}
		open, err := c.Questions(ctx, run.ID)
		if errors.Is(err, runs.ErrNoSuchRun) {
			continue
		}
		if err != nil {
			return nil, err
		}
		waiting[i].Memo.Questions = nil
		for _, q := range open {
			if !q.Answered {
				waiting[i].Memo.Questions = append(waiting[i].Memo.Questions, questions.MemoQuestion{
					SlotID: q.SlotID, Type: q.Type, Text: q.Text, Key: q.Key, AskedAt: q.AskedAt, Deadline: q.Deadline, For: q.For,
				})
			}
		}
	}
	return waiting, nil
}

// groupAlike groups what a filter picks by the question, the largest group first.
func groupAlike(waiting []runs.Run, f questionFilter) []alike {
	var groups []alike
	for _, run := range waiting {
		for _, q := range run.Memo.Questions {
			if !f.picks(run.Memo, q) {
				continue
			}
			at := slices.IndexFunc(groups, func(g alike) bool { return g.key == q.Key })
			if at < 0 {
				at = len(groups)
				groups = append(groups, alike{key: q.Key, text: q.Text})
			}
			groups[at].asking = append(groups[at].asking, asking{run.ID, q.SlotID})
		}
	}
	slices.SortStableFunc(groups, func(a, b alike) int { return len(b.asking) - len(a.asking) })
	return groups
}

func oneQuestion(groups []alike, slot string) (alike, error) {
	switch len(groups) {
	case 0:
		return alike{}, Usagef("no run waits for %s with these filters; see 'slots list'", slot)
	case 1:
		return groups[0], nil
	}
	var lines []string
	for i, g := range groups {
		if i == 10 {
			lines = append(lines, fmt.Sprintf("  ... and %d more", len(groups)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("  --key %s  %s  %s", g.key, g.count(), term.Cell(g.text, 80)))
	}
	return alike{}, Usagef("runs ask different questions under %s; choose one:\n%s", slot, strings.Join(lines, "\n"))
}

// valueForAll reads the value as the first run of the group that still asks would take it.
func valueForAll(ctx context.Context, c *runs.Client, group alike, slot, text string) (json.RawMessage, error) {
	for _, one := range group.asking {
		open, err := c.Questions(ctx, one.run)
		if errors.Is(err, runs.ErrNoSuchRun) {
			continue
		}
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(open, func(q questions.Question) bool { return q.Key == group.key })
		if at < 0 {
			continue
		}
		value, err := parseValue(open[at].Slot, text)
		if err != nil {
			return nil, Usagef("%s: %w", slot, err)
		}
		return value, nil
	}
	return nil, Usagef("no run asks for %s any more", slot)
}

func (e *Env) confirmAll(ctx context.Context, r answerRequest, group alike, value json.RawMessage) error {
	if r.yes {
		return nil
	}
	count := group.count()
	if !e.mayAsk() {
		return Usagef("%s would be answered, and stdin is not a terminal to confirm that; add --yes", count)
	}
	e.printf("%s", term.Cell(group.text, 200))
	e.prompt("answer %s with %s? [y/N] ", count, term.Cell(string(value), 80))
	line, err := e.readLine(ctx)
	if yes, no := slot.YesOrNo(line); err == nil && no == nil && yes {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return Usagef("nothing was answered")
}

// giveAll answers run by run, several at once, and tells the verdicts in order.
func (e *Env) giveAll(ctx context.Context, s *Session, r answerRequest, group alike, answer questions.Answer) error {
	type verdict struct {
		receipt questions.Receipt
		err     error
	}
	verdicts := make([]verdict, len(group.asking))
	var work errgroup.Group
	work.SetLimit(startsAtOnce)
	asks := map[string]int{} // questions by run
	for _, one := range group.asking {
		asks[one.run]++
	}
	for i, one := range group.asking {
		work.Go(func() error {
			own := answer
			own.SlotID = one.slot
			if own.AnswerID != "" && asks[one.run] > 1 { // an id is one answer's within its run
				own.AnswerID += "-" + one.slot
			}
			verdicts[i].receipt, verdicts[i].err = s.runs().Answer(ctx, one.run, own)
			return nil // one run's trouble is none of the others'
		})
	}
	_ = work.Wait()
	var faults []error
	counted := 0
	for i, one := range group.asking {
		err := e.printVerdict(one.run, verdicts[i].receipt, verdicts[i].err, r.asJSON)
		if err == nil {
			counted++
			continue
		}
		faults = append(faults, err)
	}
	if !r.asJSON {
		e.printf("%d of %s answered", counted, group.count())
	}
	return worst(faults)
}
