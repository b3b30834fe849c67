package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"time"
)

// EventOptions shape a feed of events.
type EventOptions struct {
	// LookEvery is the silence about the job after which it is read, 15 s by default. Keepalives do not break it.
	LookEvery time.Duration
	// PollInterval is the first wait between looks where there is no stream, 1 s by default, 200 ms at least.
	PollInterval time.Duration
}

const (
	defaultLookEvery = 15 * time.Second
	// dialTries is how many connections in a row may bring nothing before the feed polls.
	dialTries = 4
	// lasting is how long a connection must have lived for the next one to be opened at once, whatever it brought.
	lasting = 15 * time.Second
	// lookTries is how many looks in a row may fail before the feed ends with their error.
	lookTries = 10
)

var (
	// errFeedEnded ends a feed of which the consumer has all that it wants.
	errFeedEnded = errors.New("the feed has ended")
	// errNoStream ends streaming: from then on the job is polled.
	errNoStream = errors.New("the stream cannot be used any more")
)

// knownEvents are the types that are handed on.
var knownEvents = map[EventType]bool{
	EventToolStarted: true, EventToolFinished: true, EventAgentStepStarted: true, EventAgentStepFinished: true,
	EventOrchestrationTransition: true, EventStatus: true, EventProgress: true, EventSlotNeeded: true, EventAgentText: true,
	EventAgentTextDone: true, EventKeepalive: true, EventCompleted: true, EventFailed: true, EventCancelled: true,
}

// Events follows a job until it ends, also while it awaits the caller: over the stream of WithEventsURL where that
// works, by looks at the job where it does not. Streams lose events; so the job is read at the start, after every
// gap, in silence and at the end, and what was read comes as an event with Job set. The first event is such a one,
// the last one is of a terminal type. An error ends the feed; ctx's own is one.
func (s *Goals) Events(ctx context.Context, jobSpecID string, o EventOptions) iter.Seq2[GoalEvent, error] {
	if o.LookEvery <= 0 {
		o.LookEvery = defaultLookEvery
	}
	return func(yield func(GoalEvent, error) bool) {
		f := &feed{goals: s, id: jobSpecID, options: o, yield: yield}
		err := f.run(ctx)
		switch {
		case errors.Is(err, errFeedEnded):
		case ctx.Err() != nil:
			yield(GoalEvent{}, ctx.Err())
		default:
			yield(GoalEvent{}, err)
		}
	}
}

// feed is one run of Events. Its methods return errFeedEnded once nothing may be yielded any more.
type feed struct {
	goals   *Goals
	id      string
	options EventOptions
	yield   func(GoalEvent, error) bool
	last    *GoalJob  // as last read
	heard   time.Time // when the job was last read, or an event told of it
}

func (f *feed) run(ctx context.Context) error {
	if err := f.look(ctx, true); err != nil {
		return err
	}
	if f.goals.c.events != nil {
		if err := f.stream(ctx); !errors.Is(err, errNoStream) {
			return err
		}
	}
	return f.poll(ctx)
}

func (f *feed) poll(ctx context.Context) error {
	cadence := Cadence{Interval: f.options.PollInterval}
	for {
		if err := f.goals.c.sleep(ctx, cadence.Next(f.last.Percent())); err != nil {
			return err
		}
		if err := f.look(ctx, false); err != nil {
			return err
		}
	}
}

// stream follows one connection after another.
func (f *feed) stream(ctx context.Context) error {
	connected := false
	short := 0 // connections in a row that did not last
	for barren := 1; barren <= dialTries; barren++ {
		begun := f.goals.c.now()
		conn, status := f.goals.c.dialEvents(ctx)
		if status == http.StatusUnauthorized || status == http.StatusForbidden {
			return errNoStream
		}
		if conn != nil {
			heard, err := f.follow(ctx, conn, connected)
			if err != nil {
				return err
			}
			if heard {
				barren = 0
			}
			connected = true
		}
		if short++; f.goals.c.now().Sub(begun) >= lasting {
			short = 0
		}
		if err := f.goals.c.sleep(ctx, reconnectDelay(max(barren, short))); err != nil {
			return err
		}
	}
	return errNoStream
}

// reconnectDelay is the wait after n failures in a row.
func reconnectDelay(n int) time.Duration {
	delay := min(retryBase<<min(n, 8), longestWait)
	return time.Duration(float64(delay) * (0.75 + randomJitter()/2))
}

// follow hands on what a connection brings until it is lost. heard says that it brought anything.
func (f *feed) follow(ctx context.Context, conn *eventConn, gap bool) (heard bool, err error) {
	defer conn.close()
	if !conn.subscribe(f.id) {
		return false, nil
	}
	if err := f.look(ctx, gap); err != nil {
		return false, err
	}
	quiet := time.NewTimer(f.options.LookEvery)
	defer quiet.Stop()
	var order sequence
	for {
		select {
		case <-ctx.Done():
			return heard, ctx.Err()
		case <-conn.pongs:
			conn.alive()
			continue
		case <-conn.beat.C:
			if !conn.keepAlive() {
				return heard, nil
			}
			continue
		case data := <-conn.frames:
			event, ok := f.decode(data)
			if !ok {
				return heard, nil
			}
			heard = true
			if err := f.take(ctx, event, order.place(event.Seq)); err != nil {
				return heard, err
			}
			if f.silence() >= f.options.LookEvery {
				if err := f.look(ctx, false); err != nil {
					return heard, err
				}
			}
		case <-quiet.C:
			if err := f.look(ctx, false); err != nil {
				return heard, err
			}
		}
		quiet.Reset(f.options.LookEvery - f.silence())
	}
}

