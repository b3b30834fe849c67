package runstest

import (
	"context"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
)

// Schedules are schedules in memory. Each has acted once, an hour before Next, and was left out twice.
type Schedules struct {
	// Next is the next time of every schedule.
	Next time.Time
	// LastRun is the workflow id of the run that each has started.
	LastRun string
	// Foreign are ids of schedules that lists show and that cannot be described.
	Foreign []string

	Created   temporalclient.ScheduleOptions // the last
	Triggered []enums.ScheduleOverlapPolicy
	all       map[string]*temporalclient.ScheduleDescription
}

func newSchedules() *Schedules {
	return &Schedules{
		Next: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), LastRun: "scheduled-1", all: map[string]*temporalclient.ScheduleDescription{},
	}
}

// stored is an action as Temporal gives it back.
func stored(action temporalclient.ScheduleAction) *temporalclient.ScheduleWorkflowAction {
	out := *action.(*temporalclient.ScheduleWorkflowAction)
	out.Args = []any{payload(out.Args[0])}
	return &out
}

// Create makes a schedule.
func (s *Schedules) Create(ctx context.Context, o temporalclient.ScheduleOptions) (temporalclient.ScheduleHandle, error) {
	s.Created = o
	s.all[o.ID] = &temporalclient.ScheduleDescription{
		Schedule: temporalclient.Schedule{Action: stored(o.Action), Spec: &o.Spec, State: &temporalclient.ScheduleState{}},
		Info: temporalclient.ScheduleInfo{
			NextActionTimes: []time.Time{s.Next, s.Next.Add(time.Hour)}, NumActionsSkippedOverlap: 2,
			RecentActions: []temporalclient.ScheduleActionResult{{
				ActualTime: s.Next.Add(-time.Hour), StartWorkflowResult: &temporalclient.ScheduleWorkflowExecution{WorkflowID: s.LastRun},
			}},
		},
	}
	return s.GetHandle(ctx, o.ID), nil
}

// GetHandle is a schedule, which need not be there.
func (s *Schedules) GetHandle(_ context.Context, id string) temporalclient.ScheduleHandle {
	return &scheduleHandle{s: s, id: id}
}

// List lists all schedules, foreign ones too.
func (s *Schedules) List(context.Context, temporalclient.ScheduleListOptions) (temporalclient.ScheduleListIterator, error) {
	var entries entries
	for _, id := range s.Foreign {
		entries = append(entries, &temporalclient.ScheduleListEntry{ID: id})
	}
	for id := range s.all {
		entries = append(entries, &temporalclient.ScheduleListEntry{ID: id})
	}
	return &entries, nil
}

type entries []*temporalclient.ScheduleListEntry

func (e *entries) HasNext() bool { return len(*e) > 0 }

func (e *entries) Next() (*temporalclient.ScheduleListEntry, error) {
	entry := (*e)[0]
	*e = (*e)[1:]
	return entry, nil
}

type scheduleHandle struct {
	temporalclient.ScheduleHandle
	s  *Schedules
	id string
}

func (h *scheduleHandle) Describe(context.Context) (*temporalclient.ScheduleDescription, error) {
	if h.s.all[h.id] == nil {
		return nil, serviceerror.NewNotFound("no such schedule")
	}
	return h.s.all[h.id], nil
}

func (h *scheduleHandle) Update(_ context.Context, o temporalclient.ScheduleUpdateOptions) error {
	known := h.s.all[h.id]
	update, err := o.DoUpdate(temporalclient.ScheduleUpdateInput{Description: *known})
	if err != nil {
		return err
	}
	known.Schedule = *update.Schedule
	known.Schedule.Action = stored(update.Schedule.Action)
	return nil
}

func (h *scheduleHandle) Trigger(_ context.Context, o temporalclient.ScheduleTriggerOptions) error {
	h.s.Triggered = append(h.s.Triggered, o.Overlap)
	return nil
}

func (h *scheduleHandle) Pause(_ context.Context, o temporalclient.SchedulePauseOptions) error {
	h.s.all[h.id].Schedule.State = &temporalclient.ScheduleState{Paused: true, Note: o.Note}
	return nil
}

func (h *scheduleHandle) Unpause(context.Context, temporalclient.ScheduleUnpauseOptions) error {
	h.s.all[h.id].Schedule.State = &temporalclient.ScheduleState{}
	return nil
}

func (h *scheduleHandle) Delete(context.Context) error {
	delete(h.s.all, h.id)
	return nil
}
