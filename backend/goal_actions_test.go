package backend_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// questionnaire asks a slot of every type at once and delivers the answers.
func questionnaire(ctx context.Context, t *goals.Task) error {
	several := goals.MultiChoice("several", "Which?", client.SlotOption{Value: "a", Label: "A"}, client.SlotOption{Value: "b", Label: "B"}).AtMost(1)
	err := t.Ask(tone, several, goals.Free(slot.Text, "text", "What?"), goals.Free(slot.Number, "number", "How many?").Within(1, 5),
		goals.Free(slot.Boolean, "yes", "Yes?"), goals.Free(slot.Date, "date", "When?"), goals.Free(slot.File, "file", "Which file?"),
		goals.Free(slot.Rating, "stars", "How good?"))
	if err != nil {
		return err
	}
	if err := t.Ready(); err != nil {
		return err
	}
	text := ""
	for _, in := range t.Given("file") {
		data, err := os.ReadFile(in.Path)
		if err != nil {
			return err
		}
		text += in.Name + "=" + string(data) + ";"
	}
	file, err := note(ctx, t, "answers", text+strconv.Itoa(len(t.Inputs)))
	t.Deliver(file)
	return err
}

func TestAnswersThatAreNone(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("questionnaire", questionnaire)), func(c *backend.Config) { c.Keys = []string{"ck_one", "ck_two"} })
	two, err := client.New(s.URL, "ck_two")
	require.NoError(t, err)
	t.Cleanup(two.CloseIdleConnections)
	foreign, err := two.Files.Upload(t.Context(), client.UploadParams{Name: "f.md", Size: 1, ContentType: "x/y", Body: strings.NewReader("f")})
	require.NoError(t, err)
	mine, second := upload(t, s, "mine.md", "m").FileID, upload(t, s, "second.md", "s").FileID
	id := startToy(t, s, "questionnaire").JobSpecID
	before := until(t, s, id, client.GoalSlotsPending)
	for answers, want := range map[string]struct {
		status          int
		code, slot, has string
	}{
		``:                                                          {422, "INVALID_PARAMETERS", "", "At least one"},
		`{"slotId":"none","value":1}`:                               {422, "INVALID_SLOT_ANSWER", "none", "does not ask"},
		`{"slotId":"tone","value":"rude"}`:                          {422, "INVALID_SLOT_ANSWER", "tone", "formal, casual"},
		`{"slotId":"tone","value":1}`:                               {422, "INVALID_SLOT_ANSWER", "tone", "text"},
		`{"slotId":"tone"}`:                                         {422, "INVALID_SLOT_ANSWER", "tone", "missing"},
		`{"slotId":"several","value":["a","b"]}`:                    {422, "INVALID_SLOT_ANSWER", "several", "1 are allowed"},
		`{"slotId":"several","value":"a"}`:                          {422, "INVALID_SLOT_ANSWER", "several", "list"},
		`{"slotId":"text","value":" "}`:                             {422, "INVALID_SLOT_ANSWER", "text", "empty"},
		`{"slotId":"number","value":6}`:                             {422, "INVALID_SLOT_ANSWER", "number", "from 1 to 5"},
		`{"slotId":"yes","value":"yes"}`:                            {422, "INVALID_SLOT_ANSWER", "yes", "true or false"},
		`{"slotId":"date","value":"2026-02-30"}`:                    {422, "INVALID_SLOT_ANSWER", "date", "YYYY-MM-DD"},
		`{"slotId":"file","value":[]}`:                              {422, "INVALID_SLOT_ANSWER", "file", "file id"},
		`{"slotId":"file","value":"nobody"}`:                        {403, "FORBIDDEN_FILE", "file", "nobody"},
		`{"slotId":"file","value":"` + foreign.FileID + `"}`:        {403, "FORBIDDEN_FILE", "file", foreign.FileID},
		`{"slotId":"file","value":["` + mine + `","` + mine + `"]}`: {422, "INVALID_SLOT_ANSWER", "file", "twice"},
		`{"slotId":"stars","value":0}`:                              {422, "INVALID_SLOT_ANSWER", "stars", "0 is not from 1 to 5"},
		formal + `,` + formal:                                       {422, "INVALID_SLOT_ANSWER", "tone", "twice"},
		formal + `,{"slotId":"number","value":0}`:                   {422, "INVALID_SLOT_ANSWER", "number", "0 is not"},
	} {
		t.Run(answers, func(t *testing.T) {
			got := fill(t, s, id, answers)
			assert.Equal(t, want.status, got.Status, "%s: %s", answers, got.Text)
			assert.Equal(t, want.code, got.Error.Code, answers)
			assert.Contains(t, got.Error.Message, want.has, answers)
			if want.slot != "" {
				assert.Equal(t, want.slot, got.Error.Details["slotId"], answers)
				assert.NotEmpty(t, got.Error.Details["reason"], answers)
			}
		})
	}
	got := fill(t, s, id, `{"slotId":"tone","value":"rude"}`)
	assert.Len(t, got.Error.Details["options"], 2)
	assert.Equal(t, before, goalJob(t, s, id), "refused answers leave no trace")

	require.Equal(t, 200, fill(t, s, id, formal+`,{"slotId":"several","value":["b"]},{"slotId":"text","value":"x"},{"slotId":"number","value":5},
		{"slotId":"yes","value":false},{"slotId":"date","value":"2026-02-28"},{"slotId":"stars","value":4},{"slotId":"file","value":["`+second+`","`+mine+`"]}`).Status)
	until(t, s, id, client.GoalReady)
	require.True(t, client.IsFileInUse(s.Client.Files.Delete(t.Context(), mine)), "a file that answered a slot is held, too")
	require.Equal(t, 202, act(t, s, id, "confirm", "{}").Status)
	until(t, s, id, client.GoalCompleted)
	list := call[client.WireArtifactList](t, s, "GET", client.PathGoal(id, "artifacts"), "")
	assert.Equal(t, "second.md=s;mine.md=m;0", fetch(t, s, id, list.Body.Artifacts[0].ArtifactID), "in the order of the answer, and apart from the inputs")
	require.NoError(t, s.Client.Files.Delete(t.Context(), mine))

	for _, path := range []string{"", "status", "artifacts", "download"} {
		t.Run(path, func(t *testing.T) {
			status, _, body := raw(t, s, "GET", client.PathGoal(id)+map[bool]string{true: "", false: "/" + path}[path == ""], "", "Authorization", "Bearer ck_two")
			assert.Equal(t, 404, status, body)
		})
	}
	status, _, body := raw(t, s, "POST", client.PathGoal(id, "cancel"), "", "Authorization", "Bearer ck_two")
	assert.Equal(t, 404, status, body)
}

