package childproc

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// Work is something that a child can do. What in is, and what Do gives, becomes and comes from JSON.
type Work struct {
	Name string
	Do   func(ctx context.Context, in json.RawMessage, parent *Parent) (out any, err error)
}

// Parent is who gave a child its work. It may be spoken to by several goroutines.
type Parent struct {
	mu       sync.Mutex
	requests *json.Decoder
	replies  *json.Encoder
	percent  int
	message  string
}

// Progress tells how far the work is, 0-100, where that is new.
func (p *Parent) Progress(percent int, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if percent == p.percent && message == p.message {
		return
	}
	p.percent, p.message = percent, message
	_ = p.replies.Encode(reply{Percent: percent, Message: message}) //nolint:errchkjson // who no longer listens ends this process, too
}

// Ask has Job.Answer of the parent answer a question, and waits for it. The error is what the parent's was: an
// *engines.Error, one of the system, or its text.
func (p *Parent) Ask(question, answer any) error {
	line, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.replies.Encode(reply{Question: line}); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	var end ending
	if err := p.requests.Decode(&end); err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	return end.into(answer)
}

// Engines are the conversions of these engines, under their names.
func Engines(all ...engines.Engine) []Work {
	out := make([]Work, len(all))
	for i, engine := range all {
		out[i] = Work{Name: engineWork(engine.Name), Do: func(ctx context.Context, in json.RawMessage, parent *Parent) (any, error) {
			request := engines.Request{Progress: parent.Progress}
			if err := json.Unmarshal(in, &request); err != nil {
				return nil, fmt.Errorf("read a request: %w", err)
			}
			return engine.Convert(ctx, request)
		}}
	}
	return out
}

func engineWork(name string) string { return "engine " + name }
