package questions

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"strings"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/workflows/run"
)

const ownPrefix = "convilyn."

// Own reports whether the run itself asks this, and not the service.
func Own(slotID string) bool { return strings.HasPrefix(slotID, ownPrefix) }

// FromSlot is a question of the service.
func FromSlot(goal string, s activities.Slot) Question {
	q := Question{Slot: s}
	q.Key = q.KeyFor(goal)
	return q
}

// KeyFor is equal for questions that one answer can settle: the same goal asks the same thing with the same options.
func (q Question) KeyFor(goal string) string {
	sum := sha256.Sum256(run.Encode([]any{goal, q.SlotID, q.Type, q.Text, q.Options}))
	return hex.EncodeToString(sum[:8])
}

// Refuse says why a value is no answer to the question; empty where it is one.
func (q Question) Refuse(value json.RawMessage) string {
	if err := q.Check(value); err != nil {
		return err.Error()
	}
	return ""
}

// inWords is a value without a label as people read it: lists with commas, files by their names.
func inWords(value json.RawMessage) string {
	var list []string
	var text string
	switch {
	case json.Unmarshal(value, &list) == nil:
		text = strings.Join(list, ", ")
	case json.Unmarshal(value, &text) != nil:
		text = string(value)
	}
	if at, isFile := strings.CutPrefix(text, "file://"); isFile {
		text = path.Base(at)
	}
	return run.Cut(text, labelLimit)
}

// labelLimit bounds a label, in bytes.
const labelLimit = 300

// label is a value as people read it, short enough for a ledger; empty where the value says the same.
func (q Question) label(value json.RawMessage) string { return run.Cut(q.Label(value), labelLimit) }