func TestVersionsAndSpellings(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	patch := func(id, body string) reply[client.WireGoalJob] {
		return call[client.WireGoalJob](t, s, http.MethodPatch, client.PathGoal(id, "slots"), body)
	}
	for _, names := range [][2]string{{"answers", "expectedVersion"}, {"slots", "itemVersion"}} {
		id := startToy(t, s, "letter").JobSpecID
		job := until(t, s, id, client.GoalSlotsPending)
		got := patch(id, `{"`+names[0]+`":[`+formal+`],"`+names[1]+`":`+strconv.Itoa(job.ItemVersion-1)+`}`)
		assert.Equal(t, "VERSION_CONFLICT", got.Error.Code, got.Text)
		assert.Equal(t, 409, got.Status)
		got = patch(id, `{"`+names[0]+`":[`+formal+`],"`+names[1]+`":`+strconv.Itoa(job.ItemVersion)+`}`)
		require.Equal(t, 200, got.Status, got.Text)
		assert.Equal(t, "CONFLICT", fill(t, s, id, formal).Error.Code, "nothing is asked any more")
		job = until(t, s, id, client.GoalReady)
		assert.Equal(t, "VERSION_CONFLICT", act(t, s, id, "confirm", `{"expectedVersion":1}`).Error.Code)
		require.Equal(t, 202, act(t, s, id, "confirm", `{"expectedVersion":`+strconv.Itoa(job.ItemVersion)+`}`).Status)
	}
	status := call[client.WireGoalStatus](t, s, "GET", client.PathGoal(startToy(t, s, "letter").JobSpecID, "status"), "")
	assert.Equal(t, 200, status.Status)
	assert.Positive(t, status.Body.SuggestedPollIntervalMs)
	assert.Equal(t, 404, call[client.WireGoalStatus](t, s, "GET", client.PathGoal("nobody", "status"), "").Status)
	assert.Equal(t, "JOB_NOT_FOUND", fill(t, s, "nobody", formal).Error.Code)
}

