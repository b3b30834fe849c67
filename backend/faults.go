package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/convilyn/convilyn-temporal/client"
)

// Faults makes the service misbehave as told, so that anybody can rehearse against it.
type Faults struct {
	id     string
	mu     sync.Mutex
	random *rand.Rand
	rules  []*faultRule
	// forgetful ignores idempotency keys.
	forgetful bool
	sleep     func(ctx context.Context, d time.Duration) error
}

// faultsFile is the YAML form.
type faultsFile struct {
	Seed              uint64      `yaml:"seed"`
	IgnoreIdempotency bool        `yaml:"ignore_idempotency"` // as the hosted service does
	Rules             []faultRule `yaml:"rules"`
}

// faultRule says on which requests, events, questions or conversions, and what then.
type faultRule struct {
	Route       string      `yaml:"route"`       // METHOD and path; * stands for a method or a segment, a last ** for the rest
	Events      string      `yaml:"events"`      // or a type of events of GET /ws; * stands for all
	Slot        string      `yaml:"slot"`        // or the id of a slot that a goal asks; * stands for all
	Job         string      `yaml:"job"`         // or conversions, as "md html"; * stands for any format
	Count       *int        `yaml:"count"`       // the first so many matches
	Probability *float64    `yaml:"probability"` // 0 to 1
	Nth         *int        `yaml:"nth"`         // just that match, from 1
	Above       *int        `yaml:"above"`       // while there are more than so many at once: requests, or conversions that have not ended
	Answer      faultAnswer `yaml:"answer"`

	seen   int
	inside int // requests under way that it has let pass
}

// faultAnswer is what happens, of the kind that the rule is about.
type faultAnswer struct {
	requestAnswer `yaml:",inline"`
	eventAnswer   `yaml:",inline"`
	slotAnswer    `yaml:",inline"`
	jobAnswer     `yaml:",inline"`
}

// LoadFaults reads a file of faults; what it does not understand it refuses with the line.
func LoadFaults(file string) (*Faults, error) {
	data, err := os.ReadFile(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, fmt.Errorf("read the faults: %w", err)
	}
	faults, err := ParseFaults(data)
	if err != nil {
		return nil, fmt.Errorf("faults in %s: %w", file, err)
	}
	return faults, nil
}

