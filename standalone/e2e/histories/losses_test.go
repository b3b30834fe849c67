package histories

import (
	"bytes"
	"fmt"
	"image"
	"image/color/palette"
	"image/gif"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// animation is a GIF of so many pictures, of which a PNG has one.
func animation(t *testing.T, frames int) string {
	t.Helper()
	var g gif.GIF
	for i := range frames {
		frame := image.NewPaletted(image.Rect(0, 0, 8, 8), palette.Plan9)
		frame.Pix[0] = uint8(i + 1)
		g.Image, g.Delay = append(g.Image, frame), append(g.Delay, 10)
	}
	var out bytes.Buffer
	require.NoError(t, gif.EncodeAll(&out, &g))
	return out.String()
}

var compared = option.Values{option.NameCheck: option.CheckWarn}

// lossRecordings are what people may say about an output that lacks something.
var lossRecordings = map[string]struct {
	answer string
	code   string // of the failure
	left   []string
}{
	"loss-kept":    {answer: questions.LossKeep, left: []string{"out.png"}},
	"loss-refused": {answer: questions.LossRefuse, code: activities.CodeLossRefused, left: []string{}},
}

func TestRecordLosses(t *testing.T) {
	for name, r := range lossRecordings {
		t.Run(name, func(t *testing.T) {
			skipUnlessTaken(t, "convert-file-"+name)
			t.Parallel()
			b := fixture.New(t)
			s := b.Open("")
			run := s.Start("convert-"+name, convert.WorkflowType, convert.Input{
				Source: "file://" + b.Write("blink.gif", animation(t, 3)), Name: "blink.gif", SourceFormat: "gif", Options: compared, OnLoss: questions.OnLossAsk,
				To: activities.Destination{Folder: "file://" + b.Out, Stem: "out", Format: "png"},
			})
			q := s.AwaitQuestion(run.GetID(), questions.SlotLoss)
			assert.Equal(t, "blink.gif to png: 2 of 3 pages or frames of the source have no page or frame in the output. Keep the output?", q.Text)
			assert.NoFileExists(t, filepath.Join(b.Out, "out.png"), "it is not in its place before somebody keeps it")
			s.AwaitWaiting(1)
			s.Give(run.GetID(), map[string]any{questions.SlotLoss: r.answer})

			err := run.Get(t.Context(), nil)

			if r.code == "" {
				require.NoError(t, err)
			} else {
				detail, known := activities.FailureOf(err)
				require.True(t, known, "%v", err)
				assert.Equal(t, r.code, detail.Code)
			}
			assert.ElementsMatch(t, r.left, filesOf(t, b.Out))
			record(t, "convert-file-"+name, s.History(run.GetID(), run.GetRunID()))
		})
	}
}

func filesOf(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	names := []string{}
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// Losses of a batch are asked about while the others go on, and go along when it continues as new.
func TestRecordLossesOfABatch(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.Open("")
	const files, lossy = 40, 4
	for i := range files {
		frames := 1
		if i < lossy {
			frames = 3
		}
		b.Write(fmt.Sprintf("p-%02d.gif", i), animation(t, frames))
	}
	const id = "batch-losses"
	run := s.Start(id, batch.WorkflowType, batch.Input{
		Name: "losses", Concurrency: 5, MaxEvents: 150, OnLoss: questions.OnLossAsk,
		Spec: manifest.Spec{Source: b.In, Output: b.Out, To: "png", Options: compared},
	})
	first := run.GetRunID()
	slot := func(i int) string { return fmt.Sprintf("%s.%d", questions.SlotLoss, i) }
	for i := range lossy {
		s.AwaitQuestion(id, slot(i))
	}
	s.AwaitWaiting(1)
	s.Give(id, map[string]any{slot(1): questions.LossRefuse})
	s.Give(id, map[string]any{slot(3): questions.LossKeep})
	s.Give(id, map[string]any{slot(0): questions.LossKeepAll})

	var result batch.Result
	require.NoError(t, run.Get(t.Context(), &result))

	assert.Equal(t, []int{files - 1, 1}, []int{result.Summary.Completed, result.Summary.Failed})
	assert.Equal(t, map[string]int{activities.CodeLossRefused: 1}, result.Summary.Codes)
	assert.Greater(t, result.Runs, 1)
	for _, name := range filesOf(t, b.Out) {
		assert.NotContains(t, name, ".part")
	}
	record(t, "convert-batch-losses", s.History(id, first))
	record(t, "convert-batch-losses-then", s.History(id, run.GetRunID()))
}