func TestOneKeyOneEffect(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	file := upload(t, s, "a.md", "a").FileID
	body := `{"workflowId":"letter","fileIds":["` + file + `"]}`
	first := start(t, s, body, "Idempotency-Key", "k")
	s.Restart()
	assert.Equal(t, first.JobSpecID, start(t, s, body, "Idempotency-Key", "k").JobSpecID)
	other := start(t, s, body, "Idempotency-Key", "other").JobSpecID
	assert.NotEqual(t, first.JobSpecID, other)
	list := call[client.WireGoalList](t, s, "GET", client.PathGoals+"?file_id="+file, "")
	require.Equal(t, 2, list.Body.Total)
	assert.Equal(t, other, list.Body.Jobs[0].JobSpecID, "newest first")
	assert.Zero(t, call[client.WireGoalList](t, s, "GET", client.PathGoals+"?file_id=nobody", "").Body.Total)

	until(t, s, first.JobSpecID, client.GoalSlotsPending)
	for range 2 {
		got := call[client.WireGoalJob](t, s, http.MethodPatch, client.PathGoal(first.JobSpecID, "slots"), `{"answers":[`+formal+`]}`, "Idempotency-Key", "p")
		require.Equal(t, 200, got.Status, got.Text)
		until(t, s, first.JobSpecID, client.GoalReady)
	}
	for range 2 {
		require.Equal(t, 202, act(t, s, first.JobSpecID, "confirm", "{}", "Idempotency-Key", "c").Status, "a repeat finds it done")
		until(t, s, first.JobSpecID, client.GoalSlotsPending)
	}
	assert.Equal(t, "CONFLICT", act(t, s, first.JobSpecID, "confirm", "{}", "Idempotency-Key", "c2").Error.Code)
	for range 2 {
		require.Equal(t, 202, act(t, s, first.JobSpecID, "cancel", "", "Idempotency-Key", "x").Status)
	}
}

