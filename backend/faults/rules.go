package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/convilyn/convilyn-temporal/client"
)

// file is the YAML form.
type file struct {
	Seed              uint64 `yaml:"seed"`
	IgnoreIdempotency bool   `yaml:"ignore_idempotency"` // as the hosted service does
	Rules             []rule `yaml:"rules"`
}

// rule says on which requests, events, questions or conversions, and what then.
type rule struct {
	Route       string   `yaml:"route"`       // METHOD and path; * stands for a method or a segment, a last ** for the rest
	Events      string   `yaml:"events"`      // or a type of events of GET /ws; * stands for all
	Slot        string   `yaml:"slot"`        // or the id of a slot that a goal asks; * stands for all
	Goal        string   `yaml:"goal"`        // or executions of a goal, by its id or the part after the dot; * stands for all
	Job         string   `yaml:"job"`         // or conversions, as "md html"; * stands for any format
	Count       *int     `yaml:"count"`       // the first so many matches
	Probability *float64 `yaml:"probability"` // 0 to 1
	Nth         *int     `yaml:"nth"`         // just that match, from 1
	Above       *int     `yaml:"above"`       // while there are more than so many at once: requests, or conversions that have not ended
	Answer      effect   `yaml:"answer"`

	seen   int
	inside int // requests under way that it has let pass
}

// effect is what happens, of the kind that the rule is about.
type effect struct {
	requestEffect `yaml:",inline"`
	eventEffect   `yaml:",inline"`
	slotEffect    `yaml:",inline"`
	jobEffect     `yaml:",inline"`
}

func (r *rule) check() error {
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
	case r.Above != nil && (r.Events != "" || r.Slot != "" || r.Goal != ""):
		return errors.New("above is of requests and jobs")
	case r.Above != nil && *r.Above < 0:
		return errors.New("above must not be negative")
	case r.Probability != nil && (*r.Probability < 0 || *r.Probability > 1):
		return errors.New("probability must be from 0 to 1")
	}
	return nil
}

// checkSubject sees to it that a rule is about one thing, and its answer about the same.
func (r *rule) checkSubject() error {
	other := r.Answer
	switch {
	case r.subjects() > 1:
		return errors.New("route, events, slot, goal and job exclude each other")
	case r.Job != "":
		return errors.Join(jobPattern(r.Job), r.Answer.checkOfJob())
	case r.Goal != "":
		other.Stuck = false
		if !r.Answer.Stuck || !other.empty() {
			return errors.New("the answer to a goal must be stuck: true")
		}
		return nil
	case r.Events != "":
		other.eventEffect = eventEffect{}
		if !other.empty() {
			return errors.New("the answer to events must be exactly one of drop, duplicate, reorder and disconnect")
		}
		return r.Answer.eventEffect.check()
	case r.Slot != "":
		other.slotEffect = slotEffect{}
		if !other.empty() {
			return errors.New("the answer to a slot must name fill, and may name after")
		}
		return r.Answer.slotEffect.check()
	}
	method, pattern, ok := strings.Cut(r.Route, " ")
	if _, err := path.Match(pattern, ""); !ok || method == "" || !strings.HasPrefix(pattern, "/") || err != nil {
		return errors.New("route must be a method and a path, such as POST /api/v1/jobs")
	}
	other.requestEffect = requestEffect{}
	if !other.empty() {
		return errors.New("the answer to a route must be of requests: " + requestKinds + " or a delay, and nothing for events, slots or jobs")
	}
	if r.Answer.CorruptBody && !strings.HasPrefix(pattern, "/storage/") {
		return errors.New("corrupt_body is of downloads, whose digest tells: the route must begin with /storage/")
	}
	return r.Answer.requestEffect.check()
}

func (r *rule) subjects() int {
	n := 0
	for _, subject := range []string{r.Route, r.Events, r.Slot, r.Goal, r.Job} {
		if subject != "" {
			n++
		}
	}
	return n
}

func (a effect) empty() bool {
	return a.jobEffect == jobEffect{} && a.requestEffect == requestEffect{} && a.eventEffect == eventEffect{} && a.Fill.IsZero() && a.After == 0
}

