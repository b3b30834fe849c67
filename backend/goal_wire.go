package backend

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/convilyn/convilyn-temporal/client"
)

// wireGoal is a goal job as clients see it.
func wireGoal(g goalRow) client.WireGoalJob {
	wire := client.WireGoalJob{
		JobSpecID: g.id, Status: g.status, Progress: g.Progress, ItemVersion: g.Version, AttemptID: fmt.Sprintf("att_%d", g.Attempt),
		FileIDs: append([]string{}, g.Files...), PendingSlots: []client.WirePendingSlot{}, FilledSlots: cloneAnswers(g.Answers),
		PendingInterrupts: []json.RawMessage{}, CreatedAt: g.created, UpdatedAt: g.updated, StartedAt: g.Started, CompletedAt: g.completed,
	}
	if g.Text != "" {
		wire.GoalText = &g.Text
	}
	if message := strings.Join(append(append([]string{}, g.Closing...), g.Notes...), "\n"); message != "" {
		wire.AgentMessage = &message
	}
	for _, slot := range g.Pending {
		wire.PendingSlots = append(wire.PendingSlots, slot.WirePendingSlot)
	}
	for _, a := range g.Approve {
		raw, err := json.Marshal(client.WireApproval{
			InterruptType: client.InterruptApproval, SlotID: a.SlotID, ArtifactID: a.File.ID, FileName: a.File.Name, MimeType: a.File.Mime,
		})
		if err == nil {
			wire.PendingInterrupts = append(wire.PendingInterrupts, raw)
		}
	}
	if f := g.Failure; f != nil {
		wire.ErrorCode, wire.ErrorMessage, wire.SuggestedAction = &f.Code, &f.Message, &f.Action
		if f.Reason != "" {
			wire.ErrorDetail = &client.WireGoalErrorDetail{Reason: f.Reason}
		}
	}
	return wire
}

// pollInterval is how long a client had better wait before it looks again, in milliseconds.
func pollInterval(status client.GoalStatus) int {
	switch status {
	case client.GoalDraft, client.GoalCreated, client.GoalAnalyzing, client.GoalConfirmed, client.GoalQueued:
		return 500
	case client.GoalExecuting:
		return 1000
	case client.GoalSlotsPending, client.GoalReady, client.GoalReadyWithPreview,
		client.GoalCompleted, client.GoalPartial, client.GoalFailed, client.GoalCancelled:
		return 5000
	default:
		return 1000
	}
}
