package commands

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// What a database shall not hold: words of a file's name, of a batch's, of an answer, of a signal and of a failed file.
var canaries = []string{"kanarienvogel", "kanarischebatch", "A note with the kanarienfrage.", "kanariennotiz", "kanarienbruch"}

func openSealed(b *fixture.Workspace, keys *sealing.Keys) *fixture.Stack {
	b.T.Helper()
	return b.OpenChanged(func(o *stack.Options) { o.Config.Keys = keys })
}

// sing has a conversion, a failure, a batch and a goal go through Temporal, all of which name canaries. The goal is
// left parked.
func sing(t *testing.T, b *fixture.Workspace, s *fixture.Stack) (convertID, goalID string) {
	t.Helper()
	bird := b.Write("kanarienvogel.md", "# A")
	code, stdout, stderr := b.Run("convert", bird, "--to", "html", "-o", b.Out, "--json")
	require.Equal(t, 0, code, stderr)
	convertID = fixture.Results(t, stdout)[0].WorkflowID
	code, stdout, stderr = b.Run("convert", b.Write("kanarienbruch.docx", "no docx"), "--to", "txt", "-o", b.Out, "--json")
	require.Equal(t, cli.ExitJobFailed, code, stderr)
	assert.Equal(t, "UNSUPPORTED_INPUT", fixture.Results(t, stdout)[0].Error.Code)
	code, _, stderr = b.Run("batch", b.In, "--include", "*.md", "--to", "txt", "-o", filepath.Join(b.Out, "batch"), "--name", "kanarischebatch", "--json")
	require.Equal(t, 0, code, stderr)

	goalID = "goal-parked"
	input := b.GoalInput(1)
	input.Answers = []questions.Answer{{SlotID: "cover", Value: json.RawMessage(`"approve"`), Note: canaries[2]}}
	s.StartGoal(goalID, input)
	s.AwaitQuestion(goalID, "title")
	require.NoError(t, s.Client.SignalWorkflow(t.Context(), goalID, "", questions.SignalFillSlot, map[string]any{
		"slot_id": "title", "value": "Birds", "note": "kanariennotiz", "answer_id": "first",
	}))
	s.AwaitReceipt(goalID, "first")
	return convertID, goalID
}

// raw is every byte that Temporal has on disk, in lower case.
func raw(b *fixture.Workspace) []byte {
	b.T.Helper()
	paths, err := filepath.Glob(filepath.Join(b.Data, "temporal.db*"))
	require.NoError(b.T, err)
	var all []byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(b.T, err)
		all = append(all, data...)
	}
	require.NotEmpty(b.T, all)
	return bytes.ToLower(all)
}

func found(raw []byte) []string {
	var out []string
	for _, word := range canaries {
		if bytes.Contains(raw, []byte(strings.ToLower(word))) {
			out = append(out, word)
		}
	}
	return out
}

func TestWithoutKeysTheDatabaseTellsAll(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.Open("")
	sing(t, b, s)
	s.Close()
	assert.Equal(t, canaries, found(raw(b)), "the search below would find them")
}

func TestASealedDatabaseTellsNothing(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	first, second := fixture.KeyLine("first"), fixture.KeyLine("second")
	s := openSealed(b, b.Keys(first))
	convertID, goalID := sing(t, b, s)
	assert.Empty(t, found(raw(b)), "while it runs")
	code, stdout, stderr := b.Run("doctor")
	assert.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "payloads are sealed with key first of ")
	s.Close()
	assert.Empty(t, found(raw(b)))
	logged, err := os.ReadFile(filepath.Join(b.Data, "stack.log"))
	require.NoError(t, err)
	assert.NotContains(t, string(logged), strings.Fields(first)[1])

	// Rotated: the new key seals, the old one opens.
	s = openSealed(b, b.Keys(second, first))
	code, stdout, stderr = b.Run("runs", "show", convertID)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "kanarienvogel.md → html")
	assert.Contains(t, stdout, "kanarienvogel.html")
	bird := filepath.Join(b.In, "kanarienvogel.md")
	code, stdout, stderr = b.Run("convert", bird, "--to", "html", "-o", b.Out, "--json")
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, convertID, fixture.Results(t, stdout)[0].WorkflowID, "nothing is done twice")
	require.Eventually(t, func() bool { // lists follow within moments
		_, stdout, _ = b.Run("runs", "list")
		return strings.Contains(stdout, "kanarischebatch") && strings.Contains(stdout, "kanarienvogel.md")
	}, testkit.Patience, 100*time.Millisecond)
	s.Close()

	missing := "it is sealed with key first, and no keys are here; name the file that holds it: CONVILYN_ENCRYPTION_KEY_FILE, or --encryption-key-file"
	s = b.Open("")
	code, _, stderr = b.Run("runs", "show", convertID)
	assert.Equal(t, cli.ExitAPI, code)
	assert.Equal(t, "standalone: read "+convertID+": "+missing+"\n", stderr)
	code, stdout, stderr = b.Run("runs", "list")
	assert.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "(sealed with key first)")
	strangerAnswers(t, s, goalID)
	awaitHeld(t, s, goalID, missing)
	s.Close()

	// The run waited for the key, and goes on.
	s = openSealed(b, b.Keys(second, first))
	s.AwaitReceipt(goalID, "stranger")
	s.Give(goalID, map[string]any{"order": s.Order(goalID)})
	require.NoError(t, s.Client.GetWorkflow(t.Context(), goalID, "").Get(t.Context(), nil))
	s.Close()
	assert.Empty(t, found(raw(b)))
}

