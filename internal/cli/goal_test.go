package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func offered() Env {
	two, small := 2, int64(30)
	return Env{Catalog: func(context.Context) (*client.Catalog, error) {
		return &client.Catalog{Workflows: []client.CatalogEntry{
			{WorkflowID: "goal_lane.binder", Name: "Binder", Description: "Binds", SupportedInputFormats: []string{"pdf", "md"}, MinFileCount: &two, MaxInputSizeBytes: &small, RequiredSlotCount: 2},
			{WorkflowID: "goal_lane.tables", Name: "Tables\x1b[2J"},
			{WorkflowID: "business.tables", Name: "Tables"},
		}}, nil
	}}
}

func TestGoalsThatAreRefusedBeforeAnythingIsStarted(t *testing.T) {
	folder(t, "a.md", "b.md", "p.png", "a-name-that-is-much-too-long-for-it.md")
	require.NoError(t, os.WriteFile("empty.md", nil, 0o600))
	require.NoError(t, os.WriteFile("list.json", []byte("[]"), 0o600))
	require.NoError(t, os.WriteFile("odd.yaml", []byte("default:\n  deadline: 1h\n  remind: 2h\n"), 0o600))
	require.NoError(t, os.WriteFile("late.yaml", []byte("slots:\n  title:\n    deadline: soon\n"), 0o600))
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"nothing":           {nil, "no goal; name one of 'goal catalog'"},
		"missing file":      {[]string{"binder", "none.md"}, "none.md does not exist"},
		"empty file":        {[]string{"binder", "empty.md"}, "empty.md is empty"},
		"words, no file":    {[]string{"--text", "Do it"}, "needs a file"},
		"few words":         {[]string{"--text", "x", "a.md"}, "--text has 1 characters"},
		"unknown goal":      {[]string{"bind", "a.md"}, `no goal is called "bind"`},
		"ambiguous goal":    {[]string{"tables", "a.md"}, "may be goal_lane.tables or business.tables"},
		"too few files":     {[]string{"binder", "a.md"}, "takes 2 files at least, and 1 came"},
		"wrong format":      {[]string{"binder", "a.md", "p.png"}, "p.png: goal_lane.binder takes pdf, md"},
		"too large":         {[]string{"binder", "a.md", "a-name-that-is-much-too-long-for-it.md"}, "takes 30 B at most"},
		"slot, no value":    {[]string{"binder", "a.md", "--slot", "title"}, "not SLOT=VALUE"},
		"slot, no file":     {[]string{"binder", "a.md", "--slot", "logo=@none.png"}, "logo: none.png does not exist"},
		"answers, a list":   {[]string{"binder", "a.md", "--answers", "list.json"}, "not a JSON object"},
		"answers, no file":  {[]string{"binder", "a.md", "--answers", "none.json"}, "--answers: open none.json"},
		"odd label":         {[]string{"binder", "a.md", "--label", ""}, "must be one line of 1 to 100 bytes"},
		"odd --on-exist":    {[]string{"binder", "a.md", "--on-exist", "skip"}, "not fail or overwrite"},
		"folder in a file":  {[]string{"binder", "a.md", "-o", "b.md/x"}, "b.md is a file"},
		"policy, field":     {[]string{"binder", "a.md", "--policy", "odd.yaml"}, `odd.yaml: line 3: unknown field "remind"`},
		"policy, value":     {[]string{"binder", "a.md", "--policy", "late.yaml"}, `late.yaml: line 3: deadline`},
		"deadline, odd":     {[]string{"binder", "a.md", "--deadline", "1h", "--on-deadline", "ask"}, "not fail, cancel or default"},
		"deadline, none":    {[]string{"binder", "a.md", "--on-deadline", "fail"}, "needs a deadline"},
		"deadline, default": {[]string{"binder", "a.md", "--deadline", "1h", "--on-deadline", "default"}, "needs a default"},
		"confidence":        {[]string{"binder", "a.md", "--accept-above", "90"}, "not from 0 to 1"},
		"retries":           {[]string{"binder", "a.md", "--max-retries", "-3"}, "must be 0 or more, got -3"},
	} {
		f := newGoals()
		code, stdout, stderr := f.command(t, offered(), "", append([]string{"goal", "start"}, test.args...)...)
		assert.Equal(t, ExitUsage, code, "%s: %s", name, stderr)
		assert.Contains(t, stderr, test.says, name)
		assert.Equal(t, 1, strings.Count(stderr, "\n"), "%s: one line: %s", name, stderr)
		assert.Empty(t, stdout, name)
		assert.Empty(t, f.Starts(), name)
	}
}

func TestPolicies(t *testing.T) {
	folder(t)
	require.NoError(t, os.WriteFile("p.yaml", []byte("default: {remind_after: 24h}\nslots:\n  day: {deadline: 1h, on_deadline: default, default: 2026-01-02}\n"), 0o600))
	p, err := policyRequest{file: "p.yaml", remindAfter: 2e9, acceptAbove: 0.9}.read()
	require.NoError(t, err)
	data, err := json.Marshal(p)
	require.NoError(t, err)
	assert.JSONEq(t, `{"default":{"remind_after":"2s","accept_above":0.9},
		"slots":{"day":{"default":"2026-01-02","deadline":"1h0m0s","on_deadline":"default"}}}`, string(data))
}

