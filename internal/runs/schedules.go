package runs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// schedulePrefix tells our schedules from those of others in the same namespace.
const schedulePrefix = "convilyn-"

// ErrNoSuchSchedule reports that no schedule has this name.
var ErrNoSuchSchedule = errors.New("there is no such schedule")

// Schedule is a batch that Temporal starts by the clock.
type Schedule struct {
	Name    string
	Every   time.Duration
	Input   batch.Input
	Paused  bool
	Note    string      // why it is paused
	Next    []time.Time // soonest first; none while it is paused
	Recent  []ScheduledRun
	Skipped int // times, because the run before was still running
	Missed  int // times, while Temporal was down
}

// ScheduledRun is a time at which a schedule acted.
type ScheduledRun struct {
	ID string // of the run that it started; empty where it started none
	At time.Time
}

// Schedules are the names of ours, sorted.
func (c *Client) Schedules(ctx context.Context) ([]string, error) {
	all, err := c.Temporal.ScheduleClient().List(ctx, temporalclient.ScheduleListOptions{PageSize: 200})
	if err != nil {
		return nil, fmt.Errorf("list the schedules: %w", err)
	}
	var names []string
	for all.HasNext() {
		entry, err := all.Next()
		if err != nil {
			return nil, fmt.Errorf("list the schedules: %w", err)
		}
		if name, ours := strings.CutPrefix(entry.ID, schedulePrefix); ours {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Schedule looks a schedule up by its name. One that is not there is ErrNoSuchSchedule.
func (c *Client) Schedule(ctx context.Context, name string) (Schedule, error) {
	description, err := c.handle(ctx, name).Describe(ctx)
	if err != nil {
		return Schedule{}, scheduleFault(name, err)
	}
	info := description.Info
	s := Schedule{Name: name, Skipped: info.NumActionsSkippedOverlap, Missed: info.NumActionsMissedCatchupWindow}
	if action, ok := description.Schedule.Action.(*temporalclient.ScheduleWorkflowAction); ok && len(action.Args) == 1 {
		if payload, ok := action.Args[0].(*common.Payload); ok {
			s.Input = decodedPayload[batch.Input](payload)
		}
	}
	if spec := description.Schedule.Spec; spec != nil && len(spec.Intervals) == 1 {
		s.Every = spec.Intervals[0].Every
	}
	if state := description.Schedule.State; state != nil {
		s.Paused, s.Note = state.Paused, state.Note
	}
	if !s.Paused {
		s.Next = info.NextActionTimes
	}
	for _, action := range info.RecentActions {
		recent := ScheduledRun{At: action.ActualTime}
		if started := action.StartWorkflowResult; started != nil {
			recent.ID = started.WorkflowID
		}
		s.Recent = append(s.Recent, recent)
	}
	return s, nil
}

// CreateSchedule makes a schedule whose first run begins at once, so that what is wrong shows early.
func (c *Client) CreateSchedule(ctx context.Context, name string, spec Spec, every time.Duration) error {
	if err := c.name(Places(spec.Input)); err != nil {
		return err
	}
	action, when, policy := scheduleParts(spec, every, time.Now())
	_, err := c.Temporal.ScheduleClient().Create(ctx, temporalclient.ScheduleOptions{
		ID: schedulePrefix + name, Spec: when, Action: action, Overlap: policy.Overlap, CatchupWindow: policy.CatchupWindow, TriggerImmediately: true,
	})
	return err
}

// ReplaceSchedule leaves it paused where it was, and runs it at once where it was not.
func (c *Client) ReplaceSchedule(ctx context.Context, name string, spec Spec, every time.Duration) error {
	if err := c.name(Places(spec.Input)); err != nil {
		return err
	}
	handle := c.handle(ctx, name)
	paused := false
	err := handle.Update(ctx, temporalclient.ScheduleUpdateOptions{DoUpdate: func(in temporalclient.ScheduleUpdateInput) (*temporalclient.ScheduleUpdate, error) {
		action, when, policy := scheduleParts(spec, every, time.Now())
		state := in.Description.Schedule.State
		paused = state != nil && state.Paused
		return &temporalclient.ScheduleUpdate{Schedule: &temporalclient.Schedule{Action: action, Spec: &when, Policy: &policy, State: state}}, nil
	}})
	if err != nil || paused {
		return err
	}
	return c.TriggerSchedule(ctx, name)
}

// PauseSchedule starts no more runs; one that is running goes on to its end.
func (c *Client) PauseSchedule(ctx context.Context, name, note string) error {
	return scheduleFault(name, c.handle(ctx, name).Pause(ctx, temporalclient.SchedulePauseOptions{Note: note}))
}

// ResumeSchedule lets a paused schedule go on.
func (c *Client) ResumeSchedule(ctx context.Context, name, note string) error {
	return scheduleFault(name, c.handle(ctx, name).Unpause(ctx, temporalclient.ScheduleUnpauseOptions{Note: note}))
}

// TriggerSchedule runs a schedule now, unless a run of it is running.
func (c *Client) TriggerSchedule(ctx context.Context, name string) error {
	return scheduleFault(name, c.handle(ctx, name).Trigger(ctx, temporalclient.ScheduleTriggerOptions{Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP}))
}

// DeleteSchedule removes a schedule; its runs stay.
func (c *Client) DeleteSchedule(ctx context.Context, name string) error {
	return scheduleFault(name, c.handle(ctx, name).Delete(ctx))
}

func (c *Client) handle(ctx context.Context, name string) temporalclient.ScheduleHandle {
	return c.Temporal.ScheduleClient().GetHandle(ctx, schedulePrefix+name)
}

func scheduleParts(spec Spec, every time.Duration, now time.Time) (*temporalclient.ScheduleWorkflowAction, temporalclient.ScheduleSpec, temporalclient.SchedulePolicies) {
	options := spec.options()
	action := &temporalclient.ScheduleWorkflowAction{
		ID: spec.ID, Workflow: spec.Kind.Workflow, Args: []any{spec.Input}, TaskQueue: options.TaskQueue,
		Memo: options.Memo, TypedSearchAttributes: options.TypedSearchAttributes, StaticSummary: options.StaticSummary, StaticDetails: options.StaticDetails,
	}
	when := temporalclient.ScheduleSpec{Intervals: []temporalclient.ScheduleIntervalSpec{{
		Every: every, Offset: time.Duration(now.Unix()) * time.Second % every, // counted from the first run
	}}}
	return action, when, temporalclient.SchedulePolicies{
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		// A machine that has slept makes up for one run, not for forty.
		CatchupWindow: every,
	}
}

func scheduleFault(name string, err error) error {
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return fmt.Errorf("%s: %w", name, ErrNoSuchSchedule)
	}
	return err
}