// ParseFaults reads the YAML form.
func ParseFaults(data []byte) (*Faults, error) {
	var file faultsFile
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(strings.ReplaceAll(err.Error(), ":\n  ", ": "))
	}
	f := &Faults{id: hashText(string(data)), forgetful: file.IgnoreIdempotency, random: rand.New(rand.NewPCG(file.Seed, 1)), sleep: sleep} //nolint:gosec // must be repeatable
	for i := range file.Rules {
		rule := &file.Rules[i]
		if err := rule.check(); err != nil {
			return nil, fmt.Errorf("rule %d (%s): %w", i+1, rule.Route+rule.Events+rule.Slot+rule.Job, err)
		}
		f.rules = append(f.rules, rule)
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

func (r *faultRule) check() error {
	if err := r.checkSubject(); err != nil {
		return err
	}
	conditions := 0
	for _, set := range []bool{r.Count != nil, r.Probability != nil, r.Nth != nil, r.Above != nil} {
		if set {
			conditions++
		}
	}
	switch {
	case conditions != 1:
		return errors.New("give exactly one of count, probability, nth and above")
	case r.Above != nil && (r.Events != "" || r.Slot != ""):
		return errors.New("above is of requests and jobs")
	case r.Above != nil && *r.Above < 0:
		return errors.New("above must not be negative")
	case r.Probability != nil && (*r.Probability < 0 || *r.Probability > 1):
		return errors.New("probability must be from 0 to 1")
	}
	return nil
}

// checkSubject sees to it that a rule is about one thing, and its answer about the same.
func (r *faultRule) checkSubject() error {
	answer := r.Answer
	switch {
	case r.subjects() > 1:
		return errors.New("route, events, slot and job exclude each other")
	case r.Job != "":
		return errors.Join(jobPattern(r.Job), r.Answer.checkOfJob())
	case r.Events != "":
		answer.eventAnswer = eventAnswer{}
		if !answer.empty() {
			return errors.New("the answer to events must be exactly one of drop, duplicate, reorder and disconnect")
		}
		return r.Answer.eventAnswer.check()
	case r.Slot != "":
		answer.slotAnswer = slotAnswer{}
		if !answer.empty() {
			return errors.New("the answer to a slot must name fill, and may name after")
		}
		return r.Answer.slotAnswer.check()
	}
	method, pattern, ok := strings.Cut(r.Route, " ")
	if _, err := path.Match(pattern, ""); !ok || method == "" || !strings.HasPrefix(pattern, "/") || err != nil {
		return errors.New("route must be a method and a path, such as POST /api/v1/jobs")
	}
	answer.requestAnswer = requestAnswer{}
	if !answer.empty() {
		return errors.New("the answer to a route must be of requests: " + requestKinds + " or a delay, and nothing for events, slots or jobs")
	}
	if r.Answer.CorruptBody && !strings.HasPrefix(pattern, "/storage/") {
		return errors.New("corrupt_body is of downloads, whose digest tells: the route must begin with /storage/")
	}
	return r.Answer.requestAnswer.check()
}

func (r *faultRule) subjects() int {
	n := 0
	for _, subject := range []string{r.Route, r.Events, r.Slot, r.Job} {
		if subject != "" {
			n++
		}
	}
	return n
}

func (a faultAnswer) empty() bool {
	return a.jobAnswer == jobAnswer{} && a.requestAnswer == requestAnswer{} && a.eventAnswer == eventAnswer{} && a.Fill.IsZero() && a.After == 0
}

// matches compares segment by segment. Health is hit only by a rule that names it.
func (r *faultRule) matches(method, target string) bool {
	ruleMethod, pattern, _ := strings.Cut(r.Route, " ")
	if ruleMethod != "*" && ruleMethod != method {
		return false
	}
	if target == client.PathHealth {
		return pattern == target
	}
	if prefix, ok := strings.CutSuffix(pattern, "**"); ok {
		if strings.HasPrefix(target, prefix) {
			return true
		}
		pattern, target = prefix, begin(target, strings.Count(prefix, "/"))
	}
	matched, err := path.Match(pattern, target)
	return err == nil && matched
}

// begin is a path up to and with its nth slash.
func begin(path string, n int) string {
	end := 0
	for ; n > 0; n-- {
		next := strings.IndexByte(path[end:], '/')
		if next < 0 {
			return path
		}
		end += next + 1
	}
	return path[:end]
}

// draw decides about one request; the first rule that strikes counts. leave is to be called when the request is over.
func (f *Faults) draw(r *http.Request) (answer faultAnswer, strikes bool, leave func()) {
	var entered []*faultRule
	answer, strikes = f.drawWhere(
		func(rule *faultRule) bool { return rule.Route != "" && rule.matches(r.Method, r.URL.Path) },
		func(rule *faultRule) int {
			if rule.inside < *rule.Above {
				rule.inside++
				entered = append(entered, rule)
				return rule.inside
			}
			return rule.inside + 1
		})
	return answer, strikes, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, rule := range entered {
			rule.inside--
		}
	}
}

// drawWhere decides by the rules that match. crowd is how many matches there are at once, this one among them; nil where
// no rule asks.
func (f *Faults) drawWhere(matches func(*faultRule) bool, crowd func(*faultRule) int) (faultAnswer, bool) {
	if f == nil {
		return faultAnswer{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rule := range f.rules {
		if !matches(rule) {
			continue
		}
		rule.seen++
		switch {
		case rule.Count != nil && rule.seen <= *rule.Count,
			rule.Nth != nil && rule.seen == *rule.Nth,
			rule.Above != nil && crowd(rule) > *rule.Above,
			rule.Probability != nil && f.random.Float64() < *rule.Probability:
			return rule.Answer, true
		}
	}
	return faultAnswer{}, false
}

// fork is a source of chance that depends on nothing that others draw from now on.
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