// strangerAnswers signals in plain JSON, as Temporal's own tool does.
func strangerAnswers(t *testing.T, s *fixture.Stack, goalID string) {
	t.Helper()
	c, err := temporalclient.Dial(s.TemporalOptions())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.NoError(t, c.SignalWorkflow(t.Context(), goalID, "", questions.SignalFillSlot, map[string]any{
		"slot_id": "paper", "value": "letter", "answer_id": "stranger",
	}))
}

// awaitHeld waits until a run is held, open, for a reason.
func awaitHeld(t *testing.T, s *fixture.Stack, id, reason string) {
	t.Helper()
	require.Eventually(t, func() bool {
		events := s.Client.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			if err != nil {
				return false
			}
			if strings.Contains(event.GetWorkflowTaskFailedEventAttributes().GetFailure().GetMessage(), reason) {
				return true
			}
		}
		return false
	}, testkit.Patience, 50*time.Millisecond)
	description, err := s.Client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	assert.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, description.GetWorkflowExecutionInfo().GetStatus())
}

// Temporal's page is told where to have payloads opened, and may.
func TestTemporalsPageOpensPayloads(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	keys := b.Keys(fixture.KeyLine("first"))
	s := openSealed(b, keys)
	var settings struct {
		Codec struct{ Endpoint string }
	}
	status, body := fixture.Fetch(t, http.MethodGet, s.At.UI+"/api/v1/settings", "", b.Bearer())
	require.Equal(t, http.StatusOK, status, body)
	require.NoError(t, json.Unmarshal([]byte(body), &settings))
	assert.Equal(t, s.At.Codec, s.At.UI+settings.Codec.Endpoint, "of the same origin, whichever name the page was opened under")
	sealed, err := keys.Encode([]*common.Payload{{Data: []byte("note")}})
	require.NoError(t, err)
	opened, err := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: s.At.Codec, ModifyRequest: func(r *http.Request) error {
			r.Header.Set("Authorization", b.Bearer()["Authorization"])
			r.Header.Set("Origin", s.At.UI)
			return nil
		},
	}).Decode(sealed)
	require.NoError(t, err)
	assert.Equal(t, "note", string(opened[0].GetData()))

	plain := fixture.New(t)
	assert.Empty(t, plain.Open("").At.Codec, "nothing is served where nothing is sealed")
}

// A command that joins a stack uses its keys, and does not seal what the stack could not open.
func TestJoiningASealedStack(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	first := fixture.KeyLine("first")
	s := openSealed(b, b.Keys(first))
	other := filepath.Join(filepath.Dir(b.In), "other")
	require.NoError(t, os.WriteFile(other, []byte(fixture.KeyLine("other")), 0o600))
	code, _, stderr := b.Run("runs", "list", "--encryption-key-file", other)
	assert.Equal(t, cli.ExitAPI, code)
	assert.Contains(t, stderr, "has no key other; end it, and start it with --encryption-key-file")
	require.NoError(t, os.Chmod(s.Keys.Path(), 0o644))
	code, _, stderr = b.Run("runs", "list")
	assert.Equal(t, cli.ExitAPI, code)
	assert.Contains(t, stderr, "is open to others (mode 0644); run: chmod 600 ")
	code, _, stderr = b.Run("runs", "list", "--encryption-key-file", s.Keys.Path())
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, stderr, "CONVILYN_ENCRYPTION_KEY_FILE: "+s.Keys.Path()+" is open to others")

	plain := fixture.New(t)
	plain.Open("")
	code, _, stderr = plain.Run("runs", "list", "--encryption-key-file", other)
	assert.Equal(t, cli.ExitAPI, code)
	assert.Contains(t, stderr, "keeps payloads plain; end it, and start it with --encryption-key-file")
}

// What Temporal hands on as it keeps it: the failure and the heartbeat of a step, and the input of a schedule.
func TestSealedStepsAndSchedulesAreRead(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	keys := b.Keys(fixture.KeyLine("first"))
	s := b.OpenChanged(func(o *stack.Options) {
		o.Config.Keys = keys
		o.Faults = fixture.Faults(t, `rules: [{route: "GET /storage/**", count: 99, answer: {status: 503}}]`)
	})
	path := b.Write("a.md", "# A")
	code, stdout, stderr := b.Run("convert", path, "--to", "html", "-o", b.Out, "--detach")
	require.Equal(t, 0, code, stderr)
	id := strings.TrimSpace(stdout)
	assert.NotContains(t, id, "a-md", "ids stay plain, and name no file")
	var shown struct {
		Step *struct {
			Name    string `json:"name"`
			Failure string `json:"last_failure"`
		} `json:"step"`
	}
	require.Eventually(t, func() bool {
		_, stdout, _ = b.Run("runs", "show", id, "--json")
		return json.Unmarshal([]byte(stdout), &shown) == nil && shown.Step != nil && shown.Step.Failure != ""
	}, testkit.Patience, 50*time.Millisecond)
	assert.Equal(t, "download", shown.Step.Name)
	assert.Contains(t, shown.Step.Failure, "503")
	description, err := s.Client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	require.Len(t, description.GetPendingActivities(), 1)
	for _, payload := range description.GetPendingActivities()[0].GetHeartbeatDetails().GetPayloads() {
		assert.False(t, sealing.IsSealed(payload))
	}

	every := []string{"batch", b.In, "--to", "txt", "-o", b.Out, "--every", "1h", "--name", "birds", "--json"}
	code, _, stderr = b.Run(every...)
	require.Equal(t, 0, code, stderr)
	code, stdout, stderr = b.Run("schedules", "show", "birds")
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, b.In)
	code, _, stderr = b.Run(every...)
	require.Equal(t, 0, code, "it is known again: %s", stderr)
	code, _, stderr = b.Run("runs", "cancel", id)
	require.Equal(t, 0, code, stderr)
	s.Close()
	assert.NotContains(t, string(raw(b)), strings.ToLower(b.In))
}
