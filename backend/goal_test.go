package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// toy is a goal for tests that takes up to three md files.
func toy(id string, run func(ctx context.Context, t *goals.Task) error) goals.Goal {
	return goals.Goal{
		ID: id, Name: "Toy " + id, Description: "A goal for tests.", Types: []string{"document"}, Formats: []string{"md"},
		MaxFiles: 3, RequiredSlots: 1, Words: []string{"toy", id}, Run: run,
	}
}

// note is a step that writes a text.
func note(ctx context.Context, t *goals.Task, step, text string) (goals.File, error) {
	dir, err := t.Step(ctx, step, func(_ context.Context, dir string) error {
		return os.WriteFile(filepath.Join(dir, "note"), []byte(text), 0o600)
	})
	return goals.File{Path: filepath.Join(dir, "note"), Name: step + ".txt", Mime: "text/plain", Type: "text"}, err
}

var tone = goals.Choice("tone", "Which tone?", client.SlotOption{Value: "formal", Label: "Formal"}, client.SlotOption{Value: "casual", Label: "Casual"})

// letter asks two slots, waits to be confirmed, shows a draft on its way and asks about it.
func letter(ctx context.Context, t *goals.Task) error {
	count := goals.Free(slot.Number, "count", "How many?").Within(1, 5).Optional()
	if err := t.Ask(tone, count); err != nil {
		return err
	}
	if err := t.Ready(); err != nil {
		return err
	}
	t.Report(10, "drafting")
	draft, err := note(ctx, t, "draft", "a "+t.String("tone")+" draft")
	if err != nil {
		return err
	}
	t.Report(60, "approving")
	if err := t.Checkpoint(goals.Free(slot.Boolean, "approve", "Is the draft good?"), draft); err != nil {
		return err
	}
	t.Report(80, "printing")
	if !t.Bool("approve") {
		t.Lacks("the approval")
	}
	final, err := note(ctx, t, "final", fmt.Sprintf("%d %s letters", int(t.Number("count")), t.String("tone")))
	if err != nil {
		return err
	}
	t.Closing, t.Warnings = "The letters are done.", []string{"best_effort: no stamps"}
	t.Deliver(final, draft)
	return nil
}

type reply[T any] struct {
	Status int
	Error  client.WireError
	Body   T
	Text   string
}

func call[T any](t *testing.T, s *testkit.Service, method, path, body string, header ...string) reply[T] {
	t.Helper()
	status, _, text := raw(t, s, method, path, body, header...)
	out := reply[T]{Status: status, Text: text}
	if status < 300 {
		out.Body = decode[T](t, text)
	} else {
		out.Error = decode[client.WireError](t, text)
	}
	return out
}

func start(t *testing.T, s *testkit.Service, body string, header ...string) client.WireGoalJob {
	t.Helper()
	got := call[client.WireGoalJob](t, s, http.MethodPost, client.PathGoals, body, header...)
	require.Equal(t, http.StatusCreated, got.Status, got.Text)
	return got.Body
}

func startToy(t *testing.T, s *testkit.Service, id string) client.WireGoalJob {
	t.Helper()
	return start(t, s, `{"workflowId":"`+id+`","fileIds":[]}`)
}

func goalJob(t *testing.T, s *testkit.Service, id string) client.WireGoalJob {
	t.Helper()
	got := call[client.WireGoalJob](t, s, http.MethodGet, client.PathGoal(id), "")
	require.Equal(t, http.StatusOK, got.Status, got.Text)
	return got.Body
}

// until reads a job until it is in a state; progress must not fall on the way.
func until(t *testing.T, s *testkit.Service, id string, want client.GoalStatus) client.WireGoalJob {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(testkit.Patience)
	last := client.WireGoalJob{}
	for {
		job := goalJob(t, s, id)
		require.GreaterOrEqual(t, job.ItemVersion, last.ItemVersion)
		if job.AttemptID == last.AttemptID {
			require.GreaterOrEqual(t, job.Progress, last.Progress)
		}
		if job.Status == client.GoalSlotsPending {
			require.NotEmpty(t, job.PendingSlots)
		}
		if job.Status == want {
			return job
		}
		last = job
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("the job is %s, not %s: %+v", job.Status, want, job)
		}
	}
}

func fill(t *testing.T, s *testkit.Service, id, answers string) reply[client.WireGoalJob] {
	t.Helper()
	return call[client.WireGoalJob](t, s, http.MethodPatch, client.PathGoal(id, "slots"), `{"answers":[`+answers+`]}`)
}

