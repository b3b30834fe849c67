package faults

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

var errDisconnect = errors.New("a fault on request ends the stream")

// Events gives, for one event stream, what is done to its frames: each is handed over before it is sent, and the frames
// that come back are sent in its place. An error ends the stream. Nil where there are no faults.
func (f *Faults) Events() func(kind client.EventType, frame []byte) ([][]byte, error) {
	if f == nil {
		return nil
	}
	var held [][]byte // a frame that the next one overtakes
	return func(kind client.EventType, frame []byte) ([][]byte, error) {
		hit, _ := f.draw(func(of *rule) bool { return of.Events == "*" || of.Events == string(kind) }, nil)
		var out [][]byte
		switch {
		case hit.Disconnect:
			return nil, errDisconnect
		case hit.Drop && !kind.Terminal():
			return nil, nil
		case hit.Drop:
		case hit.Reorder && held == nil && !kind.Terminal():
			held = [][]byte{frame}
			return nil, nil
		case hit.Duplicate:
			out = [][]byte{frame, frame}
		default:
			out = [][]byte{frame}
		}
		out = append(out, held...)
		held = nil
		return out, nil
	}
}

// Goals are the goals of a catalog, some of whose executions stick as the rules say: they show no sign of life until the
// job is cancelled or the service stops. Without faults it is the catalog itself.
func (f *Faults) Goals(catalog goals.Catalog) goals.Catalog {
	if f == nil {
		return catalog
	}
	out := slices.Clone(catalog)
	for i := range out {
		out[i].Run = f.sticking(out[i])
	}
	return out
}

func (f *Faults) sticking(goal goals.Goal) func(context.Context, *goals.Task) error {
	return func(ctx context.Context, t *goals.Task) error {
		hit := effect{}
		if t.Confirmed {
			hit, _ = f.draw(func(of *rule) bool { return of.Goal != "" && goalMatches(of.Goal, goal.ID) }, nil)
		}
		if !hit.Stuck {
			return goal.Run(ctx, t)
		}
		t.Report(50, "stuck on request")
		t.Still()
		<-ctx.Done()
		return ctx.Err()
	}
}

// Answer gives an observer of goal jobs that fills slots some time after they are asked, as somebody at Convilyn's own
// page would, until ctx ends. A service that stops before that forgets it. An answer that comes too late is refused as
// any other.
func (f *Faults) Answer(
	ctx context.Context, fill func(ctx context.Context, jobID, slotID string, value json.RawMessage) error, logger *zap.Logger,
) func(before, after store.Goal) {
	return func(before, after store.Goal) {
		if f == nil || after.Status != client.GoalSlotsPending || before.Status == after.Status {
			return
		}
		for _, slot := range after.Pending {
			hit, applies := f.draw(func(of *rule) bool { return of.Slot == "*" || of.Slot == slot.SlotID }, nil)
			if !applies {
				continue
			}
			f.background.Go(func() {
				value, err := hit.value()
				if err == nil {
					err = f.Sleep(ctx, hit.After)
				}
				if err == nil {
					err = fill(ctx, after.ID, slot.SlotID, value)
				}
				if err != nil {
					logger.Info("a slot was not filled from elsewhere", zap.String("job_id", after.ID), zap.String("slot_id", slot.SlotID), zap.Error(err))
				}
			})
		}
	}
}
