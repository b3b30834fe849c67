// Package apart runs engines that are Go code in child processes, where they can be bounded and stopped as
// outside programs are: in our own process a conversion that needs too much takes everything else with it. A
// child is this very program; it stays for many conversions, one at a time, and is replaced after a fault.
package apart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/program"
)

// Config says how children are started and bounded. Zero values take the defaults named beside them.
type Config struct {
	// Path, Args and Env start the child, which has to call Serve on its standard input and output. Nothing else
	// of our environment reaches it.
	Path string
	Args []string
	Env  []string
	// Dir is for the children's temporary files.
	Dir    string
	Limits program.Limits
	Idle   time.Duration // after which a child without work ends, 2 min
}

const (
	idleDefault = 2 * time.Minute
	// maxReplies bounds what a child says of one conversion, in bytes.
	maxReplies = 16 << 20
)

// Children are the child processes: as many as conversions have run at once lately.
type Children struct {
	cfg    Config
	ending sync.WaitGroup
	mu     sync.Mutex
	idle   []*child // the one that worked last is the last
	closed bool
}

// New starts no child yet.
func New(cfg Config) *Children {
	if cfg.Idle <= 0 {
		cfg.Idle = idleDefault
	}
	if cfg.Limits.Memory <= 0 {
		cfg.Limits.Memory = 2 << 30
	}
	return &Children{cfg: cfg}
}

// child is a process that waits for an order, or works on one.
type child struct {
	process *program.Process
	home    string
	orders  *json.Encoder
	replies *json.Decoder
	left    *io.LimitedReader // below replies
	rest    *time.Timer       // ends it when it has been idle for long
}

// Convert converts by an engine in a child; paths of the request are absolute. What stops the child is the error of this conversion alone.
func (c *Children) Convert(ctx context.Context, engine string, in engines.Request) (engines.Result, error) {
	if err := ctx.Err(); err != nil {
		return engines.Result{}, err
	}
	worker, err := c.take()
	if err != nil {
		return engines.Result{}, err
	}
	end, err := worker.work(ctx, orderOf(engine, in), in.Progress)
	if err != nil {
		worker.discard()
		return engines.Result{}, err
	}
	c.release(worker)
	switch {
	case end.Refusal != nil:
		return engines.Result{}, end.Refusal
	case end.Fault != "":
		return engines.Result{}, errors.New(end.Fault)
	default:
		return *end.Result, nil
	}
}

// Close ends the children. No conversion may run.
func (c *Children) Close() {
	c.mu.Lock()
	idle := c.idle
	c.idle, c.closed = nil, true
	c.mu.Unlock()
	for _, worker := range idle {
		worker.rest.Stop()
		worker.discard()
	}
	c.ending.Wait()
}

// take gives the child that worked last, so that others can rest, or a new one.
func (c *Children) take() (*child, error) {
	for {
		worker := c.pop()
		if worker == nil {
			return c.start()
		}
		worker.rest.Stop()
		select {
		case <-worker.process.Ended():
			worker.discard()
		default:
			return worker, nil
		}
	}
}

func (c *Children) pop() *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) == 0 {
		return nil
	}
	worker := c.idle[len(c.idle)-1]
	c.idle = c.idle[:len(c.idle)-1]
	return worker
}

func (c *Children) release(worker *child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || worker.process.Memory() > c.cfg.Limits.Memory/4 {
		c.ending.Go(worker.discard) // what it still holds would count for the next
		return
	}
	c.idle = append(c.idle, worker)
	worker.rest = time.AfterFunc(c.cfg.Idle, func() { c.retire(worker) })
}

// retire ends a child that nobody has taken meanwhile.
func (c *Children) retire(worker *child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.idle, worker); i >= 0 {
		c.idle = slices.Delete(c.idle, i, i+1)
		c.ending.Go(worker.discard)
	}
}

func (c *Children) start() (*child, error) {
	home, err := os.MkdirTemp(c.cfg.Dir, "child-*")
	if err != nil {
		return nil, fmt.Errorf("make a folder for a converter: %w", err)
	}
	if home, err = filepath.Abs(home); err != nil {
		return nil, fmt.Errorf("find the folder of a converter: %w", err)
	}
	// The collector works harder before the limit is reached.
	soft := "GOMEMLIMIT=" + strconv.FormatInt(c.cfg.Limits.Memory/4*3, 10)
	process, err := program.Start(program.Command{
		Name: c.cfg.Path, Title: "the conversion", Args: c.cfg.Args, Home: home, Env: append([]string{soft}, c.cfg.Env...), Limits: c.cfg.Limits,
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	left := &io.LimitedReader{R: process.Out}
	return &child{process: process, home: home, orders: json.NewEncoder(process.In), replies: json.NewDecoder(left), left: left}, nil
}

// discard kills a child, waits for its end, and clears up after it.
func (w *child) discard() {
	w.process.Kill()
	<-w.process.Ended()
	_ = os.RemoveAll(w.home) // the service's next start clears the rest
}

// work has one order carried out. After an error the child is of no more use.
func (w *child) work(ctx context.Context, next order, progress func(int, string)) (reply, error) {
	var end reply
	var broken error
	done := make(chan struct{})
	go func() {
		defer close(done)
		end, broken = w.talk(next, progress)
	}()
	if err := w.process.Guard(ctx, done, next.OutDir); err != nil {
		<-done
		return reply{}, err
	}
	if broken == nil {
		return end, nil
	}
	w.discard()
	said := w.process.Said()
	if strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") {
		return reply{}, w.process.OutOfMemory()
	}
	return reply{}, fmt.Errorf("%w (%w):\n%s", engines.Errorf(engines.CodeConversionFailed, "the conversion broke down on this file"), broken, said)
}

func (w *child) talk(next order, progress func(int, string)) (reply, error) {
	w.left.N = maxReplies
	if err := w.orders.Encode(next); err != nil {
		return reply{}, fmt.Errorf("hand over an order: %w", err)
	}
	for {
		var now reply
		if err := w.replies.Decode(&now); err != nil {
			return reply{}, fmt.Errorf("read a reply: %w", err)
		}
		if now.last() {
			return now, nil
		}
		progress(now.Percent, now.Message)
	}
}
