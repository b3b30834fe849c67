package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// pair is a goal on two files that asks three kinds of things.
func pair() goals.Goal {
	return goals.Goal{
		ID: "goal_lane.pair", Name: "Pair", Description: "d", Types: []string{"document"}, Formats: []string{"md"}, MinFiles: 2, RequiredSlots: 3,
		Run: func(ctx context.Context, t *goals.Task) error {
			tone := goals.Choice("tone", "Which tone?", client.SlotOption{Value: "formal", Label: "Formal"}, client.SlotOption{Value: "casual", Label: "Casual"})
			if err := t.Ask(goals.Free("text", "word", "Which title?"), tone, goals.Free("file", "logo", "Which logo?")); err != nil {
				return err
			}
			if err := t.Ready(); err != nil {
				return err
			}
			dir, err := t.Step(ctx, "write", func(_ context.Context, dir string) error {
				text := fmt.Sprintf("%s %s %s", t.String("word"), t.String("tone"), t.Given("logo")[0].Name)
				return os.WriteFile(filepath.Join(dir, "word.txt"), []byte(text), 0o600)
			})
			if err != nil {
				return err
			}
			t.Deliver(goals.File{Path: filepath.Join(dir, "word.txt"), Name: "word.txt", Mime: "text/plain", Type: "text"})
			return nil
		},
	}
}

// goalLine is a line of goal start --json.
type goalLine struct {
	WorkflowID string               `json:"workflow_id"`
	RunID      string               `json:"run_id"`
	Status     string               `json:"status"`
	JobSpecID  string               `json:"job_spec_id"`
	Questions  []questions.Question `json:"questions"`
	Answers    []questions.Receipt  `json:"answers"`
}

// goalStart runs a goal start command that must do well.
func goalStart(b *fixture.Workspace, args ...string) goalLine {
	b.T.Helper()
	code, stdout, stderr := b.Run(append([]string{"goal", "start", "--json"}, args...)...)
	require.Equal(b.T, 0, code, stderr)
	var line goalLine
	require.NoError(b.T, json.Unmarshal([]byte(stdout), &line), stdout)
	return line
}

func TestBadGoalsStartNothing(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.OpenWith(pair(), testkit.Stumble(0))
	good := b.Write("a.md", "# A")
	large := b.Write("large.md", "x")
	require.NoError(t, os.Truncate(large, client.MaxUploadBytes+1)) // sparse
	policy := func(name, text string) string { return b.Write(name+".yaml", text) }
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"no goal":            {nil, "no goal; name one of 'goal catalog'"},
		"unknown goal":       {[]string{"nonesuch", good}, `no goal is called "nonesuch"; see 'goal catalog'`},
		"missing file":       {[]string{"stumble", "none.md"}, "none.md does not exist"},
		"wrong format":       {[]string{"stumble", b.Write("a.csv", "a")}, "goal_lane.stumble takes md"},
		"too few files":      {[]string{"pair", good}, "goal_lane.pair takes 2 files at least, and 1 came"},
		"empty file":         {[]string{"stumble", b.Write("empty.md", "")}, "empty.md is empty"},
		"oversize file":      {[]string{"stumble", large}, "the API takes 524 MB at most"},
		"folder":             {[]string{"stumble", b.In}, "is a folder"},
		"unknown field":      {[]string{"stumble", good, "--policy", policy("u", "default:\n  remind: 1h")}, `line 2: unknown field "remind"`},
		"bad duration":       {[]string{"stumble", good, "--policy", policy("d", "slots:\n  word:\n    deadline: soon")}, `line 3: deadline: "soon" is not a duration`},
		"missing policy":     {[]string{"stumble", good, "--policy", "none.yaml"}, "none.yaml"},
		"no default":         {[]string{"stumble", good, "--deadline", "1h", "--on-deadline", "default"}, "needs a default"},
		"bad on-deadline":    {[]string{"stumble", good, "--deadline", "1h", "--on-deadline", "explode"}, "not fail, cancel or default"},
		"slot without value": {[]string{"stumble", good, "--slot", "word"}, `--slot "word" is not SLOT=VALUE`},
		"slot file missing":  {[]string{"stumble", good, "--slot", "word=@none.png"}, "none.png does not exist"},
	} {
		code, stdout, stderr := b.Run(append([]string{"goal", "start", "-o", b.Out}, test.args...)...)
		assert.Equal(t, cli.ExitUsage, code, "%s: %s", name, stderr)
		assert.Empty(t, stdout, name)
		assert.Contains(t, stderr, test.says, name)
		assert.Equal(t, 1, strings.Count(stderr, "\n"), "%s: %s", name, stderr)
	}
	line := goalStart(b, "stumble", good, "-o", b.Out, "--detach")
	require.Eventually(t, func() bool { // lists follow within moments, in the order of starting
		reply, err := s.Client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: stack.Namespace})
		return err == nil && len(reply.GetExecutions()) == 1 && reply.GetExecutions()[0].GetExecution().GetWorkflowId() == line.WorkflowID
	}, testkit.Patience, 50*time.Millisecond)
}

