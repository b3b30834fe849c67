package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"time"
)

// EventOptions say how a stream is followed.
type EventOptions struct {
	// LookEvery is how long a silent stream is trusted before the job itself is read; 15 s by default.
	LookEvery time.Duration
	// PollInterval is the first wait between two looks where there is no stream; 1 s by default.
	PollInterval time.Duration
}

const (
	lookEveryDefault = 15 * time.Second
	// refusals is how often an upgrade may be refused for a reason that could pass before the job is polled.
	refusalsAllowed = 3
)

// errRefused is a gateway that takes no stream from us; the job is polled instead.
var errRefused = errors.New("the gateway refuses the event stream")

// errGap is a stream that may have lost something: the job is read again.
var errGap = errors.New("the event stream has a gap")

// Events follows a job until it ends. Events come from the gateway of WithEventsURL as they happen; there is no
// replay, so after every gap (a lost connection, a missing, repeated or late number, a long silence) the job
// itself is read and comes as an event with Job set. Without a gateway, or where it refuses the key, the job is
// polled. The stream ends after a terminal event, with an error, or when the caller leaves the loop.
func (s *Goals) Events(ctx context.Context, jobSpecID string, o EventOptions) iter.Seq2[GoalEvent, error] {
	if o.LookEvery <= 0 {
		o.LookEvery = lookEveryDefault
	}
	return func(yield func(GoalEvent, error) bool) {
		f := &follower{goals: s, id: jobSpecID, options: o, yield: yield}
		err := f.follow(ctx)
		if err != nil && !errors.Is(err, errLeft) {
			yield(GoalEvent{}, err)
		}
	}
}

// errLeft says that nobody listens any more, or that there is nothing more to say.
var errLeft = errors.New("the stream has ended")

// follower is one run through a stream.
type follower struct {
	goals   *Goals
	id      string
	options EventOptions
	yield   func(GoalEvent, error) bool
	last    *GoalJob
}

func (f *follower) follow(ctx context.Context) error {
	if f.id == "" {
		return argumentf("job_spec_id", "it is missing")
	}
	refused := 0
	for attempt := 1; f.goals.c.events != ""; attempt++ {
		heard, err := f.stream(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errLeft):
			return err
		case errors.Is(err, errRefused):
			return f.poll(ctx)
		}
		var fault *fatalError
		if errors.As(err, &fault) {
			return fault.err
		}
		if heard {
			attempt, refused = 1, 0
		} else if refused++; refused >= refusalsAllowed {
			return f.poll(ctx)
		}
		delay, _ := retryDelay(attempt, attempt, noReply, 0, randomJitter())
		if err := f.goals.c.sleep(ctx, delay); err != nil {
			return err
		}
	}
	return f.poll(ctx)
}

// fatalError ends the stream.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }

func (e *fatalError) Unwrap() error { return e.err }

// look reads the job and tells what has changed. errLeft where that was the end.
func (f *follower) look(ctx context.Context) error {
	job, err := f.goals.Retrieve(ctx, f.id)
	if err != nil {
		api, known := apiError(err)
		var argument *ArgumentError
		if known && !retryable(api.Status) || errors.As(err, &argument) {
			return &fatalError{err}
		}
		return err
	}
	before := f.last
	f.last = job
	if before != nil && before.Status == job.Status && before.Percent() == job.Percent() && before.ItemVersion == job.ItemVersion {
		return nil
	}
	event := GoalEvent{Type: eventOf(job.Status), Timestamp: job.UpdatedAt, JobSpecID: job.JobSpecID, Job: job, Data: json.RawMessage("{}")}
	if !f.yield(event, nil) || event.Type.Terminal() {
		return errLeft
	}
	return nil
}

// eventOf is the event that a state stands for.
func eventOf(status GoalStatus) EventType {
	switch status {
	case GoalCompleted, GoalPartial:
		return EventCompleted
	case GoalFailed:
		return EventFailed
	case GoalCancelled:
		return EventCancelled
	case GoalSlotsPending:
		return EventSlotNeeded
	default:
		return EventStatus
	}
}

// poll looks at the job at the contract's cadence until it ends.
func (f *follower) poll(ctx context.Context) error {
	cadence := Cadence{Interval: f.options.PollInterval}
	for failures := 0; ; {
		err := f.look(ctx)
		var fatal *fatalError
		switch {
		case errors.As(err, &fatal):
			return fatal.err
		case errors.Is(err, errLeft), ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case err == nil:
			failures = 0
		default:
			if failures++; failures > maxLookFailures {
				return err
			}
		}
		percent := 0
		if f.last != nil {
			percent = f.last.Percent()
		}
		if err := f.goals.c.sleep(ctx, cadence.Next(percent)); err != nil {
			return err
		}
	}
}

// maxLookFailures is how many looks in a row may fail before the stream gives up; each has its own retries.
const maxLookFailures = 5

// hear takes one frame. errGap where something may have been missed, errLeft where it was the last one.
func (f *follower) hear(frame []byte, seq *int) error {
	var event GoalEvent
	if err := json.Unmarshal(frame, &event); err != nil || event.Type == "" {
		return errGap // whatever it was, the job knows better
	}
	if event.JobSpecID == "" {
		event.JobSpecID = f.id
	}
	if event.JobSpecID != f.id {
		return nil
	}
	gap := event.Seq > 0 && event.Seq != *seq+1
	switch {
	case event.Seq > 0 && event.Seq <= *seq && !event.Type.Terminal():
		return errGap // repeated or late: what it says may be old
	case event.Seq > 0:
		*seq = max(*seq, event.Seq)
	}
	if !known(event.Type) {
		if gap {
			return errGap
		}
		return nil
	}
	if event.Type == EventFailed && cancelled(event.Data) {
		event.Type = EventCancelled
	}
	if !f.yield(event, nil) || event.Type.Terminal() {
		return errLeft
	}
	if gap {
		return errGap
	}
	return nil
}

func known(t EventType) bool {
	switch t {
	case EventToolStarted, EventToolFinished, EventAgentStepStarted, EventAgentStepFinished, EventOrchestrationTransition, EventStatus,
		EventProgress, EventSlotNeeded, EventAgentText, EventAgentTextDone, EventCompleted, EventFailed, EventCancelled:
		return true
	default:
		return false // keepalive says nothing
	}
}

// cancelled reads how the gateway tells a cancellation: as a failure with a code.
func cancelled(data json.RawMessage) bool {
	f := parseFields(data)
	return f.text("code") == "CANCELLED"
}

// refusedFor ever says that trying the upgrade again would not help.
func refusedForEver(status int) bool {
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}