func act(t *testing.T, s *testkit.Service, id, verb, body string, header ...string) reply[client.WireAck] {
	t.Helper()
	return call[client.WireAck](t, s, http.MethodPost, client.PathGoal(id, verb), body, header...)
}

func fetch(t *testing.T, s *testkit.Service, id, artifact string) string {
	t.Helper()
	link := call[client.WireArtifactLink](t, s, http.MethodGet, client.PathGoal(id, "artifacts", artifact, "download"), "")
	require.Equal(t, http.StatusOK, link.Status, link.Text)
	path := strings.TrimPrefix(string(link.Body.DownloadURL), s.URL)
	status, header, body := raw(t, s, http.MethodGet, path, "", "Authorization", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, link.Body.MimeType, header.Get("Content-Type"))
	require.EqualValues(t, len(body), link.Body.SizeBytes)
	assert.Equal(t, s.Clock.Now().Add(time.Hour), link.Body.ExpiresAt)
	return body
}

const formal = `{"slotId":"tone","value":"formal"}`

func TestAGoalFromItsQuestionsToItsArtifacts(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	job := startToy(t, s, "letter")
	assert.Equal(t, client.GoalCreated, job.Status)
	assert.Equal(t, 1, job.ItemVersion)
	job = until(t, s, job.JobSpecID, client.GoalSlotsPending)
	require.Len(t, job.PendingSlots, 2)
	assert.Equal(t, []string{"tone", "count"}, []string{job.PendingSlots[0].SlotID, job.PendingSlots[1].SlotID})
	assert.Nil(t, job.StartedAt)
	got := fill(t, s, job.JobSpecID, `{"slotId":"count","value":3}`)
	require.Equal(t, 200, got.Status, got.Text)
	assert.Equal(t, client.GoalSlotsPending, got.Body.Status, "what must be answered is not")
	require.Len(t, got.Body.PendingSlots, 1)
	assert.Greater(t, got.Body.ItemVersion, job.ItemVersion)
	require.Equal(t, 200, fill(t, s, job.JobSpecID, formal).Status)
	job = until(t, s, job.JobSpecID, client.GoalReady)
	assert.JSONEq(t, `"formal"`, string(job.FilledSlots["tone"]))
	assert.Empty(t, job.PendingSlots)
	assert.Equal(t, 400, call[client.WireArtifactList](t, s, "GET", client.PathGoal(job.JobSpecID, "artifacts"), "").Status)

	ack := act(t, s, job.JobSpecID, "confirm", "")
	require.Equal(t, 202, ack.Status, ack.Text)
	assert.Equal(t, client.GoalQueued, ack.Body.Status)
	assert.NotEmpty(t, ack.Body.MessageID)
	assert.NotNil(t, ack.Body.SubmittedAt)
	job = until(t, s, job.JobSpecID, client.GoalSlotsPending)
	assert.Equal(t, 60, job.Progress)
	assert.NotNil(t, job.StartedAt)
	require.Len(t, job.PendingInterrupts, 1)
	shown := decode[client.WireApproval](t, string(job.PendingInterrupts[0]))
	assert.Equal(t, client.WireApproval{InterruptType: "approval_review", SlotID: "approve", ArtifactID: shown.ArtifactID, FileName: "draft.txt", MimeType: "text/plain"}, shown)
	assert.Equal(t, "a formal draft", fetch(t, s, job.JobSpecID, shown.ArtifactID), "what is to be approved can be looked at")
	assert.Equal(t, 409, act(t, s, job.JobSpecID, "confirm", "{}").Status)

	require.Equal(t, 200, fill(t, s, job.JobSpecID, `{"slotId":"approve","value":true}`).Status)
	job = until(t, s, job.JobSpecID, client.GoalCompleted)
	assert.Equal(t, 100, job.Progress)
	assert.Equal(t, "The letters are done.\nbest_effort: no stamps", *job.AgentMessage)
	assert.NotNil(t, job.CompletedAt)
	assert.Nil(t, job.ErrorCode)
	assert.Equal(t, 404, call[client.WireArtifactLink](t, s, "GET", client.PathGoal(job.JobSpecID, "artifacts", "art_none", "download"), "").Status)
	list := call[client.WireArtifactList](t, s, "GET", client.PathGoal(job.JobSpecID, "artifacts"), "")
	require.Equal(t, 2, list.Body.Total)
	first := list.Body.Artifacts[0]
	assert.True(t, first.IsPrimary)
	assert.False(t, list.Body.Artifacts[1].IsPrimary)
	assert.Equal(t, "text", *first.ArtifactType)
	assert.EqualValues(t, len("3 formal letters"), first.SizeBytes)
	assert.Equal(t, "3 formal letters", fetch(t, s, job.JobSpecID, first.ArtifactID))
	assert.Equal(t, list.Body.Total, call[client.WireArtifactList](t, s, "GET", client.PathGoal(job.JobSpecID, "download"), "").Body.Total)
	s.Restart()
	assert.Equal(t, "3 formal letters", fetch(t, s, job.JobSpecID, first.ArtifactID))
	s.Clock.Advance(2 * time.Hour)
	status, _, body := raw(t, s, "GET", strings.TrimPrefix(string(*first.DownloadURL), s.URL), "")
	assert.Equal(t, 403, status, body)
}