func TestFailuresOfGoals(t *testing.T) {
	for name, test := range map[string]struct {
		run                   func(ctx context.Context, t *goals.Task) error
		code, message, action string
	}{
		"names what the owner can do": {func(context.Context, *goals.Task) error { return goals.Unusable("page %d is empty", 3) }, "GOAL_INPUT_UNUSABLE", "page 3 is empty", "none"},
		"may be retried": {func(context.Context, *goals.Task) error {
			return &goals.Failure{Code: goals.CodeStep, Message: "m", Action: "retry"}
		}, "GOAL_STEP_FAILED", "m", "retry"},
		"panics":                       {func(context.Context, *goals.Task) error { panic("with a secret") }, "INTERNAL", "log says why", "retry"},
		"fails otherwise":              {func(context.Context, *goals.Task) error { return errors.New("a secret") }, "INTERNAL", "log says why", "retry"},
		"makes nothing":                {func(context.Context, *goals.Task) error { return nil }, "INTERNAL", "log says why", "retry"},
		"asks nothing":                 {func(context.Context, *goals.Task) error { return goals.ErrWaiting }, "INTERNAL", "log says why", "retry"},
		"goes round in circles":        {func(context.Context, *goals.Task) error { return goals.ErrAgain }, "INTERNAL", "without progress", "retry"},
		"delivers what is not its own": {func(_ context.Context, t *goals.Task) error { t.Deliver(goals.File{Path: "/etc/hostname"}); return nil }, "INTERNAL", "log says why", "retry"},
		"delivers a link": {func(_ context.Context, t *goals.Task) error {
			path := filepath.Join(t.Dir, "link")
			t.Deliver(goals.File{Path: path})
			return os.Symlink("/etc/hostname", path)
		}, "INTERNAL", "log says why", "retry"},
		"cannot convert": {func(ctx context.Context, t *goals.Task) error {
			_, _, err := t.Convert(ctx, goals.Input{Name: "a.md", Format: "md"}, "mp3", filepath.Join(t.Dir, "x"))
			return err
		}, "UNSUPPORTED_CONVERSION", "a.md: no engine here converts md to mp3", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			s := testkit.StartService(t, testkit.WithGoals(toy("odd", test.run)))
			job := until(t, s, startToy(t, s, "odd").JobSpecID, client.GoalFailed)
			assert.Equal(t, test.code, *job.ErrorCode, name)
			assert.Contains(t, *job.ErrorMessage, test.message, name)
			assert.NotContains(t, *job.ErrorMessage, "secret", name)
			assert.Equal(t, test.action, *job.SuggestedAction, name)
			assert.Equal(t, 400, call[client.WireArtifactList](t, s, "GET", client.PathGoal(job.JobSpecID, "artifacts"), "").Status, name)
		})
	}
}

func TestRetries(t *testing.T) {
	var made, broken atomic.Int32
	broken.Store(1)
	run := func(ctx context.Context, task *goals.Task) error {
		if err := task.Ask(tone); err != nil {
			return err
		}
		if err := task.Ready(); err != nil {
			return err
		}
		dir, err := task.Step(ctx, "once", func(_ context.Context, dir string) error {
			made.Add(1)
			return os.WriteFile(filepath.Join(dir, "f"), nil, 0o600)
		})
		if err != nil {
			return err
		}
		task.Report(70, "half way")
		if broken.Load() > 0 {
			return &goals.Failure{Code: goals.CodeStep, Message: "broken", Reason: "WHY", Action: "retry"}
		}
		task.Deliver(goals.File{Path: filepath.Join(dir, "f"), Name: "f", Mime: "x/y"})
		return nil
	}
	s := testkit.StartService(t, testkit.WithGoals(toy("shaky", run)))
	file := upload(t, s, "a.md", "a").FileID
	id := start(t, s, `{"workflowId":"shaky","fileIds":["`+file+`"],"slotAnswers":[`+formal+`]}`).JobSpecID
	until(t, s, id, client.GoalReady)
	assert.Equal(t, "CONFLICT", act(t, s, id, "retry", "{}").Error.Code)
	require.Equal(t, 202, act(t, s, id, "confirm", "{}").Status)
	job := until(t, s, id, client.GoalFailed)
	assert.Equal(t, []any{"att_1", 70, "WHY"}, []any{job.AttemptID, job.Progress, job.ErrorDetail.Reason})
	assert.Equal(t, "INVALID_PARAMETERS", act(t, s, id, "retry", `{"rerunMode":"again"}`).Error.Code)

	ack := act(t, s, id, "retry", `{"rerunMode":"retry_same_thread","reason":"why not"}`)
	require.Equal(t, 202, ack.Status, ack.Text)
	assert.Equal(t, client.GoalQueued, ack.Body.Status)
	job = until(t, s, id, client.GoalFailed)
	assert.Equal(t, "att_2", job.AttemptID)
	assert.EqualValues(t, 1, made.Load(), "the step is not done again")

	require.Equal(t, 202, act(t, s, id, "retry", `{"rerunMode":"fresh_rerun"}`).Status)
	job = until(t, s, id, client.GoalSlotsPending)
	assert.Empty(t, job.FilledSlots)
	assert.Nil(t, job.ErrorCode)
	require.Equal(t, 200, fill(t, s, id, formal).Status)
	until(t, s, id, client.GoalReady)
	broken.Store(0)
	require.Equal(t, 202, act(t, s, id, "confirm", "{}").Status)
	job = until(t, s, id, client.GoalCompleted)
	assert.Equal(t, []any{"att_3", 100}, []any{job.AttemptID, job.Progress})
	assert.EqualValues(t, 2, made.Load())

	broken.Store(1)
	id = start(t, s, `{"workflowId":"shaky","fileIds":["`+file+`"],"slotAnswers":[`+formal+`]}`).JobSpecID
	until(t, s, id, client.GoalReady)
	require.Equal(t, 202, act(t, s, id, "confirm", "{}").Status)
	until(t, s, id, client.GoalFailed)
	require.NoError(t, s.Client.Files.Delete(t.Context(), file))
	assert.Equal(t, "FILE_EXPIRED", act(t, s, id, "retry", `{"rerunMode":"fresh_rerun"}`).Error.Code)
}