// silence is for how long nothing was heard of the job.
func (f *feed) silence() time.Duration { return f.goals.c.now().Sub(f.heard) }

// decode refuses what is no event, a lost connection's nil among it. Nothing of a frame may get into an error.
func (f *feed) decode(data []byte) (GoalEvent, bool) {
	var event GoalEvent
	if json.Unmarshal(data, &event) != nil || event.Type == "" {
		return event, false
	}
	event.Job = nil // ours to set
	if event.JobSpecID == "" {
		event.JobSpecID = f.id
	}
	var detail struct {
		Code string `json:"code"`
	}
	if event.Type == EventFailed && json.Unmarshal(event.Data, &detail) == nil && detail.Code == "CANCELLED" {
		event.Type = EventCancelled
	}
	return event, true
}

func (f *feed) take(ctx context.Context, event GoalEvent, at position) error {
	mine := event.JobSpecID == f.id
	if mine && event.Type.Terminal() {
		return f.end(ctx, event)
	}
	if at != inOrder {
		if err := f.look(ctx, true); err != nil {
			return err
		}
	}
	if at == seenBefore || !mine || !knownEvents[event.Type] {
		return nil
	}
	if event.Type != EventKeepalive {
		f.heard = f.goals.c.now()
	}
	return f.emit(event)
}

// end checks the stream's word that the job has ended against the job.
func (f *feed) end(ctx context.Context, event GoalEvent) error {
	job, err := f.read(ctx)
	if err != nil {
		return err
	}
	if !job.Status.Terminal() {
		return errNoStream
	}
	if job.Status != GoalFailed || event.Type == EventCompleted {
		event.Type = eventOf(job.Status)
	}
	event.Job = job
	if err := f.emit(event); err != nil {
		return err
	}
	return errFeedEnded
}

// look reads the job and hands it on where it changed, or always.
func (f *feed) look(ctx context.Context, always bool) error {
	job, err := f.read(ctx)
	if err != nil {
		return err
	}
	before := f.last
	f.last, f.heard = job, f.goals.c.now()
	changed := before == nil || before.Status != job.Status || before.ItemVersion != job.ItemVersion || before.Percent() != job.Percent()
	if !changed && !always {
		return nil
	}
	data, err := json.Marshal(map[string]any{"status": job.Status, "progress": job.Percent()})
	if err != nil {
		return err
	}
	event := GoalEvent{Type: eventOf(job.Status), Timestamp: job.UpdatedAt, Data: data, JobSpecID: f.id, Job: job}
	if err := f.emit(event); err != nil {
		return err
	}
	if job.Status.Terminal() {
		return errFeedEnded
	}
	return nil
}

// read gets the job, through failures that may pass.
func (f *feed) read(ctx context.Context) (*GoalJob, error) {
	for try := 1; ; try++ {
		job, err := f.goals.Retrieve(ctx, f.id)
		if err == nil {
			return job, nil
		}
		delay, passing := reconnectDelay(try), true
		if refusal, ok := apiError(err); ok {
			delay, passing = max(delay, refusal.RetryAfter), retryable(refusal.Status)
		}
		var argument *ArgumentError
		if !passing || try == lookTries || errors.As(err, &argument) || errors.Is(err, errRedirect) || errors.Is(err, errReplyTooLarge) {
			return nil, err
		}
		if err := f.goals.c.sleep(ctx, delay); err != nil {
			return nil, err
		}
	}
}

func (f *feed) emit(event GoalEvent) error {
	if !f.yield(event, nil) {
		return errFeedEnded
	}
	return nil
}

// eventOf is the type of an event that says that a job is in this state.
func eventOf(status GoalStatus) EventType {
	switch status {
	case GoalCompleted, GoalPartial:
		return EventCompleted
	case GoalFailed:
		return EventFailed
	case GoalCancelled:
		return EventCancelled
	default:
		return EventStatus
	}
}

// sequence tells where an event stands among those of its connection.
type sequence struct {
	last    int
	missing map[int]bool
}

type position int

const (
	inOrder    position = iota
	afterGap            // others before it are missing, or it was missing itself
	seenBefore          // a duplicate
)

// longestGap bounds the memory of what is missing; beyond it a late event counts as seen.
const longestGap = 1024

func (s *sequence) place(seq int) position {
	switch {
	case seq <= 0: // the stream does not number
		return inOrder
	case seq <= s.last:
		if s.missing[seq] {
			delete(s.missing, seq)
			return afterGap
		}
		return seenBefore
	case seq-1 == s.last:
		s.last = seq
		return inOrder
	}
	if s.missing == nil {
		s.missing = map[int]bool{}
	}
	for n := s.last + 1; n < seq && len(s.missing) < longestGap; n++ {
		s.missing[n] = true
	}
	s.last = seq
	return afterGap
}
