package sandbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Member is a program that stays for many pieces of work, one at a time.
type Member interface {
	comparable
	// Tired reports whether another had better take its place.
	Tired() bool
	// Ended is closed when it is gone.
	Ended() <-chan struct{}
	// Discard ends it, waits for its end, and clears up after it. It may be called twice.
	Discard()
}

// Pool keeps programs between pieces of work, each for one owner. Work never waits for one that is busy: where none rests,
// its caller starts another.
type Pool[M Member] struct {
	idle time.Duration
	most int

	ending  sync.WaitGroup
	mu      sync.Mutex
	resting []*rest[M] // the one that worked last is the last
	closed  bool
	quiet   time.Time // until then Use starts none
}

type rest[M Member] struct {
	owner  string
	member M
	timer  *time.Timer // ends it when it has been idle for long
}

// NewPool ends programs that have rested for idle, and those that have rested longest where more than most rest; 0 for no
// bound.
func NewPool[M Member](idle time.Duration, most int) *Pool[M] {
	return &Pool[M]{idle: idle, most: most}
}

// ErrNotStarted is what Use says where no program stays open. The work may do without.
var ErrNotStarted = errors.New("no program stays open here")

// startAgain is how long Use starts no program after one could not be started.
const startAgain = 5 * time.Minute

// Use has one of the owner's programs work, a new one where none rests. One that failed at it, for whatever reason, is used
// no more.
func (p *Pool[M]) Use(ctx context.Context, owner string, start func(context.Context) (M, error), work func(M) error) error {
	member, rested := p.Take(owner)
	if !rested {
		var err error
		if member, err = p.start(ctx, start); err != nil {
			return err
		}
	}
	if err := work(member); err != nil {
		p.Drop(member)
		return err
	}
	p.Put(owner, member)
	return nil
}

func (p *Pool[M]) start(ctx context.Context, start func(context.Context) (M, error)) (member M, err error) {
	p.mu.Lock()
	quiet := time.Now().Before(p.quiet)
	p.mu.Unlock()
	if quiet {
		return member, ErrNotStarted
	}

	member, err = start(ctx)
	if err != nil && ctx.Err() == nil {
		p.mu.Lock()
		p.quiet = time.Now().Add(startAgain)
		p.mu.Unlock()
	}
	return member, err
}

// Take gives the owner's program that worked last, so that others can rest; ok is false where none rests.
func (p *Pool[M]) Take(owner string) (member M, ok bool) {
	for {
		one := p.pop(owner)
		if one == nil {
			return member, false
		}
		one.timer.Stop()
		select {
		case <-one.member.Ended():
			one.member.Discard()
		default:
			return one.member, true
		}
	}
}

func (p *Pool[M]) pop(owner string) *rest[M] {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, one := range slices.Backward(p.resting) {
		if one.owner == owner {
			p.resting = slices.Delete(p.resting, i, i+1)
			return one
		}
	}
	return nil
}

// Put has a program rest until its owner's next work, or ends it where it is tired.
func (p *Pool[M]) Put(owner string, member M) {
	tired := member.Tired()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || tired {
		p.Drop(member)
		return
	}
	one := &rest[M]{owner: owner, member: member}
	one.timer = time.AfterFunc(p.idle, func() { p.retire(one) })
	p.resting = append(p.resting, one)
	if p.most > 0 && len(p.resting) > p.most {
		p.endLocked(0)
	}
}

// Drop ends a program that was taken, or never put here, and does not wait for its end.
func (p *Pool[M]) Drop(member M) { p.ending.Go(member.Discard) }

// retire ends a program that nobody has taken meanwhile.
func (p *Pool[M]) retire(one *rest[M]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.resting, one); i >= 0 {
		p.endLocked(i)
	}
}

func (p *Pool[M]) endLocked(i int) {
	one := p.resting[i]
	one.timer.Stop()
	p.resting = slices.Delete(p.resting, i, i+1)
	p.Drop(one.member)
}

// Close ends the programs that rest, and those that are still put back. Nothing may be taken any more.
func (p *Pool[M]) Close() {
	p.mu.Lock()
	for len(p.resting) > 0 {
		p.endLocked(0)
	}
	p.closed = true
	p.mu.Unlock()
	p.ending.Wait()
}
