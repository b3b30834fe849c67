// Package queue runs what the service has accepted: conversions by the engines, and the passes of goal jobs. It knows the
// records and the engines, and nothing of HTTP.
package queue

import (
	"fmt"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

// Refusal is why something is not done, in words for the caller. Its code is one of the API's.
type Refusal struct {
	Code    string
	Message string
	Details map[string]any
}

func (e *Refusal) Error() string { return e.Code + ": " + e.Message }

// Codes of refusals.
const (
	CodeConflict          = "CONFLICT"
	CodeFileExpired       = client.CodeFileExpired
	CodeForbiddenFile     = "FORBIDDEN_FILE"
	CodeInvalidAnswer     = "INVALID_SLOT_ANSWER"
	CodeInvalidParameters = "INVALID_PARAMETERS"
	CodeNoJob             = "JOB_NOT_FOUND"
	CodeUnsupported       = "UNSUPPORTED_CONVERSION"
	CodeVersionConflict   = "VERSION_CONFLICT"
)

func refuse(code, format string, args ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Expired refuses to use a file that is gone.
func Expired(file store.File) error {
	return refuse(CodeFileExpired, "File %s was deleted or has expired; upload it again.", file.ID)
}

// expiredMeanwhile is Expired where nobody knows which file it was.
func expiredMeanwhile() error {
	return refuse(CodeFileExpired, "A file of this request was deleted or has expired meanwhile; upload it again.")
}

// NoGoal refuses an id that no goal job of the caller has.
func NoGoal(id string) error { return refuse(CodeNoJob, "There is no goal job %.80s.", id) }

// refuseAnswer names the slot, the reason, and the options.
func refuseAnswer(slot goals.Slot, reason string) error {
	return &Refusal{
		Code: CodeInvalidAnswer, Message: fmt.Sprintf("Slot %.80q: %s.", slot.SlotID, reason),
		Details: map[string]any{"slotId": slot.SlotID, "reason": reason, "options": slot.Options},
	}
}

// reason is what a refused answer is told, without the slot.
func (e *Refusal) reason() string {
	if text, ok := e.Details["reason"].(string); ok {
		return text
	}
	return e.Message
}
