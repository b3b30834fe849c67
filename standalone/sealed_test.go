package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
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
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// What a database shall not hold: words of a file's name, of a batch's, of an answer, of a signal and of a failed file.
var canaries = []string{"kanarienvogel", "kanarischebatch", "A note with the kanarienfrage.", "kanariennotiz", "kanarienbruch"}

func keyLine(id string) string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return id + " " + base64.StdEncoding.EncodeToString(key) + "\n"
}

func (b *bench) keys(lines ...string) *sealing.Keys {
	b.t.Helper()
	path := filepath.Join(filepath.Dir(b.in), "keys")
	require.NoError(b.t, os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600))
	keys, err := sealing.Load(path)
	require.NoError(b.t, err)
	return keys
}

func (b *bench) openSealed(keys *sealing.Keys) *stack {
	b.t.Helper()
	return b.openChanged(func(o *options) { o.config.Keys = keys })
}

// sing has a conversion, a failure, a batch and a goal go through Temporal, all of which name canaries. The goal is
// left parked.
func sing(t *testing.T, b *bench, s *stack) (convertID, goalID string) {
	t.Helper()
	bird := b.write("kanarienvogel.md", "# A")
	code, stdout, stderr := b.run("convert", bird, "--to", "html", "-o", b.out, "--json")
	require.Equal(t, 0, code, stderr)
	convertID = results(t, stdout)[0].WorkflowID
	code, stdout, stderr = b.run("convert", b.write("kanarienbruch.docx", "no docx"), "--to", "txt", "-o", b.out, "--json")
	require.Equal(t, cli.ExitJobFailed, code, stderr)
	assert.Equal(t, "UNSUPPORTED_INPUT", results(t, stdout)[0].Error.Code)
	code, _, stderr = b.run("batch", b.in, "--include", "*.md", "--to", "txt", "-o", filepath.Join(b.out, "batch"), "--name", "kanarischebatch", "--json")
	require.Equal(t, 0, code, stderr)

	goalID = "goal-parked"
	input := b.goal(1)
	input.Answers = []questions.Answer{{SlotID: "cover", Value: json.RawMessage(`"approve"`), Note: canaries[2]}}
	startGoal(t, s, goalID, input)
	awaitQuestion(t, s, goalID, "title")
	require.NoError(t, s.client.SignalWorkflow(t.Context(), goalID, "", questions.SignalFillSlot, map[string]any{
		"slot_id": "title", "value": "Birds", "note": "kanariennotiz", "answer_id": "first",
	}))
	awaitReceipt(t, s, goalID, "first")
	return convertID, goalID
}

func awaitReceipt(t *testing.T, s *stack, id, answerID string) {
	t.Helper()
	require.Eventually(t, func() bool {
		receipts, err := s.desk().Answers(t.Context(), id)
		for _, receipt := range receipts {
			if err == nil && receipt.AnswerID == answerID && receipt.Verdict == questions.VerdictAccepted {
				return true
			}
		}
		return false
	}, time.Minute, 20*time.Millisecond, "%s has no receipt for %s", id, answerID)
}

// raw is every byte that Temporal has on disk, in lower case.
func (b *bench) raw() []byte {
	b.t.Helper()
	paths, err := filepath.Glob(filepath.Join(b.data, "temporal.db*"))
	require.NoError(b.t, err)
	var all []byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(b.t, err)
		all = append(all, data...)
	}
	require.NotEmpty(b.t, all)
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
	b := newBench(t)
	s := b.open("")
	sing(t, b, s)
	s.close()
	assert.Equal(t, canaries, found(b.raw()), "the search below would find them")
}

func TestASealedDatabaseTellsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second := keyLine("first"), keyLine("second")
	s := b.openSealed(b.keys(first))
	convertID, goalID := sing(t, b, s)
	assert.Empty(t, found(b.raw()), "while it runs")
	code, stdout, stderr := b.run("doctor")
	assert.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "payloads are sealed with key first of ")
	s.close()
	assert.Empty(t, found(b.raw()))
	logged, err := os.ReadFile(filepath.Join(b.data, "stack.log"))
	require.NoError(t, err)
	assert.NotContains(t, string(logged), strings.Fields(first)[1])

	// Rotated: the new key seals, the old one opens.
	s = b.openSealed(b.keys(second, first))
	code, stdout, stderr = b.run("runs", "show", convertID)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "kanarienvogel.md → html")
	assert.Contains(t, stdout, "kanarienvogel.html")
	bird := filepath.Join(b.in, "kanarienvogel.md")
	code, stdout, stderr = b.run("convert", bird, "--to", "html", "-o", b.out, "--json")
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, convertID, results(t, stdout)[0].WorkflowID, "nothing is done twice")
	require.Eventually(t, func() bool { // lists follow within moments
		_, stdout, _ = b.run("runs", "list")
		return strings.Contains(stdout, "kanarischebatch") && strings.Contains(stdout, "kanarienvogel.md")
	}, time.Minute, 100*time.Millisecond)
	s.close()

	missing := "it is sealed with key first, and no keys are here; name the file that holds it: CONVILYN_ENCRYPTION_KEY_FILE, or --encryption-key-file"
	s = b.open("")
	code, _, stderr = b.run("runs", "show", convertID)
	assert.Equal(t, cli.ExitAPI, code)
	assert.Equal(t, "standalone: read "+convertID+": "+missing+"\n", stderr)
	code, stdout, stderr = b.run("runs", "list")
	assert.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "(sealed with key first)")
	strangerAnswers(t, s, goalID)
	awaitHeld(t, s, goalID, missing)
	s.close()

	// The run waited for the key, and goes on.
	s = b.openSealed(b.keys(second, first))
	awaitReceipt(t, s, goalID, "stranger")
	give(t, s, goalID, map[string]any{"order": order(t, s, goalID)})
	require.NoError(t, s.client.GetWorkflow(t.Context(), goalID, "").Get(t.Context(), nil))
	s.close()
	assert.Empty(t, found(b.raw()))
}

