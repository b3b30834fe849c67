package goals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

// Converter converts a file by the service's engines into dir and returns the outputs in order and what was lost.
type Converter func(ctx context.Context, in Input, target, dir string) (files []File, warnings []string, err error)

// Task is one pass over a job, and what the pass came to. Whoever runs passes fills in the upper half and reads
// the lower half afterwards.
type Task struct {
	Inputs    []Input
	Answered  []Input // files that answered slots; Given finds those of a slot
	Text      string  // the goal text of the caller, if any
	Dir       string  // private to the job and kept between passes; results of steps lie in it
	Answers   map[string]json.RawMessage
	Confirmed bool
	Convert   Converter
	// Report takes progress (0-100) of the execution and what is done at the moment; never nil.
	Report func(percent int, message string)
	// Still ends the signs of life that the service shows of the job meanwhile: for rehearsals of a job that is stuck.
	Still func()

	Pending  []Slot // asked and unanswered, with ErrWaiting
	Approve  []Approval
	Preview  bool     // with ErrReady: a preview was shown and must be approved
	Retract  []string // answers to forget, with ErrAgain
	Files    []File   // artifacts of the end
	Missing  []string // what a partial result lacks
	Closing  string   // the job's last words
	Warnings []string
}

// Approval shows a file to whoever is to answer a slot; SlotID is empty for the preview of the whole job.
type Approval struct {
	SlotID string
	File   File
}

// Ask wants answers to all these slots, at least one of which is required. It is ErrWaiting as long as a
// required one has none; optional ones are asked along and may stay unanswered.
func (t *Task) Ask(slots ...Slot) error {
	waiting := false
	var open []Slot
	for _, slot := range slots {
		if _, answered := t.Answers[slot.SlotID]; answered {
			continue
		}
		open = append(open, slot)
		waiting = waiting || slot.Required
	}
	if !waiting {
		return nil
	}
	t.Pending = open
	return ErrWaiting
}

// Checkpoint asks about something that was made so far.
func (t *Task) Checkpoint(slot Slot, shown ...File) error {
	err := t.Ask(slot)
	if errors.Is(err, ErrWaiting) {
		for _, file := range shown {
			t.Approve = append(t.Approve, Approval{SlotID: slot.SlotID, File: file})
		}
	}
	return err
}

// Ready waits until the job is confirmed; what comes after it is the execution.
func (t *Task) Ready() error {
	if t.Confirmed {
		return nil
	}
	return ErrReady
}

// ReadyWithPreview waits until the job is confirmed by somebody who has seen this.
func (t *Task) ReadyWithPreview(shown ...File) error {
	if t.Confirmed {
		return nil
	}
	t.Preview = true
	for _, file := range shown {
		t.Approve = append(t.Approve, Approval{File: file})
	}
	return ErrReady
}

// Retake forgets answers and the results of steps, so that the next pass asks and makes them again.
func (t *Task) Retake(slotIDs []string, steps ...string) error {
	for _, step := range steps {
		if err := os.RemoveAll(filepath.Join(t.Dir, step)); err != nil {
			return fmt.Errorf("take back the step %s: %w", step, err)
		}
	}
	t.Retract = append(t.Retract, slotIDs...)
	return ErrAgain
}

