// Package goals holds the multi-step jobs of the service: deterministic, of use as they are, one file each.
//
// A goal reads as its steps. It is run as passes: whenever something has changed (answers came, the job was
// confirmed, the service was restarted) Run is called again from its beginning, finds its answers and the
// results of finished steps, and gets as far as it can.
package goals

import (
	"context"
)

// Goal is one multi-step job that the service offers.
type Goal struct {
	ID            string // goal_lane.document_binder
	Name          string
	Description   string
	Types         []string // document, image
	Formats       []string // normalised tokens of the inputs it takes
	MinFiles      int
	MaxFiles      int      // 0 for no limit
	RequiredSlots int      // as many as are always asked
	Slots         []string // ids of all that may be asked
	Words         []string // lower-case words of a goal text that point here
	// InChild reports whether the children of the service know the goal by its ID, and run it where there are any.
	InChild bool
	Run     func(ctx context.Context, t *Task) error
}
