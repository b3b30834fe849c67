package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/backend/queue"
	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

const (
	goalTextMin = 3 // characters
	goalTextMax = 2000
)

// catalog lists the goals: GET /api/v1/workflows/catalog. Anybody may ask.
func (s *server) catalog(w http.ResponseWriter, _ *http.Request) {
	out := client.WireCatalog{Workflows: []client.WireCatalogEntry{}}
	for _, goal := range s.cfg.Catalog {
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
func (s *server) createGoal(w http.ResponseWriter, r *http.Request) error {
	var in client.WireCreateGoal
	if err := readJSON(r, &in); err != nil {
		return err
	}
	ctx := r.Context()
	job := store.Goal{
		ID: newUUID(ctx), Account: accountOf(ctx), Status: client.GoalCreated, Created: s.cfg.Now(), Updated: s.cfg.Now(),
	}
	existing, exists, err := s.store.Goal(ctx, job.ID)
	if err != nil {
		return err
	}
	if exists {
		writeJSON(w, http.StatusCreated, s.wireGoal(existing))
		return nil
	}
	if err := s.admitGoal(ctx, &job, in); err != nil {
		return err
	}
	if err := s.goals.Submit(ctx, job); err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, s.wireGoal(job))
	return nil
}

// admitGoal fills in a job, and refuses what no goal here can do.
func (s *server) admitGoal(ctx context.Context, job *store.Goal, in client.WireCreateGoal) error {
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
	files, err := s.inputsOf(ctx, job.Account, in.FileIDs)
	if err != nil {
		return err
	}
	var fitting []goals.Goal
	if in.WorkflowID != "" {
		goal, ok := s.cfg.Catalog.Find(in.WorkflowID)
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
	if err := checkSeeds(seeds, fitting); err != nil {
		return err
	}
	job.GoalRecord = store.GoalRecord{Text: in.GoalText, Files: append([]string{}, in.FileIDs...), Version: 1, Attempt: 1, Seeds: seeds, Answers: map[string]json.RawMessage{}}
	job.Hold = in.FileIDs
	if len(fitting) == 1 {
		job.Goal = fitting[0].ID
		return nil
	}
	for _, goal := range fitting {
		job.Choices = append(job.Choices, goal.ID)
	}
	return nil
}

// checkSeeds refuses answers to what none of the goals asks. Those to what they do ask are judged when it is asked.
func checkSeeds(seeds map[string]json.RawMessage, fitting []goals.Goal) error {
	var known []string
	if len(fitting) > 1 {
		known = append(known, queue.SlotGoal)
	}
	for _, goal := range fitting {
		if len(goal.Slots) == 0 {
			return nil // it does not say what it asks
		}
		known = append(known, goal.Slots...)
	}
	for _, id := range slices.Sorted(maps.Keys(seeds)) {
		if !slices.Contains(known, id) {
			return invalid("No slot is called %.80q here; there are %s.", id, strings.Join(known, ", "))
		}
	}
	return nil
}

// checkKind sees to it that a request names exactly one thing that this service has.
func (s *server) checkKind(in client.WireCreateGoal) error {
	if len(in.OutputSchema) > 0 && string(in.OutputSchema) != "null" || in.OutputFormat != "" {
		return refuse(http.StatusNotImplemented, "NOT_IMPLEMENTED",
			"Runs by outputSchema or outputFormat are not done here. Offered are %s.", s.cfg.Catalog.IDs())
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
		return refuse(http.StatusNotFound, "NOT_FOUND", "There are no workflows of users here. Offered are %s.", s.cfg.Catalog.IDs())
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

// inputsOf finds the files of a request, in its order.
func (s *server) inputsOf(ctx context.Context, account string, ids []string) ([]store.File, error) {
	files := make([]store.File, len(ids))
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return nil, invalid("File %s is given twice.", id)
		}
		file, found, err := s.store.File(ctx, account, id)
		switch {
		case err != nil:
			return nil, err
		case !found, file.State == store.FileGranted:
			return nil, refuse(http.StatusNotFound, "NOT_FOUND", "There is no uploaded file %s.", id)
		case file.State == store.FileGone:
			return nil, queue.Expired(file)
		}
		files[i] = file
	}
	return files, nil
}

// fits compares files with what a goal takes.
func fits(goal goals.Goal, files []store.File) error {
	if len(files) < goal.MinFiles || goal.MaxFiles > 0 && len(files) > goal.MaxFiles {
		most := "any number"
		if goal.MaxFiles > 0 {
			most = fmt.Sprint(goal.MaxFiles)
		}
		return invalid("%s takes %d to %s of files; %d are given.", goal.ID, goal.MinFiles, most, len(files))
	}
	for _, file := range files {
		if format, _ := client.FormatOf(file.Name); !slices.Contains(goal.Formats, format) {
			return invalid("%s does not take %s (%s); it takes %s.", goal.ID, file.Name, file.ID, strings.Join(goal.Formats, ", "))
		}
	}
	return nil
}

// understand finds the goals that a text means and the files fit.
func (s *server) understand(text string, files []store.File) ([]goals.Goal, error) {
	formats := make([]string, len(files))
	for i, file := range files {
		formats[i], _ = client.FormatOf(file.Name)
	}
	matching := slices.DeleteFunc(goals.Match(text, formats, s.cfg.Catalog), func(goal goals.Goal) bool { return fits(goal, files) != nil })
	if len(matching) == 0 {
		return nil, refuse(http.StatusUnprocessableEntity, "GOAL_NOT_UNDERSTOOD",
			"This text names no goal that takes these files. Offered are %s; name one as workflowId.", s.cfg.Catalog.IDs())
	}
	return matching, nil
}
