package backend

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// jobAnswer is what happens to a conversion; exactly one of them.
type jobAnswer struct {
	Slow  time.Duration `yaml:"slow"`  // it takes so much longer
	Stuck bool          `yaml:"stuck"` // it stands at 50 % until the service gives it up, or stops
	Fail  string        `yaml:"fail"`  // it fails with this code
}

func (a jobAnswer) check() error {
	named := 0
	for _, set := range []bool{a.Slow != 0, a.Stuck, a.Fail != ""} {
		if set {
			named++
		}
	}
	if named != 1 || a.Slow < 0 {
		return errors.New("the answer to a job must be exactly one of slow, stuck and fail")
	}
	return nil
}

// jobPattern is a source and a target format; * stands for any.
func jobPattern(pattern string) error {
	if len(strings.Fields(pattern)) != 2 {
		return errors.New("job must be a source and a target format, such as md html")
	}
	return nil
}

func jobMatches(pattern, source, target string) bool {
	want := strings.Fields(pattern)
	return (want[0] == "*" || want[0] == source) && (want[1] == "*" || want[1] == target)
}

// ofJob commits the fault of a conversion that is about to begin. ctx ends with the time that it may take.
func (f *Faults) ofJob(ctx context.Context, in engines.Request, source, target string) error {
	answer, strikes := f.drawWhere(func(rule *faultRule) bool { return rule.Job != "" && jobMatches(rule.Job, source, target) })
	switch {
	case !strikes:
		return nil
	case answer.Fail != "":
		return engines.Errorf(answer.Fail, "A fault on request.")
	case answer.Stuck:
		in.Progress(50, "stuck on request")
		<-ctx.Done()
		return ctx.Err()
	}
	return f.sleep(ctx, answer.Slow)
}

// forgets says that idempotency keys mean nothing.
func (f *Faults) forgets() bool { return f != nil && f.forgetful }
