package backend

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// jobAnswer is what happens to a conversion. Beside these it may be refused when it is asked for (status), or tell wrong
// sizes of its results for ever (wrong_size); exactly one of them all.
type jobAnswer struct {
	Slow  time.Duration `yaml:"slow"`  // it takes so much longer
	Stuck bool          `yaml:"stuck"` // it stands at 50 % until the service gives it up, or stops
	Fail  string        `yaml:"fail"`  // it fails with this code
}

const jobKinds = "the answer to a job must be exactly one of slow, stuck, fail, wrong_size and status"

func (a faultAnswer) checkOfJob() error {
	named := 0
	for _, set := range []bool{a.Slow != 0, a.Stuck, a.Fail != "", a.WrongSize != 0, a.Status != 0} {
		if set {
			named++
		}
	}
	if named != 1 || a.Slow < 0 {
		return errors.New(jobKinds)
	}
	refusal := a.requestAnswer
	a.jobAnswer, a.WrongSize = jobAnswer{}, 0
	if a.Status != 0 {
		a.requestAnswer = requestAnswer{Delay: a.Delay}
	}
	if !a.empty() {
		return errors.New(jobKinds)
	}
	if refusal.Status != 0 {
		return refusal.check()
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

// refusedOnRequest commits the fault of a conversion that is asked for; true where it has been refused. Until done is
// called no other is asked for, so that no more get in than are to.
func (s *Service) refusedOnRequest(w http.ResponseWriter, r *http.Request, job jobRow) (refused bool, done func(), err error) {
	if s.cfg.Faults == nil {
		return false, func() {}, nil
	}
	done = s.locks.lock("faults of creations")
	answer, refused, err := s.drawJob(r.Context(), job, true)
	if refused {
		answer.refuse(w, r)
	}
	return refused, done, err
}

// drawJob decides about one conversion: whether it is refused, or what happens when it begins.
func (s *Service) drawJob(ctx context.Context, job jobRow, asked bool) (faultAnswer, bool, error) {
	if s.cfg.Faults == nil {
		return faultAnswer{}, false, nil
	}
	unfinished, err := s.store.unfinished(ctx)
	if err != nil {
		return faultAnswer{}, false, err
	}
	answer, strikes := s.cfg.Faults.drawWhere(
		func(rule *faultRule) bool {
			return rule.Job != "" && asked == (rule.Answer.Status != 0) && jobMatches(rule.Job, job.source, job.target)
		},
		func(rule *faultRule) int {
			n := 0
			if asked {
				n++
			}
			for _, pair := range unfinished {
				if jobMatches(rule.Job, pair.source, pair.target) {
					n += pair.jobs
				}
			}
			return n
		})
	return answer, strikes, nil
}

// faultOf commits the fault of a conversion that is about to begin. ctx ends with the time that it may take.
// announce is what is to be added to the sizes of its results.
func (s *Service) faultOf(ctx context.Context, in engines.Request, job jobRow) (announce int64, err error) {
	answer, strikes, err := s.drawJob(ctx, job, false)
	switch {
	case err != nil, !strikes:
		return 0, err
	case answer.Fail != "":
		return 0, engines.Errorf(answer.Fail, "A fault on request.")
	case answer.Stuck:
		in.Progress(50, "stuck on request")
		<-ctx.Done()
		return 0, ctx.Err()
	case answer.Slow > 0:
		return 0, s.cfg.Faults.sleep(ctx, answer.Slow)
	}
	return answer.WrongSize, nil
}

// forgets says that idempotency keys mean nothing.
func (f *Faults) forgets() bool { return f != nil && f.forgetful }
