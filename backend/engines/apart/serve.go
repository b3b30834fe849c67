package apart

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

const (
	// maxStack is what a runaway recursion may fill before it ends the child.
	maxStack = 64 << 20
	// idleHeap is how many free bytes a child may keep between conversions.
	idleHeap = 64 << 20
)

// Serve is the child: it converts by the given engines what in asks for, one line after another, until in ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer, all ...engines.Engine) error {
	debug.SetMaxStack(maxStack)
	byName := map[string]engines.Engine{}
	for _, engine := range all {
		byName[engine.Name] = engine
	}
	orders, replies := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var next order
		err := orders.Decode(&next)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		last := serve(ctx, byName, next, replies)
		giveBack()
		if err := replies.Encode(last); err != nil {
			return fmt.Errorf("reply: %w", err)
		}
	}
}

func serve(ctx context.Context, byName map[string]engines.Engine, next order, replies *json.Encoder) (last reply) {
	defer func() {
		if cause := recover(); cause != nil {
			last = reply{Fault: fmt.Sprintf("engine %s panicked: %v\n%s", next.Engine, cause, debug.Stack())}
		}
	}()
	engine, ok := byName[next.Engine]
	if !ok {
		return reply{Fault: "there is no engine " + next.Engine}
	}
	var told reply
	progress := func(percent int, message string) {
		if now := (reply{Percent: percent, Message: message}); now.Percent != told.Percent || now.Message != told.Message {
			told = now
			_ = replies.Encode(now) //nolint:errchkjson // who no longer listens ends this process, too
		}
	}
	result, err := engine.Convert(ctx, next.request(progress))
	if err == nil {
		return reply{Result: &result}
	}
	if refusal, ok := engines.AsError(err); ok {
		return reply{Refusal: refusal}
	}
	return reply{Fault: err.Error()}
}

// giveBack returns what a large conversion has left to the system.
func giveBack() {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	if now.HeapSys-now.HeapReleased > idleHeap {
		debug.FreeOSMemory()
	}
}
