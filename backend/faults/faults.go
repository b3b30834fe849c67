// Package faults makes the service misbehave as a file says, so that anybody can rehearse against it. It stands around the
// service: Handler around its HTTP handler, Engines around its engines, Events around its event streams; and it answers
// the questions of goals as somebody elsewhere would (Answer). The service itself knows none of it.
package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"gopkg.in/yaml.v3"
)

// Faults are the rules of a file, and how often each has matched. A nil *Faults does nothing.
type Faults struct {
	// Sleep waits until d is over or ctx ends. Tests replace it before the service starts.
	Sleep func(ctx context.Context, d time.Duration) error

	id        string
	mu        sync.Mutex
	random    *rand.Rand
	rules     []*rule
	forgetful bool // ignores idempotency keys

	asking     sync.Mutex     // held while a conversion is asked for
	background sync.WaitGroup // answers that are on their way
}

// Load reads a file of faults. Where it does not understand something, the error names the line.
func Load(path string) (*Faults, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, fmt.Errorf("read the faults: %w", err)
	}
	faults, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("faults in %s: %w", path, err)
	}
	return faults, nil
}

// Parse reads the YAML form.
func Parse(data []byte) (*Faults, error) {
	var read file
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&read); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(strings.ReplaceAll(err.Error(), ":\n  ", ": "))
	}

	sum := sha256.Sum256(data)
	f := &Faults{
		id: hex.EncodeToString(sum[:]), forgetful: read.IgnoreIdempotency, Sleep: sleep,
		random: rand.New(rand.NewPCG(read.Seed, 1)), //nolint:gosec // must be repeatable
	}
	for i := range read.Rules {
		next := &read.Rules[i]
		if err := next.check(); err != nil {
			return nil, fmt.Errorf("rule %d (%s): %w", i+1, next.Route+next.Events+next.Slot+next.Goal+next.Job, err)
		}
		f.rules = append(f.rules, next)
	}
	return f, nil
}

// ID tells these faults from others: a hash of what they were read from; empty for none.
func (f *Faults) ID() string {
	if f == nil {
		return ""
	}
	return f.id
}

// Wait waits until no answer is on its way any more, after the context of Answer has ended.
func (f *Faults) Wait() {
	if f != nil {
		f.background.Wait()
	}
}

// draw decides by the rules that match; the first one that applies counts. atOnce is how many matches there are at
// once, this one among them; nil where no rule asks.
func (f *Faults) draw(matches func(*rule) bool, atOnce func(*rule) int) (hit effect, applies bool) {
	if f == nil {
		return effect{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if !matches(r) {
			continue
		}
		r.seen++
		switch {
		case r.Count != nil && r.seen <= *r.Count,
			r.Nth != nil && r.seen == *r.Nth,
			r.Above != nil && atOnce(r) > *r.Above,
			r.Probability != nil && f.random.Float64() < *r.Probability:
			return r.Answer, true
		}
	}
	return effect{}, false
}

// fork is a source of chance that does not depend on what others draw from now on.
func (f *Faults) fork() *rand.Rand {
	f.mu.Lock()
	defer f.mu.Unlock()
	return rand.New(rand.NewPCG(f.random.Uint64(), 1)) //nolint:gosec // must be repeatable
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
