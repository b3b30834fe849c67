package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// Support is the part of client.Client that lists which pairs the service converts.
type Support interface {
	Support(ctx context.Context, family client.Family) (*client.SupportList, error)
}

const (
	// freshFor is how long what a step has seen of a job is as good as asking again; links live far longer.
	freshFor = 30 * time.Second
	// freshMost bounds what is kept of jobs that another worker brings home.
	freshMost = 1000
)

// freshJobs hands a completed job from the step that saw it to the one that fetches its results, where one worker does
// both: that saves a file one request of five. It is a shortcut only; without it the service is asked.
type freshJobs struct {
	mu    sync.Mutex
	jobs  map[string]freshJob
	order []string // oldest first; those taken are still in it
}

type freshJob struct {
	job *client.ConvertJob
	at  time.Time
}

func (f *freshJobs) put(job *client.ConvertJob, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.jobs == nil {
		f.jobs = map[string]freshJob{}
	}
	f.jobs[job.JobID] = freshJob{job, now}
	f.order = append(f.order, job.JobID)
	if len(f.order) > freshMost {
		delete(f.jobs, f.order[0])
		f.order = f.order[1:]
	}
}

// take returns the job once, and nil where it is unknown or not fresh.
func (f *freshJobs) take(jobID string, now time.Time) *client.ConvertJob {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.jobs[jobID]
	delete(f.jobs, jobID)
	if now.Sub(seen.at) > freshFor {
		return nil
	}
	return seen.job
}

const (
	offeredFor = 5 * time.Minute  // how long a service's list of conversions is believed
	silentFor  = 10 * time.Second // how long a service that did not answer is not asked again
	askFor     = 10 * time.Second // how long an answer is waited for
)

// offered remembers which pairs the service converts.
type offered struct {
	support Support
	now     func() time.Time
	asking  singleflight.Group

	mu    sync.Mutex
	lists map[client.Family]offeredList
}

type offeredList struct {
	list  *client.SupportList
	until time.Time
}

// check refuses a pair that the service says it does not convert. A service that does not say, or says it in
// a way unknown to us, is taken to convert it: creating the job will show.
//
// Options are refused where the service does not list them: one that does not know them would leave them out, and say nothing.
func (o *offered) check(ctx context.Context, p client.CreateParams) error {
	source, target := p.SourceFormat, p.TargetFormat
	family, err := client.FamilyFor(source, target)
	if err != nil || source == "" {
		return nil //nolint:nilerr // whoever starts a run has checked the pair; creating the job checks it again
	}
	list := o.of(ctx, family)
	if list == nil && p.Extra() {
		return &localError{
			kind: FailureUnavailable, code: CodeUnavailable, retry: true,
			text: "the service does not answer which options it takes; without that none is asked for",
		}
	}
	if list == nil {
		return nil
	}
	if len(list.Routes) == 0 {
		return takesOptions(list, p)
	}
	var targets []string
	for _, route := range list.Routes {
		from, to := client.NormalizeFormat(route.Source), client.NormalizeFormat(route.Target)
		if len(client.Families(from)) == 0 || len(client.Families(to)) == 0 || from == source && to == target {
			return takesOptions(list, p) // it is offered, or this is not a list as we know it
		}
		if from == source {
			targets = append(targets, to)
		}
	}
	return &localError{kind: FailureRefused, code: CodeUnsupported, text: refusal(list, source, target, targets)}
}

// reads refuses a file whose format is a variant that the service does not list: it would get it under the name of another format.
func (o *offered) reads(ctx context.Context, name, source, target string) error {
	ending, format, ok := client.VariantOf(name)
	family, err := client.FamilyFor(source, target)
	if !ok || format != source || err != nil {
		return nil //nolint:nilerr // as in check
	}
	list := o.of(ctx, family)
	if list == nil {
		return &localError{
			kind: FailureUnavailable, code: CodeUnavailable, retry: true,
			text: fmt.Sprintf("the service does not answer whether it reads %s; without that %s is not sent", ending, name),
		}
	}
	if slices.Contains(list.Variants, ending) {
		return nil
	}
	return &localError{
		kind: FailureRefused, code: CodeBadArgument,
		text: fmt.Sprintf("the service does not read %s, and %s is not sent; save it as %s", ending, name, format),
	}
}

// withCheck adds how the output is compared with its source, where nobody said and the service lists that it can.
func (o *offered) withCheck(ctx context.Context, in CreateConversionInput) option.Values {
	family, err := client.FamilyFor(in.SourceFormat, in.TargetFormat)
	if err != nil || in.Check == "" || in.Options[option.NameCheck] != "" {
		return in.Options
	}
	list := o.of(ctx, family)
	if list == nil || !list.Takes(in.SourceFormat, in.TargetFormat, option.NameCheck) {
		return in.Options
	}
	out := option.Values{option.NameCheck: in.Check}
	maps.Copy(out, in.Options)
	return out
}

func takesOptions(list *client.SupportList, p client.CreateParams) error {
	if err := list.CheckOptions(p); err != nil {
		return &localError{kind: FailureRefused, code: CodeBadArgument, text: err.Error()}
	}
	return nil
}

func refusal(list *client.SupportList, source, target string, targets []string) string {
	for _, missing := range list.Unavailable {
		if missing.Source == source && missing.Target == target {
			return fmt.Sprintf("the service needs %s to convert %s to %s; install it where the service runs", missing.Install, source, target)
		}
	}
	if len(targets) == 0 {
		return fmt.Sprintf("the service converts no %s files", source)
	}
	slices.Sort(targets)
	return fmt.Sprintf("the service does not convert %s to %s; it makes %s of it", source, target, strings.Join(targets, ", "))
}

// of is the list of a family; nil where the service has none. Many steps that ask at once ask once, and a
// service that does not answer is not asked again by each of them.
func (o *offered) of(ctx context.Context, family client.Family) *client.SupportList {
	if list, known := o.remembered(family); known {
		return list
	}
	asked := o.asking.DoChan(string(family), func() (any, error) {
		if list, known := o.remembered(family); known {
			return list, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
		defer cancel()
		list, err := o.support.Support(ctx, family)
		keep := offeredFor
		if err != nil {
			list, keep = nil, silentFor
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.lists == nil {
			o.lists = map[client.Family]offeredList{}
		}
		o.lists[family] = offeredList{list: list, until: o.now().Add(keep)}
		return list, nil
	})
	select {
	case answer := <-asked:
		list, _ := answer.Val.(*client.SupportList)
		return list
	case <-ctx.Done():
		return nil
	}
}

func (o *offered) remembered(family client.Family) (*client.SupportList, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.lists[family]
	return known.list, ok && o.now().Before(known.until)
}
