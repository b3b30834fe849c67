package backend

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/client"
)

// eventSchema is the version of the envelope of events.
const eventSchema = 2

// hub hands events of goal jobs to the streams that are open. Nothing is kept: who was not there reads the job.
type hub struct {
	mu       sync.Mutex
	streams  map[string]map[*stream]struct{} // by job
	closed   bool
	handlers sync.WaitGroup
}

func newHub() *hub { return &hub{streams: map[string]map[*stream]struct{}{}} }

func (h *hub) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, all := range h.streams {
		n += len(all)
	}
	return n
}

// enter counts a connection, which leave ends; false after close.
func (h *hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.handlers.Add(1)
	}
	return !h.closed
}

func (h *hub) leave() { h.handlers.Done() }

func (h *hub) add(c *stream) {
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

func (h *hub) remove(c *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams[c.jobID], c)
	if len(h.streams[c.jobID]) == 0 {
		delete(h.streams, c.jobID)
	}
}

// close ends all streams; the channel says when the last one has ended.
func (h *hub) close() <-chan struct{} {
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
func (h *hub) publish(jobID string, events ...client.WireEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.streams[jobID] {
		c.offer(events...)
	}
}

// newEvent has no seq yet: each connection counts for itself.
func (s *Service) newEvent(jobID string, kind client.EventType, data any) client.WireEvent {
	raw, err := json.Marshal(data)
	if err != nil {
		raw = json.RawMessage("{}")
	}
	return client.WireEvent{Type: kind, SchemaVersion: eventSchema, JobSpecID: jobID, EmittedAt: s.now(), Data: raw}
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

// publish tells the streams of a job how it has changed.
func (s *Service) publish(before, after goalRow) {
	var events []client.WireEvent
	add := func(kind client.EventType, data any) { events = append(events, s.newEvent(after.id, kind, data)) }
	if after.Progress > before.Progress {
		add(client.EventProgress, progressData{Progress: after.Progress})
	}
	if after.status != before.status {
		add(client.EventStatus, statusOf(after))
	}
	if after.status == client.GoalSlotsPending && after.status != before.status {
		for _, slot := range after.Pending {
			data := slotData{SlotID: slot.SlotID, SlotType: slot.SlotType, Question: slot.Question}
			if after.Confirmed {
				data.CheckpointID = slot.SlotID
			}
			add(client.EventSlotNeeded, data)
		}
	}
	if after.status != before.status && after.status.Terminal() {
		events = append(events, s.lastEvent(after))
	}
	s.events.publish(after.id, events...)
}

func statusOf(g goalRow) statusData {
	data := statusData{Status: g.status}
	if g.Failure != nil {
		data.Message = g.Failure.Message
	}
	return data
}

// lastEvent ends the stream of a job that has ended. A partial one has no type of its own.
func (s *Service) lastEvent(g goalRow) client.WireEvent {
	switch {
	case g.status == client.GoalCancelled:
		return s.newEvent(g.id, client.EventFailed, failedData{Code: codeCancelled, Message: "The job was cancelled."})
	case g.status == client.GoalFailed && g.Failure != nil:
		return s.newEvent(g.id, client.EventFailed, failedData{Code: g.Failure.Code, Message: g.Failure.Message})
	}
	data := completedData{Status: g.status, Result: resultData{Artifacts: []artifactData{}}}
	for _, a := range g.Artifacts {
		data.Result.Artifacts = append(data.Result.Artifacts, artifactData{ArtifactID: a.ID, FileName: a.Name})
	}
	return s.newEvent(g.id, client.EventCompleted, data)
}

// reporter takes the reports of a pass, and tells which step has begun and which has ended. Progress is written
// down when it grows, so that it never falls within an attempt, whatever happens to the service.
type reporter struct {
	p    *passes
	job  goalRow
	mu   sync.Mutex
	step string
}

func (r *reporter) report(ctx context.Context, percent int, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if message != "" && message != r.step {
		r.next(message)
	}
	percent = min(percent, 99)
	_, err := r.p.s.changeGoal(context.WithoutCancel(ctx), r.job.id, func(g *goalRow) error {
		if !g.running || g.Attempt != r.job.Attempt || percent <= g.Progress {
			return errUnchanged
		}
		g.Progress = percent
		return nil
	})
	if err != nil {
		r.p.s.cfg.Logger.Warn("record progress", zap.String("job_id", r.job.id), zap.Error(err))
	}
}

// next ends the step at hand and begins another, none where it has no name.
func (r *reporter) next(name string) {
	if r.step != "" {
		r.p.s.events.publish(r.job.id, r.p.s.newEvent(r.job.id, client.EventAgentStepFinished, stepData{Name: r.step}))
	}
	if r.step = name; name != "" {
		r.p.s.events.publish(r.job.id, r.p.s.newEvent(r.job.id, client.EventAgentStepStarted, stepData{Name: name}))
	}
}

func (r *reporter) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next("")
}

// Deadlines of event streams.
const (
	firstFrameWithin = 10 * time.Second
	writeWithin      = 10 * time.Second
	pingEvery        = 30 * time.Second
	pongWithin       = 75 * time.Second
	closeWithin      = 5 * time.Second
)
