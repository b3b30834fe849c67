package goal

import (
	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func startQuestion(cause string) questions.Question {
	q := questions.Question{Slot: slot.Slot{
		SlotID: SlotStart, Type: slot.Choice, Required: true,
		Text: "It is not known whether the service started this goal, and starting it again may cost again. " + cause,
		Options: []activities.Option{
			{Value: StartAgain, Label: "Start it again"},
			{Value: StartDrop, Label: "Give it up"},
		},
		FreeText: "the id of the job to adopt",
	}}
	q.Key = q.KeyFor("")
	return q
}

func previewQuestion(goal string, previews []activities.Preview) questions.Question {
	q := questions.Question{Slot: slot.Slot{
		SlotID: SlotPreview, Type: slot.Choice, Required: true, Text: "Go on with what the preview shows?", Previews: previews,
		Options: []activities.Option{
			{Value: PreviewApprove, Label: "Go on"},
			{Value: PreviewReject, Label: "Cancel the job"},
		},
	}}
	q.Key = q.KeyFor(goal)
	return q
}

func troubleQuestion(step, cause string) questions.Question {
	q := questions.Question{Slot: slot.Slot{
		SlotID: questions.SlotTrouble, Type: slot.Choice, Required: true, Text: cause,
		Options: []activities.Option{
			{Value: questions.TroubleRetry, Label: "Mended: try again"},
			{Value: questions.TroubleGiveUp, Label: "Give up: the run fails and its job is cancelled"},
		},
	}}
	q.Key = q.KeyFor(step)
	return q
}