func TestBadAnswersAreNotSent(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.OpenWith(pair(), testkit.Stumble(0))
	a, c := b.Write("a.md", "# A"), b.Write("c.md", "# C")
	id := goalStart(b, "pair", a, c, "-o", b.Out, "--detach").WorkflowID
	other := goalStart(b, "stumble", a, "-o", b.Out, "--detach").WorkflowID
	ended := goalStart(b, "stumble", c, "-o", filepath.Join(b.Out, "ended"), "--slot", "word=yes", "--wait").WorkflowID
	s.AwaitQuestion(id, "word")
	s.AwaitQuestion(other, "word")
	require.Eventually(t, func() bool {
		waiting, err := s.RunsClient().Waiting(t.Context(), 10)
		return err == nil && len(waiting) == 2
	}, testkit.Patience, 50*time.Millisecond)
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"wrong slot":          {[]string{id, "colour=red"}, "does not ask this; open: "},
		"one bad of two":      {[]string{id, "word=Minutes", "tone=loud"}, `tone: "loud" is not one of formal, casual`},
		"file does not exist": {[]string{id, "logo=@none.png"}, "logo: none.png does not exist"},
		"empty text":          {[]string{id, "word="}, "word: the text is empty"},
		"no value":            {[]string{id, "word"}, `"word" is not SLOT=VALUE`},
		"no run":              {[]string{"word=yes"}, "name a run"},
		"nobody to ask":       {[]string{id}, "write SLOT=VALUE"},
		"unknown run":         {[]string{"goal-none", "word=yes"}, "no run is called goal-none"},
		"ended run":           {[]string{ended, "word=yes"}, "the run has ended; it takes no more answers"},
		"ended run, early":    {[]string{ended, "colour=red", "--early"}, "the run has ended; it takes no more answers"},
		"all, none asks":      {[]string{"--all-runs", "colour=red", "--yes"}, "no run waits for colour"},
		"all, nobody agrees":  {[]string{"--all-runs", "tone=casual"}, "add --yes"},
		"all, two values":     {[]string{"--all-runs", "word=a", "tone=b"}, "--all-runs takes one SLOT=VALUE"},
		"all, different":      {[]string{"--all-runs", "word=yes", "--yes"}, "runs ask different questions under word; choose one:"},
	} {
		code, stdout, stderr := b.Run(append([]string{"slots", "answer"}, test.args...)...)
		assert.Equal(t, cli.ExitUsage, code, "%s: %s", name, stderr)
		assert.Empty(t, stdout, name)
		assert.Contains(t, stderr, test.says, name)
		if name != "all, different" { // which lists them
			assert.Equal(t, 1, strings.Count(stderr, "\n"), "%s: %s", name, stderr)
		}
	}
	for _, run := range []string{id, other} {
		answers, err := s.RunsClient().Answers(t.Context(), run)
		require.NoError(t, err)
		assert.Empty(t, answers, "nothing was sent")
	}
}

// A goal is started, found again, listed, answered and shown by commands.
func TestAGoalByCommands(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	b.OpenWith(pair())
	args := []string{"pair", b.Write("a.md", "# A"), b.Write("c.md", "# C"), "-o", b.Out, "--name", "The two"}
	first := goalStart(b, args...)
	id := first.WorkflowID
	assert.Equal(t, workflows.StateWaiting, first.Status)
	assert.Len(t, first.Questions, 3)
	again := goalStart(b, append(args, "--detach")...)
	assert.Equal(t, [2]string{id, first.RunID}, [2]string{again.WorkflowID, again.RunID}, "the same command finds the same run")
	require.Eventually(t, func() bool { // lists follow within moments
		code, stdout, stderr := b.Run("slots", "list", "--json")
		require.Equal(t, 0, code, stderr)
		return strings.Count(stdout, id) == 3
	}, testkit.Patience, 50*time.Millisecond)
	code, stdout, stderr := b.Run("slots", "list", "--slot", "tone", "--goal", "pair")
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "Which tone?")
	assert.NotContains(t, stdout, "Which logo?")

	code, _, stderr = b.Run("slots", "answer", id, "word=Minutes", "tone=2", "logo=@"+b.Write("logo.png", "a picture"), "--by", "Ada", "--note", "as agreed")
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, 3, strings.Count(stderr, ": accepted\n"), stderr)
	line := goalStart(b, append(args, "--wait")...)
	assert.Equal(t, goal.ResultCompleted, line.Status)
	assert.Equal(t, first.RunID, line.RunID)
	require.Len(t, line.Answers, 3)
	assert.Equal(t, "as agreed", line.Answers[0].Note)
	b.HoldsWord(b.Out, "Minutes casual logo.png")
	code, stdout, stderr = b.Run("runs", "show", id)
	require.Equal(t, 0, code, stderr)
	assert.Regexp(t, `answer +word="Minutes"  accepted  .* by Ada through cli, delivered `, stdout)
	assert.Regexp(t, `output +`+b.Out+`/word.txt  23 B  sha256 [0-9a-f]{64}`, stdout)
}

func TestAllRunsAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.OpenWith(testkit.Stumble(0))
	ids := map[string]string{}
	for i, path := range b.Documents(3) {
		folder := filepath.Join(b.Out, fmt.Sprint(i))
		ids[goalStart(b, "stumble", path, "-o", folder, "--detach").WorkflowID] = folder
	}
	require.Eventually(t, func() bool {
		waiting, err := s.RunsClient().Waiting(t.Context(), 10)
		return err == nil && len(waiting) == 3
	}, testkit.Patience, 50*time.Millisecond)
	code, stdout, stderr := b.Run("slots", "answer", "--all-runs", "word=together", "--yes")
	require.Equal(t, 0, code, stderr)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "3 of 3 runs answered")
	for id, folder := range ids {
		require.NoError(t, s.Client.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
		b.HoldsWord(folder, "together")
	}
}

func TestAGoalIsCancelledOrTakesItsDefault(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.OpenWith(testkit.Stumble(0))
	waits := goalStart(b, "stumble", b.Write("a.md", "# A"), "-o", b.Out)
	status, err := s.RunsClient().Status(t.Context(), waits.WorkflowID)
	require.NoError(t, err)
	code, stdout, stderr := b.Run("runs", "cancel", waits.WorkflowID, "--json")
	require.Equal(t, 0, code, stderr)
	assert.JSONEq(t, `{"workflow_id":"`+waits.WorkflowID+`","status":"cancelled"}`, stdout)
	job, err := s.APIClient().Goals.Retrieve(t.Context(), status.JobSpecID)
	require.NoError(t, err)
	assert.Equal(t, client.GoalCancelled, job.Status, "the job is cancelled, too")

	policy := b.Write("policy.yaml", "default:\n  default: by itself")
	line := goalStart(b, "stumble", b.Write("c.md", "# C"), "-o", b.Out, "--policy", policy, "--deadline", "1s", "--on-deadline", "default", "--wait")
	assert.Equal(t, goal.ResultCompleted, line.Status)
	require.Len(t, line.Answers, 1)
	assert.True(t, line.Answers[0].Automatic)
	b.HoldsWord(b.Out, "by itself")
}

// What a foreign page, a foreign name or a forged link sends to the inbox is refused; a program may repeat itself.
func TestTheInboxOfAStackTakesOwnAnswersAlone(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	s := b.OpenWith(pair())
	id := goalStart(b, "pair", b.Write("a.md", "# A"), b.Write("c.md", "# C"), "-o", b.Out).WorkflowID
	form := b.Bearer()
	form["Content-Type"] = "application/x-www-form-urlencoded"
	with := func(name, value string) map[string]string {
		header := maps.Clone(form)
		header[name] = value
		return header
	}
	forged := link.Sign([]byte("a secret that is not the inbox's own"), link.Claim{WorkflowID: id, SlotID: "word", Round: 1, Key: "k", Expires: time.Now().Add(time.Hour)})
	for name, test := range map[string]struct {
		path   string
		header map[string]string
	}{
		"forged link":    {"/answer/" + forged, form},
		"cross-site":     {"/runs/" + id + "/answers", with("Sec-Fetch-Site", "cross-site")},
		"foreign origin": {"/runs/" + id + "/answers", with("Origin", "https://example.org")},
		"rebound name":   {"/runs/" + id + "/answers", with("Host", "example.org")},
		"rebound API":    {"/api/runs/" + id + "/answers", with("Host", "example.org:80")},
	} {
		status, body := fixture.Fetch(t, http.MethodPost, s.At.Inbox+test.path, "v%3Aword=stolen", test.header)
		assert.Equal(t, http.StatusForbidden, status, "%s: %s", name, body)
	}
	answers, err := s.RunsClient().Answers(t.Context(), id)
	require.NoError(t, err)
	assert.Empty(t, answers)

	address := s.At.Inbox + "/api/runs/" + id + "/answers"
	status, reply := fixture.Fetch(t, http.MethodPost, address, `{"slot_id":"word","value":"Minutes","answer_id":"a-1","answered_by":"a program"}`, b.Bearer())
	require.Equal(t, http.StatusOK, status, reply)
	status, repeated := fixture.Fetch(t, http.MethodPost, address, `{"slot_id":"word","value":"Minutes","answer_id":"a-1","answered_by":"a program"}`, b.Bearer())
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, reply, repeated)
	status, reply = fixture.Fetch(t, http.MethodPost, address, `{"slot_id":"word","value":"Other","answer_id":"a-2"}`, b.Bearer())
	assert.Equal(t, http.StatusConflict, status, reply)
	answers, err = s.RunsClient().Answers(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, answers, 2, "a repeat is none of its own")
	assert.Equal(t, [2]questions.Verdict{questions.VerdictAccepted, questions.VerdictConflict}, [2]questions.Verdict{answers[0].Verdict, answers[1].Verdict})
	assert.Equal(t, "http", answers[0].Channel)
}
