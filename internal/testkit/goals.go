package testkit

import (
	"context"
	"os"
	"path/filepath"

	"github.com/convilyn/convilyn-temporal/backend/goals"
)

// StumbleID is the id of Stumble.
const StumbleID = "goal_lane.stumble"

// Stumble is a goal that asks one thing, writes the answer into word.txt, and fails the first so many times.
func Stumble(failures int) goals.Goal { return StumbleBefore(failures, (*goals.Task).Ready) }

// StumbleBefore is a Stumble that becomes ready in a way of its own.
func StumbleBefore(failures int, ready func(*goals.Task) error) goals.Goal {
	return goals.Goal{
		ID: StumbleID, Name: "Stumble", Description: "d", Types: []string{"document"}, Formats: []string{"md"}, MinFiles: 1, RequiredSlots: 1,
		Run: func(ctx context.Context, t *goals.Task) error {
			if err := t.Ask(goals.Free("text", "word", "Which word?").Suggest("yes", 0.95)); err != nil {
				return err
			}
			if err := ready(t); err != nil {
				return err
			}
			if failures > 0 {
				failures--
				return &goals.Failure{Code: goals.CodeStep, Message: "stumbled", Action: "retry"}
			}

			dir, err := t.Step(ctx, "write", func(_ context.Context, dir string) error {
				return os.WriteFile(filepath.Join(dir, "word.txt"), []byte(t.String("word")), 0o600)
			})
			if err != nil {
				return err
			}
			t.Deliver(goals.File{Path: filepath.Join(dir, "word.txt"), Name: "word.txt", Mime: "text/plain", Type: "text"})
			return nil
		},
	}
}
