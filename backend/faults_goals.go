package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"gopkg.in/yaml.v3"

	"github.com/convilyn/convilyn-temporal/client"
)

// eventAnswer is what happens to an event of a stream; exactly one of them. Its number is spent all the same, so
// that a careful reader can see the gap.
type eventAnswer struct {
	Drop       bool `yaml:"drop"`
	Duplicate  bool `yaml:"duplicate"`
	Reorder    bool `yaml:"reorder"`    // the next event overtakes it
	Disconnect bool `yaml:"disconnect"` // in place of the event
}

func (a eventAnswer) check() error {
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

// slotAnswer fills a slot from elsewhere, as somebody at Convilyn's own page would, some time after it is asked.
// A service that stops before that forgets it.
type slotAnswer struct {
	Fill  yaml.Node     `yaml:"fill"`
	After time.Duration `yaml:"after"`
}

func (a slotAnswer) check() error {
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
func (a slotAnswer) value() (json.RawMessage, error) {
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

// drawEvent decides about one event; the first rule that strikes counts.
func (f *Faults) drawEvent(kind client.EventType) (faultAnswer, bool) {
	return f.drawWhere(func(r *faultRule) bool { return r.Events == "*" || r.Events == string(kind) }, nil)
}

// drawSlot decides about one question that is asked.
func (f *Faults) drawSlot(slotID string) (faultAnswer, bool) {
	return f.drawWhere(func(r *faultRule) bool { return r.Slot == "*" || r.Slot == slotID }, nil)
}

// answerElsewhere lets faults answer what a job asks. An answer that comes too late is refused as any other.
func (s *Service) answerElsewhere(job goalRow) {
	for _, slot := range job.Pending {
		answer, strikes := s.cfg.Faults.drawSlot(slot.SlotID)
		if !strikes {
			continue
		}
		s.passes.background.Go(func() {
			err := s.cfg.Faults.sleep(s.life, answer.After)
			if err == nil {
				err = s.fillElsewhere(s.life, job.id, slot.SlotID, answer)
			}
			if err != nil {
				s.cfg.Logger.Info("a slot was not filled from elsewhere", zap.String("job_id", job.id), zap.String("slot_id", slot.SlotID), zap.Error(err))
			}
		})
	}
}

// fillElsewhere tries again where only another answer came in between.
func (s *Service) fillElsewhere(ctx context.Context, jobID, slotID string, with faultAnswer) error {
	value, err := with.value()
	if err != nil {
		return err
	}
	for range maxRestarts {
		job, found, err := s.store.goal(ctx, jobID)
		if err != nil || !found {
			return errors.Join(err, noGoal(jobID))
		}
		_, err = s.answer(ctx, job, []client.WireSlotAnswer{{SlotID: slotID, Value: value}}, nil)
		var refused *refusal
		if !errors.As(err, &refused) || refused.code != "VERSION_CONFLICT" {
			return err
		}
	}
	return conflict("The job changes all the time.")
}