func TestAPartialGoalSaysWhatIsMissing(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	id := start(t, s, `{"workflowId":"letter","fileIds":[],"slotAnswers":[`+formal+`,{"slotId":"approve","value":false}]}`).JobSpecID
	until(t, s, id, client.GoalReady)
	require.Equal(t, 202, act(t, s, id, "confirm", "{}").Status)
	job := until(t, s, id, client.GoalPartial)
	assert.Equal(t, "PARTIAL_RESULT", *job.ErrorCode)
	assert.Equal(t, "the approval", *job.ErrorMessage)
	assert.Equal(t, 2, call[client.WireArtifactList](t, s, "GET", client.PathGoal(id, "artifacts"), "").Body.Total)
	for _, verb := range []string{"cancel", "retry", "confirm"} {
		t.Run(verb, func(t *testing.T) {
			assert.Equal(t, "CONFLICT", act(t, s, id, verb, "").Error.Code, verb)
		})
	}
	assert.Equal(t, "CONFLICT", fill(t, s, id, formal).Error.Code)
}

func TestAnAnswerGivenBeforehandIsCheckedWhenItsSlotIsAsked(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	id := start(t, s, `{"workflowId":"letter","fileIds":[],"slotAnswers":[{"slotId":"tone","value":"rude"},{"slotId":"count","value":2}]}`).JobSpecID
	job := until(t, s, id, client.GoalSlotsPending)
	require.Len(t, job.PendingSlots, 1)
	assert.Equal(t, "tone", job.PendingSlots[0].SlotID)
	assert.JSONEq(t, "2", string(job.FilledSlots["count"]))
	assert.Equal(t, `The answer given for "tone" was refused: "rude" is not one of formal, casual`, *job.AgentMessage)
}