// strangerAnswers signals in plain JSON, as Temporal's own tool does.
func strangerAnswers(t *testing.T, s *stack, goalID string) {
	t.Helper()
	c, err := temporalclient.Dial(temporalclient.Options{HostPort: s.at.Temporal, Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.NoError(t, c.SignalWorkflow(t.Context(), goalID, "", questions.SignalFillSlot, map[string]any{
		"slot_id": "paper", "value": "letter", "answer_id": "stranger",
	}))
}

// awaitHeld waits until a run is held, open, for a reason.
func awaitHeld(t *testing.T, s *stack, id, reason string) {
	t.Helper()
	require.Eventually(t, func() bool {
		events := s.client.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
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
	}, time.Minute, 50*time.Millisecond)
	description, err := s.client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	assert.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, description.GetWorkflowExecutionInfo().GetStatus())
}

// Temporal's page is told where to have payloads opened, and may.
func TestTemporalsPageOpensPayloads(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	keys := b.keys(keyLine("first"))
	s := b.openSealed(keys)
	var settings struct {
		Codec struct{ Endpoint string }
	}
	require.Eventually(t, func() bool {
		reply, err := http.Get(s.at.UI + "/api/v1/settings")
		if err != nil {
			return false
		}
		defer reply.Body.Close()
		return json.NewDecoder(reply.Body).Decode(&settings) == nil
	}, time.Minute, 50*time.Millisecond)
	assert.Equal(t, s.at.Codec, settings.Codec.Endpoint)
	sealed, err := keys.Encode([]*common.Payload{{Data: []byte("note")}})
	require.NoError(t, err)
	opened, err := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: settings.Codec.Endpoint, ModifyRequest: func(r *http.Request) error { r.Header.Set("Origin", s.at.UI); return nil },
	}).Decode(sealed)
	require.NoError(t, err)
	assert.Equal(t, "note", string(opened[0].GetData()))

	plain := newBench(t)
	assert.Empty(t, plain.open("").at.Codec, "nothing is served where nothing is sealed")
}

// A command that joins a stack uses its keys, and does not seal what the stack could not open.
func TestJoiningASealedStack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := keyLine("first")
	s := b.openSealed(b.keys(first))
	other := filepath.Join(filepath.Dir(b.in), "other")
	require.NoError(t, os.WriteFile(other, []byte(keyLine("other")), 0o600))
	code, _, stderr := b.run("runs", "list", "--encryption-key-file", other)
	assert.Equal(t, cli.ExitAPI, code)
	assert.Contains(t, stderr, "has no key other; end it, and start it with --encryption-key-file")
	require.NoError(t, os.Chmod(s.keys.Path(), 0o644))
	code, _, stderr = b.run("runs", "list")
	assert.Equal(t, cli.ExitAPI, code)
	assert.Contains(t, stderr, "is open to others (mode 0644); run: chmod 600 ")
	code, _, stderr = b.run("runs", "list", "--encryption-key-file", s.keys.Path())
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, stderr, "CONVILYN_ENCRYPTION_KEY_FILE: "+s.keys.Path()+" is open to others")

	plain := newBench(t)
	plain.open("")
	code, _, stderr = plain.run("runs", "list", "--encryption-key-file", other)
	assert.Equal(t, cli.ExitAPI, code)
	assert.Contains(t, stderr, "keeps payloads plain; end it, and start it with --encryption-key-file")
}

// What Temporal hands on as it keeps it: the failure and the heartbeat of a step, and the input of a schedule.
func TestSealedStepsAndSchedulesAreRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	keys := b.keys(keyLine("first"))
	s := b.openChanged(func(o *options) {
		o.config.Keys = keys
		o.faults = faultsOf(t, `rules: [{route: "GET /storage/**", count: 99, answer: {status: 503}}]`)
	})
	path := b.write("a.md", "# A")
	code, stdout, stderr := b.run("convert", path, "--to", "html", "-o", b.out, "--detach")
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
		_, stdout, _ = b.run("runs", "show", id, "--json")
		return json.Unmarshal([]byte(stdout), &shown) == nil && shown.Step != nil && shown.Step.Failure != ""
	}, time.Minute, 50*time.Millisecond)
	assert.Equal(t, "download", shown.Step.Name)
	assert.Contains(t, shown.Step.Failure, "503")
	description, err := s.client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	require.Len(t, description.GetPendingActivities(), 1)
	for _, payload := range description.GetPendingActivities()[0].GetHeartbeatDetails().GetPayloads() {
		assert.False(t, sealing.IsSealed(payload))
	}

	every := []string{"batch", b.in, "--to", "txt", "-o", b.out, "--every", "1h", "--name", "birds", "--json"}
	code, _, stderr = b.run(every...)
	require.Equal(t, 0, code, stderr)
	code, stdout, stderr = b.run("schedules", "show", "birds")
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, b.in)
	code, _, stderr = b.run(every...)
	require.Equal(t, 0, code, "it is known again: %s", stderr)
	code, _, stderr = b.run("runs", "cancel", id)
	require.Equal(t, 0, code, stderr)
	s.close()
	assert.NotContains(t, string(b.raw()), strings.ToLower(b.in))
}