// Step does something once: fill fills a folder, which appears under its name when all of it is on stable
// storage. Later passes get the folder as it is.
func (t *Task) Step(ctx context.Context, name string, fill func(ctx context.Context, dir string) error) (string, error) {
	final := filepath.Join(t.Dir, name)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look for the step %s: %w", name, err)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(t.Dir, making+name+"-*")
	if err != nil {
		return "", fmt.Errorf("begin the step %s: %w", name, err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // gone when the step is done
	if err := fill(ctx, work); err != nil {
		return "", err
	}
	if err := syncTree(work); err != nil {
		return "", fmt.Errorf("keep the step %s: %w", name, err)
	}
	if err := errors.Join(os.Rename(work, final), syncPath(t.Dir)); err != nil {
		return "", fmt.Errorf("keep the step %s: %w", name, err)
	}
	return final, nil
}

// making begins the names of folders of steps that are not done.
const making = ".making-"

// ClearHalfMade removes what steps have left in a job's folder whose pass was killed.
func ClearHalfMade(dir string) error {
	half, err := filepath.Glob(filepath.Join(dir, making+"*"))
	for _, path := range half {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
}

func syncPath(path string) error {
	file, err := os.Open(path) //nolint:gosec // inside the job's own folder
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// Deliver makes files the artifacts of the job; the first one is the primary where none says so.
func (t *Task) Deliver(files ...File) {
	t.Files = append(t.Files, files...)
	if len(t.Files) > 0 && !slices.ContainsFunc(t.Files, func(f File) bool { return f.Primary }) {
		t.Files[0].Primary = true
	}
}

// Lacks notes something that the result should hold and does not; the job then ends as partial.
func (t *Task) Lacks(format string, args ...any) {
	t.Missing = append(t.Missing, fmt.Sprintf(format, args...))
}

// String is the answer to a choice, text, date or single file slot; empty where it was not given.
func (t *Task) String(slotID string) string { return answer[string](t, slotID) }

// Strings is the answer to a multiple choice or a slot of several files.
func (t *Task) Strings(slotID string) []string {
	if list := answer[[]string](t, slotID); list != nil {
		return list
	}
	if one := t.String(slotID); one != "" {
		return []string{one}
	}
	return nil
}

// Given is the files that answered a file slot, in the order of the answer.
func (t *Task) Given(slotID string) []Input {
	var out []Input
	for _, id := range t.Strings(slotID) {
		for _, in := range slices.Concat(t.Answered, t.Inputs) {
			if in.FileID == id {
				out = append(out, in)
				break
			}
		}
	}
	return out
}

// Number is the answer to a number slot.
func (t *Task) Number(slotID string) float64 { return answer[float64](t, slotID) }

// Bool is the answer to a boolean slot.
func (t *Task) Bool(slotID string) bool { return answer[bool](t, slotID) }

func answer[T any](t *Task, slotID string) T {
	var value T
	if json.Unmarshal(t.Answers[slotID], &value) != nil {
		var none T
		return none
	}
	return value
}

// Choice is a slot with options.
func Choice(id, question string, options ...client.SlotOption) Slot {
	return Slot{WirePendingSlot: client.WirePendingSlot{SlotID: id, SlotType: slot.Choice, Question: question, Options: options, Required: true}}
}

// MultiChoice is a slot with options of which any number may be taken.
func MultiChoice(id, question string, options ...client.SlotOption) Slot {
	s := Choice(id, question, options...)
	s.SlotType = slot.MultiChoice
	return s
}

// Free is a required slot of another type: text, number, boolean, date, file, rating.
func Free(kind slot.Type, id, question string) Slot {
	return Slot{WirePendingSlot: client.WirePendingSlot{SlotID: id, SlotType: kind, Question: question, Required: true}}
}

// Optional lets the slot stay unanswered.
func (s Slot) Optional() Slot {
	s.Required = false
	return s
}

// Suggest adds what would probably be answered; confidence is 0-1.
func (s Slot) Suggest(value any, confidence float64) Slot {
	raw, err := json.Marshal(value)
	if err == nil {
		s.SuggestedValue, s.SuggestedConfidence = raw, &confidence
	}
	return s
}

// Within bounds a number or a rating.
func (s Slot) Within(low, high float64) Slot {
	v := s.validation()
	v.Min, v.Max = &low, &high
	s.Validation = &v
	return s
}

// AtMost bounds how many options are chosen.
func (s Slot) AtMost(items int) Slot {
	v := s.validation()
	v.MaxItems = items
	s.Validation = &v
	return s
}

func (s Slot) validation() client.WireValidation {
	if s.Validation == nil {
		return client.WireValidation{}
	}
	return *s.Validation
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

// Unusable is the refusal of inputs that a goal cannot work with.
func Unusable(format string, args ...any) error {
	return &Failure{Code: CodeUnusable, Message: fmt.Sprintf(format, args...), Action: "none"}
}

// A pass ends with one of these where it cannot go on by itself; the Task says more.
var (
	ErrWaiting = errors.New("the job waits for answers")
	ErrReady   = errors.New("the job waits to be confirmed")
	ErrAgain   = errors.New("answers were taken back; another pass is due")
)
