package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// errNoAnswer is the end of what somebody types.
var errNoAnswer = errors.New("no answer was given")

// mayAsk reports whether somebody is there to be asked.
func (e *Env) mayAsk() bool { return e.Stdin != nil && e.Terminal.Ask }

// readLine waits for a line, or for ctx: a read cannot be called back, so it goes on in its own goroutine, which
// keeps what comes later for the next question.
func (e *Env) readLine(ctx context.Context) (string, error) {
	if e.typed == nil {
		e.typed = make(chan typed)
		go func(in *bufio.Reader, out chan<- typed) {
			for {
				text, err := in.ReadString('\n')
				if errors.Is(err, io.EOF) {
					err = errNoAnswer
				}
				out <- typed{text: strings.TrimRight(text, "\r\n"), err: err}
				if err != nil {
					close(out)
					return
				}
			}
		}(bufio.NewReader(e.Stdin), e.typed)
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case line, more := <-e.typed:
		switch {
		case !more, errors.Is(line.err, errNoAnswer) && line.text == "":
			return "", errNoAnswer
		case errors.Is(line.err, errNoAnswer):
			return line.text, nil // the last line, without its end
		}
		return line.text, line.err
	}
}

// askAll asks and answers question by question, while a goal is followed.
func (e *Env) askAll(ctx context.Context, s *Session, id string, questions []questions.Question) error {
	return e.ask(ctx, s, answerRequest{by: e.userName()}, id, questions)
}

func (e *Env) answerByAsking(ctx context.Context, s *Session, r answerRequest, id string, asked []questions.Question) error {
	var open []questions.Question
	for _, q := range asked {
		if !q.Answered {
			open = append(open, q)
		}
	}
	if len(open) == 0 {
		e.printf("%s asks nothing at the moment", id)
		return nil
	}
	err := e.ask(ctx, s, r, id, open)
	if errors.Is(err, errNoAnswer) {
		return Usagef("the questions that are left stay open")
	}
	return err
}

func (e *Env) ask(ctx context.Context, s *Session, r answerRequest, id string, questions []questions.Question) error {
	for i, q := range questions {
		e.renderQuestion(q, i+1, len(questions))
		if err := e.askOne(ctx, s, r, id, q); err != nil {
			return err
		}
	}
	return nil
}

// askOne asks until an answer counts or is left out.
func (e *Env) askOne(ctx context.Context, s *Session, r answerRequest, id string, q questions.Question) error {
	for {
		value, skipped, err := e.readValue(ctx, q)
		if err != nil || skipped {
			return err
		}
		receipt, err := s.runs().Answer(ctx, id, r.answer(q.SlotID, value))
		var refused *runs.RefusedError
		if errors.As(err, &refused) && receipt.Verdict == questions.VerdictInvalid {
			e.printf("  %s", receipt.Reason)
			continue
		}
		if err == nil {
			receipt = delivered(ctx, s, id, receipt)
		}
		printed := e.printVerdict(id, receipt, err, r.asJSON)
		var failure *Failure
		if errors.As(printed, &failure) && failure.Err == nil {
			return nil // somebody else was first: it is settled
		}
		return printed
	}
}

// readValue reads a line until it is a value; an empty one takes the suggestion, or skips what is optional.
func (e *Env) readValue(ctx context.Context, q questions.Question) (value []byte, skipped bool, err error) {
	for {
		e.prompt("> ")
		line, err := e.readLine(ctx)
		if err != nil {
			return nil, false, err
		}
		if strings.TrimSpace(line) == "" {
			switch {
			case len(q.Suggested) > 0:
				return q.Suggested, false, nil
			case !q.Required:
				return nil, true, nil
			}
		}
		value, err := parseValue(q.Slot, line)
		if err == nil {
			return value, false, nil
		}
		e.printf("  %v", err)
	}
}

func (e *Env) renderQuestion(q questions.Question, n, of int) {
	optional := ""
	if !q.Required {
		optional = ", optional: Enter skips it"
	}
	e.printf("\n[%d/%d] %s  (%s, %s%s)", n, of, q.Text, q.SlotID, q.Type, optional)
	e.listOptions(q)
	e.renderHints(q)
}

func (e *Env) renderHints(q questions.Question) {
	if q.Refused != nil {
		e.printf("  the answer before was refused: %s", q.Refused.Reason)
	}
	if credits := aboutCredits(q); credits != "" {
		e.printf("  %s", credits)
	}
	e.printLoss(q)
	for _, preview := range q.Previews {
		e.printf("  look at %s before", preview.FileName)
	}
	for _, rule := range []string{q.Typing(), q.Limits()} {
		if rule != "" {
			e.printf("  %s", term.Cell(rule, 200))
		}
	}
	if len(q.Suggested) > 0 {
		sure := ""
		if q.Confidence != nil {
			sure = fmt.Sprintf(", %.0f %% sure", *q.Confidence*100)
		}
		e.printf("  Enter takes %s%s", term.Cell(cmp.Or(q.Numbers(q.Suggested), q.Show(q.Suggested)), 80), sure)
	}
}
