// Package goals holds the multi-step jobs of the service: deterministic, of use as they are, one file each.
//
// A goal reads as its steps. It is run as passes: whenever something has changed (answers came, the job was
// confirmed, the service was restarted) Run is called again from its beginning, finds its answers and the
// results of finished steps, and gets as far as it can.
package goals

import (
	"context"
	"errors"
	"fmt"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/client"
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
	Words         []string // lower-case words of a goal text that point here
	// Apart says that the children of the service know the goal by its ID, and run it where there are any.
	Apart bool
	Run   func(ctx context.Context, t *Task) error
}

// Input is one file of a job.
type Input struct {
	FileID string
	Name   string // as uploaded
	Format string // normalised token, from the name
	Path   string // readable; its name carries no meaning
	Size   int64
}

// File is something that a step has made.
type File struct {
	Path        string // below the step's folder
	Name        string // base name that people see
	Mime        string
	Type        string // video, image, audio, document, csv, json, zip, text; empty for none
	Description string
	Primary     bool
}

// Slot is a question to whoever runs the job.
type Slot struct {
	client.WirePendingSlot
}

// Failure is how a job fails with something that its owner can act on. Other errors are told as INTERNAL.
type Failure struct {
	Code    string // GOAL_INPUT_UNUSABLE, ...
	Message string
	Reason  string // for errorDetail.reason, may be empty
	Action  string // suggestedAction: retry, none, ...; none where empty
}

func (e *Failure) Error() string { return e.Code + ": " + e.Message }

// Named makes a Failure of what an engine refuses with and of the end of a child; other errors stay as they are.
func Named(err error) error {
	known, ok := engines.AsError(err)
	var named *Failure
	switch {
	case !ok, errors.As(err, &named):
		return err
	case errors.Is(err, sandbox.ErrLimit):
		named = &Failure{Code: CodeTooLarge, Message: known.Message, Action: "none"}
	case errors.Is(err, childproc.ErrBroken):
		named = &Failure{Code: CodeStep, Message: "the job broke down on its files", Action: client.ActionRetry}
	case known.Code == engines.CodeConversionFailed:
		named = &Failure{Code: CodeStep, Message: known.Message, Reason: known.Reason, Action: client.ActionRetry}
	default:
		named = &Failure{Code: CodeUnusable, Message: known.Message, Reason: known.Reason, Action: "none"}
	}
	return fmt.Errorf("%w (%w)", named, err)
}

// Codes of failures.
const (
	CodeUnusable = "GOAL_INPUT_UNUSABLE" // what was given cannot be worked with; a retry would not help
	CodeTooLarge = "PROCESSING_LIMIT"
	CodeStep     = "GOAL_STEP_FAILED" // a retry may help
)

// Unusable says that the inputs cannot be worked with.
func Unusable(format string, args ...any) error {
	return &Failure{Code: CodeUnusable, Message: fmt.Sprintf(format, args...), Action: "none"}
}

// A pass ends with one of these where it cannot go on by itself; the Task says more.
var (
	ErrWaiting = errors.New("the job waits for answers")
	ErrReady   = errors.New("the job waits to be confirmed")
	ErrAgain   = errors.New("answers were taken back; another pass is due")
)

// All lists the goals in the order of the catalog.
func All() []Goal {
	all := []Goal{documentBinder(), tableExtractor(), imageSet(), redactor()}
	for i := range all {
		all[i].Apart = true
	}
	return all
}
