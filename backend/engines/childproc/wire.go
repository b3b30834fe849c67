package childproc

import (
	"encoding/json"
	"errors"
	"fmt"
	"syscall"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// request is a line to a child that rests.
type request struct {
	Work string
	In   json.RawMessage
}

// reply is a line from a child at work: that it has its request, progress, a question, or the end.
type reply struct {
	Taken    bool            `json:",omitempty"`
	Percent  int             `json:",omitempty"`
	Message  string          `json:",omitempty"`
	Question json.RawMessage `json:",omitempty"`
	End      *ending         `json:",omitempty"`
}

// ending is what came of a request or of a question: one of the first three fields. Those of a question are lines to
// the child that waits.
type ending struct {
	Out     json.RawMessage `json:",omitempty"`
	Refusal *engines.Error  `json:",omitempty"` // what the user can act on
	Fault   string          `json:",omitempty"` // anything else, for the log
	Errno   int             `json:",omitempty"` // what the system said, of a fault
}

func endingOf(out any, err error) ending {
	if err == nil {
		var line []byte
		if line, err = json.Marshal(out); err == nil {
			return ending{Out: line}
		}
		err = fmt.Errorf("write down what came of it: %w", err)
	}
	if refusal, ok := engines.AsError(err); ok {
		return ending{Refusal: refusal}
	}
	var said syscall.Errno
	errors.As(err, &said)
	return ending{Fault: err.Error(), Errno: int(said)}
}

// into reads the ending into out, or gives its error.
func (e ending) into(out any) error {
	switch {
	case e.Refusal != nil:
		return e.Refusal
	case e.Errno != 0:
		return fault{text: e.Fault, said: syscall.Errno(e.Errno)}
	case e.Fault != "":
		return errors.New(e.Fault)
	}
	if err := json.Unmarshal(e.Out, out); err != nil {
		return fmt.Errorf("read what came of it: %w", err)
	}
	return nil
}

// fault is an error that came across with what the system had said: a full disk is waited for.
type fault struct {
	text string
	said syscall.Errno
}

func (f fault) Error() string { return f.text }

func (f fault) Unwrap() error { return f.said }