func TestGoalsConvertAndChangeTheirMind(t *testing.T) {
	run := func(ctx context.Context, task *goals.Task) error {
		dir, err := task.Step(ctx, "convert", func(ctx context.Context, dir string) error {
			files, _, err := task.Convert(ctx, task.Inputs[0], "html", dir)
			if err != nil {
				return err
			}
			return os.Rename(files[0].Path, filepath.Join(dir, "page"))
		})
		if err != nil {
			return err
		}
		if err := task.Ask(tone); err != nil {
			return err
		}
		if task.String("tone") == "casual" {
			return task.Retake([]string{"tone"}, "convert")
		}
		task.Deliver(goals.File{Path: filepath.Join(dir, "page"), Name: "page.html", Mime: "text/html", Type: "document"})
		return nil
	}
	g := newGate()
	close(g.open)
	s := testkit.StartService(t, testkit.WithGoals(toy("page", run)), testkit.WithEngines(g.engine()))
	file := upload(t, s, "a.md", "words").FileID
	id := start(t, s, `{"workflowId":"page","fileIds":["`+file+`"]}`).JobSpecID
	until(t, s, id, client.GoalSlotsPending)
	require.Equal(t, 200, fill(t, s, id, `{"slotId":"tone","value":"casual"}`).Status)
	job := until(t, s, id, client.GoalSlotsPending)
	assert.Empty(t, job.FilledSlots, "the answer was taken back")
	require.Equal(t, 200, fill(t, s, id, formal).Status)
	until(t, s, id, client.GoalCompleted)
	list := call[client.WireArtifactList](t, s, "GET", client.PathGoal(id, "artifacts"), "")
	assert.Equal(t, "WORDS", fetch(t, s, id, list.Body.Artifacts[0].ArtifactID))
	assert.EqualValues(t, 2, g.calls.Load(), "once, and once more after the step was taken back")

	slow := newGate()
	s = testkit.StartService(t, testkit.WithGoals(toy("page", run)), testkit.WithEngines(slow.engine()), func(c *backend.Config) { c.ConvertTimeout = time.Millisecond })
	id = start(t, s, `{"workflowId":"page","fileIds":["`+upload(t, s, "a.md", "words").FileID+`"]}`).JobSpecID
	job = until(t, s, id, client.GoalFailed)
	assert.Equal(t, engines.CodeConversionFailed, *job.ErrorCode)
	assert.Contains(t, *job.ErrorMessage, "took longer than 1ms")
	assert.Equal(t, "retry", *job.SuggestedAction)
}
