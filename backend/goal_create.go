package backend

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
)

// slotGoal is the slot by which the service asks which goal a text means.
const slotGoal = "goal"

const (
	goalTextMin = 3 // characters
	goalTextMax = 2000
)

// catalog lists the goals: GET /api/v1/workflows/catalog. Anybody may ask.
func (s *Service) catalog(w http.ResponseWriter, _ *http.Request) {
	out := client.WireCatalog{Workflows: []client.WireCatalogEntry{}}
	for _, goal := range s.cfg.Goals {
		size, least, allowed := s.cfg.MaxUpload, goal.MinFiles, true
		out.Workflows = append(out.Workflows, client.WireCatalogEntry{
			WorkflowID: goal.ID, Name: goal.Name, Description: goal.Description,
			SupportedInputTypes: append([]string{}, goal.Types...), SupportedInputFormats: append([]string{}, goal.Formats...),
			Category: "goal_lane", RequiredSlotCount: goal.RequiredSlots, Status: "active", SupportedLocales: []string{"en"},
			MaxInputSizeBytes: &size, MinFileCount: &least, FreeTierAllowed: &allowed,
		})
	}
	out.Total = len(out.Workflows)
	writeJSON(w, http.StatusOK, out)
}

// newUUID makes a job's id, which event streams want to be a UUID; under an idempotency key always the same.
func newUUID(ctx context.Context) string {
	seed, _ := ctx.Value(idempotencyContext{}).(string)
	if seed == "" {
		return uuid.NewString()
	}
	sum := sha256.Sum256([]byte("goal " + seed))
	return uuid.NewSHA1(uuid.NameSpaceOID, sum[:]).String()
}

// createGoal admits a goal job: POST /api/v1/jobs/goal.
func (s *Service) createGoal(w http.ResponseWriter, r *http.Request) error {
	var in client.WireCreateGoal
	if err := readJSON(r, &in); err != nil {
		return err
	}
	ctx := r.Context()
	job := goalRow{id: newUUID(ctx), account: accountOf(ctx), status: client.GoalCreated, created: s.now(), updated: s.now()}
	existing, exists, err := s.store.goal(ctx, job.id)
	if err != nil {
		return err
	}
	if exists {
		writeJSON(w, http.StatusCreated, wireGoal(existing))
		return nil
	}
	if err := s.admitGoal(ctx, &job, in); err != nil {
		return err
	}
	if err := s.store.insertGoal(ctx, job); errors.Is(err, errFileGone) {
		return fileWentAway()
	} else if err != nil {
		return err
	}
	s.passes.wake()
	writeJSON(w, http.StatusCreated, wireGoal(job))
	return nil
}

func fileWentAway() error {
	return refuse(http.StatusGone, client.CodeFileExpired, "A file of this request was deleted or has expired meanwhile; upload it again.")
}