func TestGoalIDs(t *testing.T) {
	folder(t, "a.md", "b.md", "logo.png")
	id := func(change func(r *goalRequest)) string {
		r := goalRequest{args: []string{"binder", "a.md", "b.md"}, slots: []string{"title=x", "logo=@logo.png"}, onExist: onExistFail, retries: -1, policy: policyRequest{acceptAbove: -1}}
		change(&r)
		item, err := planGoal(r)
		require.NoError(t, err)
		catalog, _ := offered().Catalog(t.Context())
		require.NoError(t, item.settle(catalog))
		return item.workflowID
	}
	same := id(func(*goalRequest) {})
	assert.Regexp(t, `^goal-binder-[0-9a-f]{12}$`, same)
	for name, change := range map[string]func(r *goalRequest){
		"nothing": func(*goalRequest) {}, "whole id": func(r *goalRequest) { r.args[0] = "goal_lane.binder" }, "somebody else": func(r *goalRequest) { r.by = "ann" },
		"insisting": func(r *goalRequest) { r.onExist = onExistOverwrite }, "name": func(r *goalRequest) { r.name = "n" },
	} {
		assert.Equal(t, same, id(change), name)
	}
	for name, change := range map[string]func(r *goalRequest){
		"order": func(r *goalRequest) { r.args = []string{"binder", "b.md", "a.md"} }, "answer": func(r *goalRequest) { r.slots[0] = "title=y" },
		"output": func(r *goalRequest) { r.output = "o" },
	} {
		assert.NotEqual(t, same, id(change), name)
	}
	require.NoError(t, os.WriteFile("logo.png", []byte("other"), 0o600))
	assert.NotEqual(t, same, id(func(*goalRequest) {}), "other content of a file that an answer names")
}

func TestCatalog(t *testing.T) {
	f := newGoals()
	code, stdout, stderr := f.command(t, offered(), "", "goal", "catalog")
	require.Equal(t, 0, code, stderr)
	assert.Regexp(t, `goal_lane.binder +Binder +2\+ pdf md +2 +Binds`, stdout)
	assert.NotContains(t, stdout, "\x1b")
	code, _, stderr = f.command(t, Env{}, "", "goal", "catalog")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "CONVILYN_API_KEY")
	code, _, stderr = f.command(t, Env{Catalog: func(context.Context) (*client.Catalog, error) { return nil, errors.New("down") }}, "", "goal", "catalog")
	assert.Equal(t, ExitAPI, code)
	assert.Contains(t, stderr, "read the catalog: down")
}

// Where nobody watches, a goal that asks is left waiting, and the same command comes back to it.
func TestAGoalThatAsksWhereNobodyWatches(t *testing.T) {
	dir := folder(t, "a.md", "b.md")
	f := newGoals()
	f.asks = []questions.Question{question("title", "text")}
	args := []string{"goal", "start", "binder", "a.md", "b.md", "--json"}
	code, stdout, stderr := f.command(t, offered(), "", args...)
	require.Equal(t, 0, code, stderr)
	var line goalOutcome
	require.NoError(t, json.Unmarshal([]byte(stdout), &line))
	assert.Equal(t, workflows.StateWaiting, line.Status)
	require.Len(t, line.Questions, 1)
	assert.Contains(t, stderr, "starter slots answer "+line.WorkflowID+" title=TEXT")
	_, again, _ := f.command(t, offered(), "", args...)
	assert.JSONEq(t, stdout, again)
	assert.Len(t, f.Starts(), 1)

	path := filepath.Join(dir, "binder.pdf")
	require.NoError(t, os.WriteFile(path, []byte("bound"), 0o600))
	sum, err := hashFile(path)
	require.NoError(t, err)
	f.Run(line.WorkflowID).Result = goal.Result{Status: goal.ResultCompleted, Outputs: []activities.Output{{Path: path, Size: 5, SHA256: sum}}}
	code, _, stderr = f.command(t, Env{}, "", "slots", "answer", line.WorkflowID, "title=x")
	require.Equal(t, 0, code, stderr)
	_, stdout, _ = f.command(t, offered(), "", args...)
	require.NoError(t, json.Unmarshal([]byte(stdout), &line))
	assert.Equal(t, goal.ResultCompleted, line.Status)
	assert.Len(t, f.Starts(), 1, "what is done and in place is not done again")
	f.asks = nil
	code, _, _ = f.command(t, offered(), "", append(args, "--again")...)
	assert.Equal(t, 0, code)
	require.Len(t, f.Starts(), 2)
	assert.Equal(t, f.Starts()[0].ID+"-2", f.Starts()[1].ID)
	require.NoError(t, os.Remove(path))
	_, _, _ = f.command(t, offered(), "", args...)
	assert.Len(t, f.Starts(), 3, "its output is gone, so it is made again")
}

func TestAGoalThatAsksAPerson(t *testing.T) {
	folder(t, "a.md", "b.md")
	f := newGoals()
	f.asks = []questions.Question{question("title", "text"), question("pages", "number")}
	code, _, stderr := f.command(t, offered(), "Minutes\n3\n", "goal", "start", "binder", "a.md", "b.md")
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stderr, "[2/2] What pages?")
	assert.Contains(t, stderr, "goal_lane.binder: completed")
}

func TestAShortNameNeedsTheCatalog(t *testing.T) {
	folder(t, "a.md")
	f := newGoals()
	code, _, stderr := f.command(t, Env{}, "", "goal", "start", "binder", "a.md")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "write the whole id, such as goal_lane.binder")
	code, stdout, stderr := f.command(t, Env{}, "", "goal", "start", "goal_lane.binder", "a.md", "--detach")
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, f.Starts()[0].ID+"\n", stdout)
}

func TestHowGoalsEnd(t *testing.T) {
	for status, want := range map[string]int{
		goal.ResultCompleted: ExitOK, goal.ResultPartial: ExitOK, goal.ResultCancelled: ExitJobFailed, goal.ResultDropped: ExitJobFailed,
	} {
		assert.Equal(t, want, exitCode([]result{goalOutcome{Status: status}}), status)
	}
}
