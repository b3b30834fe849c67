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
	"strconv"
	"strings"
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
	cfg  Config
	pool *sandbox.Pool[*child]
}

// New starts no child yet.
func New(cfg Config) *Children {
	if cfg.Idle <= 0 {
		cfg.Idle = idleDefault
	}
	cfg.Limits = cfg.Limits.WithDefaults()
	return &Children{cfg: cfg, pool: sandbox.NewPool[*child](cfg.Idle, 0)}
}

// Limits bound each child.
func (c *Children) Limits() sandbox.Limits { return c.cfg.Limits }

// child is a process that waits for a request, or works on one.
type child struct {
	process  *sandbox.Process
	home     string
	memory   int64 // that it may hold, in bytes
	requests *json.Encoder
	replies  *json.Decoder
	left     *io.LimitedReader // below replies
}

// ErrBroken is in the chain of the error of work that took its child along.
var ErrBroken = errors.New("the child ended")

// errNotTaken is in the chain where the child ended without a word that it has its request: it has not begun.
var errNotTaken = errors.New("the request was not taken")

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
		return fmt.Errorf("write a request down: %w", err)
	}
	worker, end, err := c.ask(ctx, job, request{Work: job.Work, In: in})
	if err != nil {
		return err
	}
	c.pool.Put(everybody, worker)
	if syscall.Errno(end.Errno) == syscall.EFBIG {
		return worker.process.FileTooLarge(job.watch())
	}
	return end.into(out)
}

// ask sends a request to a child. One that rested may have died, unseen, before it took the request: then nothing has begun,
// and the next gets it.
func (c *Children) ask(ctx context.Context, job Job, next request) (*child, ending, error) {
	for {
		worker, rested := c.pool.Take(everybody)
		if !rested {
			var err error
			if worker, err = c.start(); err != nil {
				return nil, ending{}, err
			}
		}
		end, err := worker.work(ctx, job, next)
		if err == nil {
			return worker, end, nil
		}
		worker.Discard()
		if !rested || !errors.Is(err, errNotTaken) {
			return nil, ending{}, err
		}
	}
}

func (j Job) watch() sandbox.Watch {
	return sandbox.Watch{Title: j.Title, Folders: j.Folders, Disk: j.Disk}
}

// Close ends the children. None may work.
func (c *Children) Close() { c.pool.Close() }

// everybody owns all children: what they read and write is bounded for all work at once.
const everybody = ""

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
	return &child{process: process, home: home, memory: c.cfg.Limits.Memory, requests: json.NewEncoder(process.In), replies: json.NewDecoder(left), left: left}, nil
}

// Tired reports whether what it still holds would count too much for the next.
func (w *child) Tired() bool { return w.process.Memory() > w.memory/4 }

// Ended is closed when the process is gone.
func (w *child) Ended() <-chan struct{} { return w.process.Ended() }

// Discard kills a child, waits for its end, and clears up after it.
func (w *child) Discard() {
	w.process.Kill()
	<-w.process.Ended()
	_ = os.RemoveAll(w.home) // the service's next start clears the rest
}

// work has one request done. After an error the child is of no more use.
func (w *child) work(ctx context.Context, job Job, next request) (ending, error) {
	var end ending
	var broken error
	err := w.process.Do(ctx, job.watch(), func(answering context.Context) error {
		end, broken = w.talk(answering, job, next)
		return nil
	})
	if err != nil {
		return ending{}, err
	}
	if broken == nil {
		return end, nil
	}
	w.Discard()
	if err := ctx.Err(); err != nil {
		return ending{}, err
	}
	said := w.process.Said()
	if strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") {
		return ending{}, w.process.OutOfMemory(job.watch())
	}
	return ending{}, fmt.Errorf("%w (%w: %w):\n%s", engines.Errorf(engines.CodeConversionFailed, "%s broke down on this file", job.Title), ErrBroken, broken, said)
}

// talk sends a request, takes what the child says, and answers what it asks, until it says how it ended.
func (w *child) talk(ctx context.Context, job Job, next request) (ending, error) {
	w.left.N = maxReplies
	if err := w.send(next); err != nil {
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
			if err := w.requests.Encode(job.answer(ctx, now.Question)); err != nil {
				return ending{}, fmt.Errorf("hand over an answer: %w", err)
			}
		case job.Progress != nil:
			job.Progress(now.Percent, now.Message)
		}
	}
}

func (w *child) send(next request) error {
	if err := w.requests.Encode(next); err != nil {
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
