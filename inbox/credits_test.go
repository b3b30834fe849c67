package inbox

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func TestAQuestionAboutMoneyShowsWhatIsKnown(t *testing.T) {
	need, have, missing := int64(9), int64(0), int64(9)
	for name, test := range map[string]struct {
		credits *activities.Credits
		shows   []string
		not     []string
	}{
		"all of it": {
			&activities.Credits{Need: &need, Have: &have, Missing: &missing, TopUpURL: "https://pay.example.org/topup?a=1&b=2"},
			[]string{"needed <b>9</b>", "available <b>0</b>", "missing <b>9</b>", `href="https://pay.example.org/topup?a=1&amp;b=2"`, `rel="noopener noreferrer"`},
			nil,
		},
		"the balance alone": {&activities.Credits{Have: &have}, []string{"available <b>0</b>"}, []string{"needed", "missing", "topup"}},
		"nothing":           {nil, nil, []string{`class="credits"`}},
		"a link of a worker that was not careful": {&activities.Credits{TopUpURL: "javascript:alert(1)"}, nil, []string{`href="javascript`}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.add("w", &runstest.Run{Goal: "g", Questions: []questions.Question{{
				Slot: slot.Slot{SlotID: questions.SlotTrouble, Type: slot.Choice, Text: "?", Options: options("retry", "give_up")}, Credits: test.credits,
			}}})
			page := b.get("/runs/w").Body.String()
			for _, text := range test.shows {
				assert.Contains(t, page, text)
			}
			for _, text := range test.not {
				assert.NotContains(t, page, text)
			}
		})
	}
}
