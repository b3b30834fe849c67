package childproc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

const (
	// maxStack is what a runaway recursion may fill before it ends the child.
	maxStack = 64 << 20
	// idleHeap is how many free bytes a child may keep between conversions.
	idleHeap = 64 << 20
)

// Serve is the child: it does what in asks for, one line after another, until in ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer, all ...Work) error {
	debug.SetMaxStack(maxStack)
	byName := map[string]Work{}
	for _, work := range all {
		byName[work.Name] = work
	}
	requests, replies := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var next request
		err := requests.Decode(&next)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		if err := replies.Encode(reply{Taken: true}); err != nil {
			return fmt.Errorf("take a request: %w", err)
		}
		end := endingOf(serve(ctx, byName, next, &Parent{requests: requests, replies: replies}))
		giveBack()
		if err := replies.Encode(reply{End: &end}); err != nil {
			return fmt.Errorf("reply: %w", err)
		}
	}
}

func serve(ctx context.Context, byName map[string]Work, next request, parent *Parent) (out any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			out, err = nil, fmt.Errorf("%s panicked: %v\n%s", next.Work, cause, debug.Stack())
		}
	}()
	work, ok := byName[next.Work]
	if !ok {
		return nil, fmt.Errorf("there is no %s", next.Work)
	}
	return work.Do(ctx, next.In, parent)
}

// giveBack returns what a large conversion has left to the system.
func giveBack() {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	if now.HeapSys-now.HeapReleased > idleHeap {
		debug.FreeOSMemory()
	}
}