// matches compares segment by segment. Health is hit only by a rule that names it.
func (r *rule) matches(method, target string) bool {
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

// requestEffect is what happens to a request; exactly one kind, and a delay may come with any.
type requestEffect struct {
	Status     int           `yaml:"status"`
	RetryAfter *int          `yaml:"retry_after"` // seconds
	Code       string        `yaml:"code"`
	Details    *details      `yaml:"details"`     // beside the code, such as requiredCredits
	UpgradeURL string        `yaml:"upgrade_url"` // beside the code
	Envelope   string        `yaml:"envelope"`    // of the error: one of the envelopes; flat where empty
	Delay      time.Duration `yaml:"delay"`
	CutBody    bool          `yaml:"cut_body"`   // send half of the reply, then drop the connection
	ShortBody  bool          `yaml:"short_body"` // send half of a reply as if it were the whole, where its length is known before
	// CorruptBody sends as many bytes as there are, some of them others, under the headers of the right ones.
	CorruptBody bool  `yaml:"corrupt_body"`
	WrongSize   int64 `yaml:"wrong_size"` // added to the sizes of files in a reply of the API, in bytes
	Trickle     int   `yaml:"trickle"`    // send the reply with so many bytes a second
	LoseReply   bool  `yaml:"lose_reply"` // do the work, then drop the connection
}

// details are those of an error, as JSON has them.
type details map[string]any

const requestKinds = "a status, cut_body, short_body, corrupt_body, wrong_size, trickle, lose_reply"

// envelopes are the shapes that errors of the API come in.
var envelopes = map[string]func(of client.WireError) any{
	"":       func(of client.WireError) any { return of },
	"flat":   func(of client.WireError) any { return of },
	"detail": func(of client.WireError) any { return map[string]any{"detail": of} },
	"text":   func(of client.WireError) any { return map[string]any{"detail": of.Message} },
	"list": func(of client.WireError) any {
		return map[string]any{"detail": []any{map[string]any{"loc": []string{"body"}, "msg": of.Message, "type": "fault"}}}
	},
	"error": func(of client.WireError) any { return map[string]any{"error": of} },
	"html":  nil, // as a proxy in front of the service answers
	"empty": nil,
}

func (a requestEffect) check() error {
	kinds := 0
	for _, set := range []bool{a.Status != 0, a.CutBody, a.ShortBody, a.CorruptBody, a.WrongSize != 0, a.Trickle != 0, a.LoseReply} {
		if set {
			kinds++
		}
	}
	_, known := envelopes[a.Envelope]
	switch {
	case a.Status != 0 && (a.Status < 400 || a.Status > 599):
		return errors.New("status must be from 400 to 599")
	case kinds > 1:
		return errors.New(requestKinds + " exclude each other")
	case kinds == 0 && a.Delay <= 0:
		return errors.New("answer must name " + requestKinds + " or a delay")
	case a.Trickle < 0:
		return errors.New("trickle must be a number of bytes a second")
	case !known:
		return fmt.Errorf("envelope %q is not one of %s", a.Envelope, strings.Join(slices.Sorted(maps.Keys(envelopes))[1:], ", "))
	case a.Status == 0 && (a.Envelope != "" || a.Code != "" || a.RetryAfter != nil || a.Details != nil || a.UpgradeURL != ""):
		return errors.New("envelope, code, details, upgrade_url and retry_after belong to a status")
	}
	if _, err := json.Marshal(a.Details); err != nil {
		return errors.New("details must be values that JSON knows")
	}
	return nil
}

// eventEffect is what happens to an event of a stream; exactly one of them. Its number is spent all the same, so
// that a careful reader can see the gap.
type eventEffect struct {
	Drop       bool `yaml:"drop"`
	Duplicate  bool `yaml:"duplicate"`
	Reorder    bool `yaml:"reorder"`    // the next event overtakes it
	Disconnect bool `yaml:"disconnect"` // in place of the event
}

func (a eventEffect) check() error {
	named := 0
	for _, set := range []bool{a.Drop, a.Duplicate, a.Reorder, a.Disconnect} {
		if set {
			named++
		}
	}
	if named != 1 {
		return errors.New("the answer to events must be exactly one of drop, duplicate, reorder and disconnect")
	}
	return nil
}

// slotEffect fills a slot from elsewhere, as somebody at Convilyn's own page would, some time after it is asked.
// A service that stops before that forgets it.
type slotEffect struct {
	Fill  yaml.Node     `yaml:"fill"`
	After time.Duration `yaml:"after"`
}

func (a slotEffect) check() error {
	if a.Fill.IsZero() {
		return errors.New("the answer to a slot must name fill, and may name after")
	}
	if a.After < 0 {
		return errors.New("after must not be negative")
	}
	_, err := a.value()
	return err
}

// value is the answer as JSON. A date stays as it is written.
func (a slotEffect) value() (json.RawMessage, error) {
	var value any
	if a.Fill.ShortTag() == "!!timestamp" {
		value = a.Fill.Value
	} else if err := a.Fill.Decode(&value); err != nil {
		return nil, fmt.Errorf("fill cannot be read: %w", err)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, errors.New("fill must be a value that JSON knows")
	}
	return raw, nil
}

// jobEffect is what happens to a conversion. Beside these it may be refused when it is asked for (status), or tell wrong
// sizes of its results for ever (wrong_size); exactly one of them all.
type jobEffect struct {
	Slow  time.Duration `yaml:"slow"`  // it takes so much longer
	Stuck bool          `yaml:"stuck"` // it stays at 50 % until the service gives it up, or stops
	Fail  string        `yaml:"fail"`  // it fails with this code
}

const jobKinds = "the answer to a job must be exactly one of slow, stuck, fail, wrong_size and status"

func (a effect) checkOfJob() error {
	named := 0
	for _, set := range []bool{a.Slow != 0, a.Stuck, a.Fail != "", a.WrongSize != 0, a.Status != 0} {
		if set {
			named++
		}
	}
	if named != 1 || a.Slow < 0 {
		return errors.New(jobKinds)
	}
	refused := a.requestEffect
	a.jobEffect, a.WrongSize = jobEffect{}, 0
	if a.Status != 0 {
		a.requestEffect = requestEffect{Delay: a.Delay}
	}
	if !a.empty() {
		return errors.New(jobKinds)
	}
	if refused.Status != 0 {
		return refused.check()
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

// goalMatches takes an id, or what stands after the dot of one.
func goalMatches(pattern, id string) bool {
	return pattern == "*" || pattern == id || strings.HasSuffix(id, "."+pattern)
}

func jobMatches(pattern, source, target string) bool {
	want := strings.Fields(pattern)
	return (want[0] == "*" || want[0] == source) && (want[1] == "*" || want[1] == target)
}
