package api

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

// eventSchema is the version of the envelope of events.
const eventSchema = 2

const streamBuffer = 256 // events that a slow reader may lag behind

// stream is one connection that is told of one job.
type stream struct {
	jobID  string
	events chan client.WireEvent
	gone   chan struct{} // closed when the stream is to end
	once   sync.Once
}

func (c *stream) drop() { c.once.Do(func() { close(c.gone) }) }

func (c *stream) offer(events ...client.WireEvent) {
	for _, event := range events {
		select {
		case c.events <- event:
		default:
			c.drop()
			return
		}
	}
}

func newStream(jobID string) *stream {
	return &stream{jobID: jobID, events: make(chan client.WireEvent, streamBuffer), gone: make(chan struct{})}
}

// Events hands what becomes of goal jobs to the streams that are open. Nothing is kept: a client that was not connected
// reads the job.
type Events struct {
	now      func() time.Time
	mu       sync.Mutex
	streams  map[string]map[*stream]struct{} // by job
	closed   bool
	handlers sync.WaitGroup
}

// NewEvents has no streams yet. now is the clock of the events.
func NewEvents(now func() time.Time) *Events {
	return &Events{now: now, streams: map[string]map[*stream]struct{}{}}
}

// Subscribers is how many streams are open.
func (h *Events) Subscribers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, all := range h.streams {
		n += len(all)
	}
	return n
}

// enter counts a connection, which leave ends; false after close.
func (h *Events) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.handlers.Add(1)
	}
	return !h.closed
}

func (h *Events) leave() { h.handlers.Done() }

func (h *Events) add(c *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[c.jobID] == nil {
		h.streams[c.jobID] = map[*stream]struct{}{}
	}
	h.streams[c.jobID][c] = struct{}{}
	if h.closed {
		c.drop()
	}
}

func (h *Events) remove(c *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams[c.jobID], c)
	if len(h.streams[c.jobID]) == 0 {
		delete(h.streams, c.jobID)
	}
}

// Close ends all streams. The channel is closed when the last one has ended.
func (h *Events) Close() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, all := range h.streams {
		for c := range all {
			c.drop()
		}
	}
	done := make(chan struct{})
	go func() {
		h.handlers.Wait()
		close(done)
	}()
	return done
}

// publish never waits: a stream that does not keep up is dropped.
func (h *Events) publish(jobID string, events ...client.WireEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.streams[jobID] {
		c.offer(events...)
	}
}

// newEvent has no seq yet: each connection counts for itself.
func (h *Events) newEvent(jobID string, kind client.EventType, data any) client.WireEvent {
	raw, err := json.Marshal(data)
	if err != nil {
		raw = json.RawMessage("{}")
	}
	return client.WireEvent{Type: kind, SchemaVersion: eventSchema, JobSpecID: jobID, EmittedAt: h.now(), Data: raw}
}

type statusData struct {
	Status  client.GoalStatus `json:"status"`
	Message string            `json:"message"`
}

type progressData struct {
	Progress int `json:"progress"`
}

type slotData struct {
	SlotID       string          `json:"slotId"`
	SlotType     client.SlotType `json:"slotType"`
	Question     string          `json:"question"`
	CheckpointID string          `json:"checkpointId,omitempty"` // of a question during the execution
}

type stepData struct {
	Name string `json:"name"`
}

type failedData struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type completedData struct {
	Result resultData        `json:"result"`
	Status client.GoalStatus `json:"status"`
}

type resultData struct {
	Artifacts []artifactData `json:"artifacts"`
}

type artifactData struct {
	ArtifactID string `json:"artifactId"`
	FileName   string `json:"fileName"`
}

// Changed tells the streams of a job how it has changed.
func (h *Events) Changed(before, after store.Goal) {
	var events []client.WireEvent
	add := func(kind client.EventType, data any) { events = append(events, h.newEvent(after.ID, kind, data)) }

	if after.Progress > before.Progress {
		add(client.EventProgress, progressData{Progress: after.Progress})
	}
	if after.Status != before.Status {
		add(client.EventStatus, statusOf(after))
	}
	if after.Status == client.GoalSlotsPending && after.Status != before.Status {
		for _, slot := range after.Pending {
			data := slotData{SlotID: slot.SlotID, SlotType: slot.SlotType, Question: slot.Question}
			if after.Confirmed {
				data.CheckpointID = slot.SlotID
			}
			add(client.EventSlotNeeded, data)
		}
	}
	if after.Status != before.Status && after.Status.Terminal() {
		events = append(events, h.lastEvent(after))
	}
	h.publish(after.ID, events...)
}

// Step tells the streams of a job that a step of it has begun or ended.
func (h *Events) Step(jobID, step string, begun bool) {
	kind := client.EventAgentStepFinished
	if begun {
		kind = client.EventAgentStepStarted
	}
	h.publish(jobID, h.newEvent(jobID, kind, stepData{Name: step}))
}

func statusOf(g store.Goal) statusData {
	data := statusData{Status: g.Status}
	if g.Failure != nil {
		data.Message = g.Failure.Message
	}
	return data
}

// lastEvent ends the stream of a job that has ended. A partial one has no type of its own.
func (h *Events) lastEvent(g store.Goal) client.WireEvent {
	switch {
	case g.Status == client.GoalCancelled:
		return h.newEvent(g.ID, client.EventFailed, failedData{Code: "CANCELLED", Message: "The job was cancelled."})
	case g.Status == client.GoalFailed && g.Failure != nil:
		return h.newEvent(g.ID, client.EventFailed, failedData{Code: g.Failure.Code, Message: g.Failure.Message})
	}
	data := completedData{Status: g.Status, Result: resultData{Artifacts: []artifactData{}}}
	for _, a := range g.Artifacts {
		data.Result.Artifacts = append(data.Result.Artifacts, artifactData{ArtifactID: a.ID, FileName: a.Name})
	}
	return h.newEvent(g.ID, client.EventCompleted, data)
}
