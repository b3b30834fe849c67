// Package childproc runs work that is Go code in child processes, where it can be bounded and stopped as outside
// programs are: in our own process a file that needs too much takes everything else with it. A child is this very
// program; it stays for many pieces of work, one at a time, and is replaced after a fault. Conversions by engines are
// work, and others can be (Work, Job).
package childproc

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
	"syscall"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
)

// Config says how children are started and bounded. Zero values take the defaults named beside them.
type Config struct {
	// Path, Args and Env start the child, which has to call Serve on its standard input and output. Nothing else
	// of our environment reaches it.
	Path string
	Args []string
	Env  []string
	// Dir is for the children's temporary files.
	Dir string
	// Reads and Writes are the files and folders that children may read, or also write to, beside Dir: those of all work
	// that they may get, since a child stays for many pieces of it.
	Reads, Writes []string
	Limits        sandbox.Limits
	Idle          time.Duration // after which a child without work ends, 2 min
}

const (
	idleDefault = 2 * time.Minute
	// maxReplies bounds what a child says of one piece of work, in bytes.
	maxReplies = 16 << 20
)

// Children are the child processes: as many as have worked at once lately. Work never waits for a child that is busy,
// so work that waits for other work holds nobody up.
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
	cfg.Limits = cfg.Limits.WithDefaults()
	return &Children{cfg: cfg}
}

// Limits bound each child.
func (c *Children) Limits() sandbox.Limits { return c.cfg.Limits }

// child is a process that waits for an order, or works on one.
type child struct {
	process *sandbox.Process
	home    string
	orders  *json.Encoder
	replies *json.Decoder
	left    *io.LimitedReader // below replies
	rest    *time.Timer       // ends it when it has been idle for long
}

// ErrBroken is in the chain of the error of work that took its child along.
var ErrBroken = errors.New("the child ended")

// errNotTaken is in the chain where the child ended without a word that it has its order: it has not begun.
var errNotTaken = errors.New("the order was not taken")

// Job is a piece of work for a child.
type Job struct {
	Work    string   // its name
	Title   string   // what people call it, for errors
	In      any      // becomes JSON; paths in it are absolute
	Folders []string // it writes to; they count with the child's own
	Disk    int64    // bytes that they may hold; of Config.Limits where it is 0
	// Progress takes what Parent.Progress is told; nil where nobody asks.
	Progress func(percent int, message string)
	// Answer answers what the child asks by Parent.Ask; nil where it asks nothing.
	Answer func(ctx context.Context, question json.RawMessage) (answer any, err error)
}

// Convert converts by an engine in a child; paths of the request are absolute.
func (c *Children) Convert(ctx context.Context, engine string, in engines.Request) (engines.Result, error) {
	var result engines.Result
	err := c.Do(ctx, Job{Work: engineWork(engine), Title: "the conversion", In: in, Folders: []string{in.OutDir}, Progress: in.Progress}, &result)
	return result, err
}

// Do has a child work, and reads what came of it into out. The error of the work comes as it was where it is an
// *engines.Error, with what the system had said, or else as its text. What stops the child is the error of this work
// alone: ctx's, or an *engines.Error with sandbox.ErrLimit or ErrBroken in its chain.
func (c *Children) Do(ctx context.Context, job Job, out any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := json.Marshal(job.In)
	if err != nil {
		return fmt.Errorf("write an order down: %w", err)
	}
	worker, end, err := c.order(ctx, job, order{Work: job.Work, In: in})
	if err != nil {
		return err
	}
	c.release(worker)
	if syscall.Errno(end.Errno) == syscall.EFBIG {
		return worker.process.FileTooLarge(job.watch())
	}
	return end.into(out)
}

// order has a child carry an order out. One that rested may have died, unseen, before it took the order: then nothing
// has begun, and the next gets it.
func (c *Children) order(ctx context.Context, job Job, next order) (*child, ending, error) {
	for {
		worker, err := c.take()
		if err != nil {
			return nil, ending{}, err
		}
		rested := worker.rest != nil
		end, err := worker.work(ctx, job, next)
		if err == nil {
			return worker, end, nil
		}
		worker.discard()
		if !rested || !errors.Is(err, errNotTaken) {
			return nil, ending{}, err
		}
	}
}

func (j Job) watch() sandbox.Watch {
	return sandbox.Watch{Title: j.Title, Folders: j.Folders, Disk: j.Disk}
}

// Close ends the children. None may work.
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
		return nil, fmt.Errorf("make a folder for a child: %w", err)
	}
	if home, err = filepath.Abs(home); err != nil {
		return nil, fmt.Errorf("find the folder of a child: %w", err)
	}
	// The collector works harder before the limit is reached.
	soft := "GOMEMLIMIT=" + strconv.FormatInt(c.cfg.Limits.Memory/4*3, 10)
	process, err := sandbox.Start(sandbox.Command{
		Name: c.cfg.Path, Title: "the child", Args: c.cfg.Args, Home: home, Env: append([]string{soft}, c.cfg.Env...), Limits: c.cfg.Limits,
		Reads: c.cfg.Reads, Writes: c.cfg.Writes,
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
func (w *child) work(ctx context.Context, job Job, next order) (ending, error) {
	answering, stop := context.WithCancel(ctx)
	defer stop()
	var end ending
	var broken error
	done := make(chan struct{})
	go func() {
		defer close(done)
		end, broken = w.talk(answering, job, next)
	}()
	if err := w.process.Guard(ctx, done, job.watch()); err != nil {
		stop() // an answer that nobody waits for any more
		<-done
		return ending{}, err
	}
	if broken == nil {
		return end, nil
	}
	w.discard()
	if err := ctx.Err(); err != nil {
		return ending{}, err
	}
	said := w.process.Said()
	if strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") {
		return ending{}, w.process.OutOfMemory(job.watch())
	}
	return ending{}, fmt.Errorf("%w (%w: %w):\n%s", engines.Errorf(engines.CodeConversionFailed, "%s broke down on this file", job.Title), ErrBroken, broken, said)
}

// talk gives an order, takes what the child says, and answers what it asks, until it says how it ended.
func (w *child) talk(ctx context.Context, job Job, next order) (ending, error) {
	w.left.N = maxReplies
	if err := w.handOver(next); err != nil {
		return ending{}, err
	}
	for {
		var now reply
		if err := w.replies.Decode(&now); err != nil {
			return ending{}, fmt.Errorf("read a reply: %w", err)
		}
		switch {
		case now.End != nil:
			return *now.End, nil
		case now.Question != nil:
			if err := w.orders.Encode(job.answer(ctx, now.Question)); err != nil {
				return ending{}, fmt.Errorf("hand over an answer: %w", err)
			}
		case job.Progress != nil:
			job.Progress(now.Percent, now.Message)
		}
	}
}

func (w *child) handOver(next order) error {
	if err := w.orders.Encode(next); err != nil {
		return fmt.Errorf("%w: %w", errNotTaken, err)
	}
	var first reply
	switch err := w.replies.Decode(&first); {
	case err != nil:
		return fmt.Errorf("%w: %w", errNotTaken, err)
	case !first.Taken:
		return errors.New("its first reply is none")
	}
	return nil
}

func (j Job) answer(ctx context.Context, question json.RawMessage) ending {
	if j.Answer == nil {
		return ending{Fault: "nobody answers questions of " + j.Work}
	}
	return endingOf(j.Answer(ctx, question))
}