func TestGoalsThatCannotBeStarted(t *testing.T) {
	picky := toy("picky", letter)
	picky.MinFiles = 2
	picky.Slots = []string{"tone", "count"}
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter), picky))
	file, other := upload(t, s, "a.md", "a").FileID, upload(t, s, "b.csv", "b").FileID
	gone := upload(t, s, "c.md", "c").FileID
	second := upload(t, s, "d.md", "d").FileID
	require.NoError(t, s.Client.Files.Delete(t.Context(), gone))
	for body, want := range map[string]struct {
		status    int
		code, has string
	}{
		`[]`:             {400, "BAD_REQUEST", ""},
		`{"fileIds":[]}`: {400, "BAD_REQUEST", "exactly one"},
		`{"workflowId":"letter","goalText":"a toy","fileIds":["` + file + `"]}`:                                            {400, "BAD_REQUEST", "exactly one"},
		`{"workflowId":"none","fileIds":[]}`:                                                                               {404, "WORKFLOW_NOT_FOUND", "none"},
		`{"userWorkflowId":"uw_1","fileIds":[]}`:                                                                           {404, "NOT_FOUND", "letter, picky"},
		`{"fileIds":["` + file + `"],"outputSchema":{}}`:                                                                   {501, "NOT_IMPLEMENTED", "letter, picky"},
		`{"fileIds":["` + file + `"],"outputFormat":"markdown"}`:                                                           {501, "NOT_IMPLEMENTED", "letter, picky"},
		`{"workflowId":"letter","fileIds":["file_x"]}`:                                                                     {404, "NOT_FOUND", "file_x"},
		`{"workflowId":"letter","fileIds":["` + gone + `"]}`:                                                               {410, "FILE_EXPIRED", gone},
		`{"workflowId":"letter","fileIds":["` + other + `"]}`:                                                              {422, "INVALID_PARAMETERS", "b.csv"},
		`{"workflowId":"letter","fileIds":["` + file + `","` + file + `"]}`:                                                {422, "INVALID_PARAMETERS", file},
		`{"workflowId":"picky","fileIds":["` + file + `"]}`:                                                                {422, "INVALID_PARAMETERS", "2 to 3"},
		`{"workflowId":"letter","fileIds":[],"slotAnswers":[` + formal + `,` + formal + `]}`:                               {422, "INVALID_PARAMETERS", "once"},
		`{"workflowId":"picky","fileIds":["` + file + `","` + second + `"],"slotAnswers":[{"slotId":"tune","value":"x"}]}`: {422, "INVALID_PARAMETERS", `No slot is called "tune" here; there are tone, count.`},
		`{"goalText":"ab","fileIds":["` + file + `"]}`:                                                                     {422, "INVALID_PARAMETERS", "3 to 2000"},
		`{"goalText":"` + strings.Repeat("a", 2001) + `","fileIds":["` + file + `"]}`:                                      {422, "INVALID_PARAMETERS", "2001"},
		`{"goalText":"a toy","fileIds":[]}`:                                                                                {422, "INVALID_PARAMETERS", "needs files"},
		`{"goalText":"bake a cake","fileIds":["` + file + `"]}`:                                                            {422, "GOAL_NOT_UNDERSTOOD", "letter, picky"},
		`{"goalText":"a toy letter","fileIds":["` + other + `"]}`:                                                          {422, "GOAL_NOT_UNDERSTOOD", "letter, picky"},
	} {
		t.Run(body, func(t *testing.T) {
			got := call[client.WireGoalJob](t, s, http.MethodPost, client.PathGoals, body)
			assert.Equal(t, want.status, got.Status, "%.100s: %s", body, got.Text)
			assert.Equal(t, want.code, got.Error.Code, "%.100s", body)
			assert.Contains(t, got.Error.Message, want.has, "%.100s", body)
		})
	}
	status, _, _ := raw(t, s, http.MethodPost, client.PathGoals, `{}`, "Authorization", "")
	assert.Equal(t, 401, status)
	assert.Zero(t, call[client.WireGoalList](t, s, "GET", client.PathGoals, "").Body.Total)
}

func TestGoalsByTheirTexts(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter), toy("poem", letter)))
	file := upload(t, s, "a.md", "a").FileID
	plain := start(t, s, `{"goalText":"Write me a Letter!","fileIds":["`+file+`"]}`)
	assert.Equal(t, "Write me a Letter!", *plain.GoalText)
	job := until(t, s, plain.JobSpecID, client.GoalSlotsPending)
	assert.Equal(t, "tone", job.PendingSlots[0].SlotID)

	vague := start(t, s, `{"goalText":"make a toy","fileIds":["`+file+`"]}`)
	job = until(t, s, vague.JobSpecID, client.GoalSlotsPending)
	require.Len(t, job.PendingSlots, 1)
	assert.Equal(t, client.WirePendingSlot{
		SlotID: "goal", SlotType: slot.Choice, Question: "Which of these is meant?", Required: true, IsDisambiguation: true,
		Options: []client.SlotOption{{Value: "letter", Label: "Toy letter"}, {Value: "poem", Label: "Toy poem"}}, SuggestedValue: json.RawMessage("null"),
	}, job.PendingSlots[0])
	assert.Equal(t, "INVALID_SLOT_ANSWER", fill(t, s, job.JobSpecID, `{"slotId":"goal","value":"essay"}`).Error.Code)
	require.Equal(t, 200, fill(t, s, job.JobSpecID, `{"slotId":"goal","value":"poem"}`).Status)
	until(t, s, vague.JobSpecID, client.GoalSlotsPending)
	require.Equal(t, 200, fill(t, s, vague.JobSpecID, formal).Status)
	until(t, s, vague.JobSpecID, client.GoalReady)
}

func TestTheCatalogIsForAnybody(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	got := call[client.WireCatalog](t, s, http.MethodGet, client.PathCatalog, "", "Authorization", "")
	require.Equal(t, 1, got.Body.Total, got.Text)
	entry := got.Body.Workflows[0]
	assert.Equal(t, "letter", entry.WorkflowID)
	assert.Equal(t, []string{"md"}, entry.SupportedInputFormats)
	assert.Equal(t, "active", entry.Status)
	assert.Nil(t, entry.Tier)
	for _, field := range []string{"supportedInputTypes", "requiredSlotCount", "description"} {
		assert.NotContains(t, got.Text, `"`+field+`":null`)
	}
}
