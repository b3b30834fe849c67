package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// schedulePrefix tells our schedules from those of others in the same namespace.
const schedulePrefix = "convilyn-"

// schedule makes the batch's schedule, whose first run begins at once so that what is wrong shows early.
func (b *batchStart) schedule(ctx context.Context, env *Env, item batchItem) error {
	return env.withSession(ctx, func(ctx context.Context, s *Session) error {
		every := b.request.repeat.every
		known, err := findSchedule(ctx, s, item.input.Name)
		var missing *serviceerror.NotFound
		said := "made"
		switch {
		case errors.As(err, &missing):
			err = createSchedule(ctx, s, item, every)
		case err != nil:
		case known.same(item, every):
			said = "there already"
		case !b.replace:
			return Usagef("a schedule called %s is there with other settings: %s → %s, every %s; --replace puts this one in its place, or give it another --name",
				known.Name, shortPath(known.Source), shortPath(known.Output), known.Every)
		default:
			said = "replaced"
			err = replaceSchedule(ctx, s, item, every)
		}
		if err != nil {
			return fmt.Errorf("schedule the batch: %w", err)
		}
		if known, err = findSchedule(ctx, s, item.input.Name); err != nil {
			return fmt.Errorf("look at the schedule: %w", err)
		}
		if b.asJSON {
			return env.printJSON(known.scheduleRow)
		}
		env.sayScheduled(s, known, said)
		_, err = fmt.Fprintln(env.Stdout, known.Name)
		return err
	})
}

func (e *Env) sayScheduled(s *Session, known schedule, said string) {
	text := fmt.Sprintf("the schedule %s is %s: every %s", known.Name, said, known.Every)
	switch {
	case known.Paused:
		text += fmt.Sprintf("; it is paused, go on with '%s schedules resume %s'", e.Program, known.Name)
	case said != "there already":
		text += ", and once now"
	}
	e.say("%s", text)
	e.say("see it with '%s schedules show %s', hold it with 'schedules pause', remove it with 'schedules delete'", e.Program, known.Name)
	if !s.Stays {
		e.say("it runs while the stack is up: run '%s up'", e.Program)
	}
}

// scheduleParts are what a schedule is made of.
func scheduleParts(item batchItem, every time.Duration, now time.Time) (temporalclient.ScheduleSpec, *temporalclient.ScheduleWorkflowAction, temporalclient.SchedulePolicies) {
	name, input, options := item.call()
	action := &temporalclient.ScheduleWorkflowAction{
		ID: "scheduled-" + item.input.Name, Workflow: name, Args: []any{input}, TaskQueue: workflows.TaskQueue,
		Memo: options.Memo, TypedSearchAttributes: options.TypedSearchAttributes, StaticSummary: options.StaticSummary,
		StaticDetails: fmt.Sprintf("Converts `%s` into `%s`, every %s.", shorten(item.input.Spec.Source, 200), shorten(item.input.Spec.Output, 200), shortDuration(every)),
	}
	spec := temporalclient.ScheduleSpec{Intervals: []temporalclient.ScheduleIntervalSpec{{
		Every: every, Offset: time.Duration(now.Unix()) * time.Second % every, // counted from the first run
	}}}
	return spec, action, temporalclient.SchedulePolicies{
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		// A machine that has slept makes up for one run, not for forty.
		CatchupWindow: every,
	}
}

func createSchedule(ctx context.Context, s *Session, item batchItem, every time.Duration) error {
	spec, action, policy := scheduleParts(item, every, time.Now())
	_, err := s.Temporal.ScheduleClient().Create(ctx, temporalclient.ScheduleOptions{
		ID: schedulePrefix + item.input.Name, Spec: spec, Action: action, Overlap: policy.Overlap, CatchupWindow: policy.CatchupWindow, TriggerImmediately: true,
	})
	return err
}

// replaceSchedule leaves it paused where it was. A run that goes on keeps the new one waiting.
func replaceSchedule(ctx context.Context, s *Session, item batchItem, every time.Duration) error {
	handle := s.Temporal.ScheduleClient().GetHandle(ctx, schedulePrefix+item.input.Name)
	paused := false
	err := handle.Update(ctx, temporalclient.ScheduleUpdateOptions{DoUpdate: func(in temporalclient.ScheduleUpdateInput) (*temporalclient.ScheduleUpdate, error) {
		spec, action, policy := scheduleParts(item, every, time.Now())
		state := in.Description.Schedule.State
		paused = state != nil && state.Paused
		return &temporalclient.ScheduleUpdate{Schedule: &temporalclient.Schedule{Action: action, Spec: &spec, Policy: &policy, State: state}}, nil
	}})
	if err != nil || paused {
		return err
	}
	return handle.Trigger(ctx, temporalclient.ScheduleTriggerOptions{Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP})
}

// schedule is one that is there.
type schedule struct {
	scheduleRow
	input batch.Input
	info  temporalclient.ScheduleInfo
	every time.Duration
}

func (k schedule) same(item batchItem, every time.Duration) bool {
	return k.every == every && sameJSON(k.input, item.input)
}

// findSchedule looks for a schedule by its name. One that is not there is serviceerror.NotFound.
func findSchedule(ctx context.Context, s *Session, name string) (schedule, error) {
	description, err := s.Temporal.ScheduleClient().GetHandle(ctx, schedulePrefix+name).Describe(ctx)
	if err != nil {
		return schedule{}, err
	}
	k := schedule{info: description.Info}
	k.Name = name
	action, ok := description.Schedule.Action.(*temporalclient.ScheduleWorkflowAction)
	if ok && len(action.Args) == 1 {
		if payload, ok := action.Args[0].(*common.Payload); ok {
			_ = converter.GetDefaultDataConverter().FromPayload(payload, &k.input) // of another shape it is not the same
		}
	}
	if spec := description.Schedule.Spec; spec != nil && len(spec.Intervals) == 1 {
		k.every = spec.Intervals[0].Every
	}
	if state := description.Schedule.State; state != nil {
		k.Paused, k.Note = state.Paused, state.Note
	}
	k.Every, k.Source, k.Output, k.To = shortDuration(k.every), k.input.Spec.Source, k.input.Spec.Output, k.input.Spec.To
	if next := k.info.NextActionTimes; len(next) > 0 && !k.Paused {
		k.Next = &next[0]
	}
	if recent := k.info.RecentActions; len(recent) > 0 {
		last := recent[len(recent)-1]
		k.Last = &last.ActualTime
		if last.StartWorkflowResult != nil {
			k.LastRun = last.StartWorkflowResult.WorkflowID
		}
	}
	return k, nil
}

// schedules are all of ours by name.
func scheduleNames(ctx context.Context, s *Session) ([]string, error) {
	all, err := s.Temporal.ScheduleClient().List(ctx, temporalclient.ScheduleListOptions{PageSize: 200})
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
	return names, nil
}