// admitGoal fills in a job, and refuses what no goal here can do.
func (s *Service) admitGoal(ctx context.Context, job *goalRow, in client.WireCreateGoal) error {
	if err := s.checkKind(in); err != nil {
		return err
	}
	seeds := map[string]json.RawMessage{}
	for _, answer := range in.SlotAnswers {
		if _, twice := seeds[answer.SlotID]; twice || answer.SlotID == "" {
			return invalid("slotAnswers must name each slot once.")
		}
		seeds[answer.SlotID] = answer.Value
	}
	files, err := s.inputsOf(ctx, job.account, in.FileIDs)
	if err != nil {
		return err
	}
	var fitting []goals.Goal
	if in.WorkflowID != "" {
		goal, ok := s.findGoal(in.WorkflowID)
		if !ok {
			return refuse(http.StatusNotFound, "WORKFLOW_NOT_FOUND", "There is no workflow %.80q here; GET %s lists what there is.", in.WorkflowID, client.PathCatalog)
		}
		if err := fits(goal, files); err != nil {
			return err
		}
		fitting = []goals.Goal{goal}
	} else if fitting, err = s.understand(in.GoalText, files); err != nil {
		return err
	}
	job.goalRecord = goalRecord{Text: in.GoalText, Files: append([]string{}, in.FileIDs...), Version: 1, Attempt: 1, Seeds: seeds, Answers: map[string]json.RawMessage{}}
	job.hold = in.FileIDs
	if len(fitting) == 1 {
		job.Goal = fitting[0].ID
		return nil
	}
	for _, goal := range fitting {
		job.Choices = append(job.Choices, goal.ID)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return refuse(http.StatusUnprocessableEntity, "INVALID_PARAMETERS", format, args...)
}

// checkKind sees to it that a request names exactly one thing that this service has.
func (s *Service) checkKind(in client.WireCreateGoal) error {
	if len(in.OutputSchema) > 0 && string(in.OutputSchema) != "null" || in.OutputFormat != "" {
		return refuse(http.StatusNotImplemented, "NOT_IMPLEMENTED",
			"Runs by outputSchema or outputFormat are not done here. Offered are %s.", s.offeredGoals())
	}
	named := 0
	for _, text := range []string{in.WorkflowID, in.UserWorkflowID, in.GoalText} {
		if text != "" {
			named++
		}
	}
	switch {
	case named != 1:
		return refuse(http.StatusBadRequest, "BAD_REQUEST", "Give exactly one of workflowId, userWorkflowId and goalText.")
	case in.UserWorkflowID != "":
		return refuse(http.StatusNotFound, "NOT_FOUND", "There are no workflows of users here. Offered are %s.", s.offeredGoals())
	case in.GoalText != "":
		if n := utf8.RuneCountInString(in.GoalText); n < goalTextMin || n > goalTextMax {
			return invalid("goalText must have %d to %d characters; it has %d.", goalTextMin, goalTextMax, n)
		}
		if len(in.FileIDs) == 0 {
			return invalid("A goalText needs files.")
		}
	}
	return nil
}

func (s *Service) findGoal(id string) (goals.Goal, bool) {
	at := slices.IndexFunc(s.cfg.Goals, func(g goals.Goal) bool { return g.ID == id })
	if at < 0 {
		return goals.Goal{}, false
	}
	return s.cfg.Goals[at], true
}

func (s *Service) offeredGoals() string {
	var ids []string
	for _, goal := range s.cfg.Goals {
		ids = append(ids, goal.ID)
	}
	if len(ids) == 0 {
		return "no goals"
	}
	return strings.Join(ids, ", ")
}

// inputsOf finds the files of a request, in its order.
func (s *Service) inputsOf(ctx context.Context, account string, ids []string) ([]fileRow, error) {
	files := make([]fileRow, len(ids))
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return nil, invalid("File %s is given twice.", id)
		}
		file, found, err := s.store.file(ctx, account, id)
		switch {
		case err != nil:
			return nil, err
		case !found, file.state == fileGranted:
			return nil, refuse(http.StatusNotFound, "NOT_FOUND", "There is no uploaded file %s.", id)
		case file.state == fileGone:
			return nil, expired(file)
		}
		files[i] = file
	}
	return files, nil
}

// fits compares files with what a goal takes.
func fits(goal goals.Goal, files []fileRow) error {
	if len(files) < goal.MinFiles || goal.MaxFiles > 0 && len(files) > goal.MaxFiles {
		most := "any number"
		if goal.MaxFiles > 0 {
			most = fmt.Sprint(goal.MaxFiles)
		}
		return invalid("%s takes %d to %s of files; %d are given.", goal.ID, goal.MinFiles, most, len(files))
	}
	for _, file := range files {
		if format, _ := client.FormatOf(file.name); !slices.Contains(goal.Formats, format) {
			return invalid("%s does not take %s (%s); it takes %s.", goal.ID, file.name, file.id, strings.Join(goal.Formats, ", "))
		}
	}
	return nil
}

// understand finds the goals that a text means and the files fit.
func (s *Service) understand(text string, files []fileRow) ([]goals.Goal, error) {
	formats := make([]string, len(files))
	for i, file := range files {
		formats[i], _ = client.FormatOf(file.name)
	}
	matching := slices.DeleteFunc(goals.Match(text, formats, s.cfg.Goals), func(goal goals.Goal) bool { return fits(goal, files) != nil })
	if len(matching) == 0 {
		return nil, refuse(http.StatusUnprocessableEntity, "GOAL_NOT_UNDERSTOOD",
			"This text names no goal that takes these files. Offered are %s; name one as workflowId.", s.offeredGoals())
	}
	return matching, nil
}

// chosenGoal is the goal of a job. Where a text may mean several, it is asked for first.
func (s *Service) chosenGoal(job goalRow, task *goals.Task) (goals.Goal, error) {
	id := job.Goal
	if id == "" {
		if json.Unmarshal(job.Answers[slotGoal], &id) != nil || id == "" {
			return goals.Goal{}, task.Ask(s.whichGoal(job))
		}
	}
	goal, ok := s.findGoal(id)
	if !ok {
		return goal, &goals.Failure{Code: "WORKFLOW_NOT_FOUND", Message: "The workflow " + id + " is not offered any more.", Action: "none"}
	}
	return goal, nil
}

func (s *Service) whichGoal(job goalRow) goals.Slot {
	var options []client.SlotOption
	for _, id := range job.Choices {
		goal, _ := s.findGoal(id)
		options = append(options, client.SlotOption{Value: id, Label: goal.Name})
	}
	slot := goals.Choice(slotGoal, "Which of these is meant?", options...)
	slot.IsDisambiguation = true
	return slot
}
