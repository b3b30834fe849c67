package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
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
	require.NoError(t, os.WriteFile("spend.yaml", []byte("slots: {convilyn.confirm: {deadline: 1h, on_deadline: default, default: confirm}}"), 0o600))
	require.NoError(t, os.WriteFile("seen.yaml", []byte("slots: {convilyn.preview: {deadline: 1h, on_deadline: default, default: approve}}"), 0o600))
	require.NoError(t, os.WriteFile("ends.yaml", []byte("default: {on_deadline: cancel}"), 0o600))
	require.NoError(t, os.WriteFile("day.yaml", []byte("slots: {day: {on_deadline: cancel}}"), 0o600))
	require.NoError(t, os.WriteFile("perhaps.yaml", []byte("confirm: perhaps"), 0o600))
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"confirm":           {[]string{"binder", "a.md", "--confirm", "yes"}, `--confirm, or confirm in the policy file: "yes" is not auto or ask`},
		"confirm, policy":   {[]string{"binder", "a.md", "--policy", "perhaps.yaml"}, `confirm in the policy file: "perhaps" is not auto or ask`},
		"confirm, default":  {[]string{"binder", "a.md", "--policy", "spend.yaml"}, "'confirm: auto' confirms without a question"},
		"preview, default":  {[]string{"binder", "a.md", "--policy", "seen.yaml"}, "nothing but a person answers it"},
		"confirm, slot":     {[]string{"binder", "a.md", "--slot", "convilyn.confirm=confirm"}, "is asked by the run itself"},
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
		"deadline, odd":     {[]string{"binder", "a.md", "--deadline", "1h", "--on-deadline", "ask"}, `--on-deadline "ask" is not fail, cancel or default`},
		"stuck, too soon":   {[]string{"binder", "a.md", "--stuck-after", "10s"}, "--stuck-after, or stuck_after in the policy file, must be a minute or more, got 10s"},
		"deadline, none":    {[]string{"binder", "a.md", "--on-deadline", "cancel"}, "--on-deadline cancel needs a deadline; add --deadline"},
		"deadline, in file": {[]string{"binder", "a.md", "--policy", "ends.yaml"}, "the default policy: on_deadline cancel needs a deadline"},
		"deadline, slot":    {[]string{"binder", "a.md", "--policy", "day.yaml"}, "the policy of day: on_deadline cancel needs a deadline"},
		"deadline, default": {[]string{"binder", "a.md", "--deadline", "1h", "--on-deadline", "default"}, "--on-deadline default needs a default"},
		"confidence":        {[]string{"binder", "a.md", "--accept-above", "2"}, "--accept-above 2 is not from 0 to 1"},
		"confidence below":  {[]string{"binder", "a.md", "--accept-above", "-0.5"}, "--accept-above -0.5 is not from 0 to 1"},
		"confidence, NaN":   {[]string{"binder", "a.md", "--accept-above", "NaN"}, "--accept-above NaN is not from 0 to 1"},
		"reminder, before":  {[]string{"binder", "a.md", "--remind-after", "-5m"}, "--remind-after must be 0 or more, got -5m"},
		"deadline, before":  {[]string{"binder", "a.md", "--deadline", "-1h"}, "--deadline must be 0 or more, got -1h"},
		"retries":           {[]string{"binder", "a.md", "--max-retries", "-3"}, "must be 0 or more, got -3"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newGoals()
			code, stdout, stderr := f.command(t, offered(), "", append([]string{"goal", "start"}, test.args...)...)
			assert.Equal(t, ExitUsage, code, "%s: %s", name, stderr)
			assert.Contains(t, stderr, test.says, name)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), "%s: one line: %s", name, stderr)
			assert.Empty(t, stdout, name)
			assert.Empty(t, f.Starts(), name)
		})
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

func TestPolicies_confirm(t *testing.T) {
	folder(t)
	require.NoError(t, os.WriteFile("p.yaml", []byte("confirm: ask\nslots: {convilyn.confirm: {deadline: 1h, on_deadline: default, default: cancel}}\n"), 0o600))
	for name, test := range map[string]struct{ flag, confirm string }{
		"the file":             {"", questions.ConfirmAsk},
		"the flag, which wins": {questions.ConfirmAuto, questions.ConfirmAuto},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := policyRequest{file: "p.yaml", confirm: test.flag, acceptAbove: -1}.read()
			require.NoError(t, err)
			assert.Equal(t, test.confirm, p.Confirm)
			assert.JSONEq(t, `"cancel"`, string(p.Slots[goal.SlotConfirm].Default))
		})
	}
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
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, same, id(change), name)
		})
	}
	for name, change := range map[string]func(r *goalRequest){
		"order": func(r *goalRequest) { r.args = []string{"binder", "b.md", "a.md"} }, "answer": func(r *goalRequest) { r.slots[0] = "title=y" },
		"output": func(r *goalRequest) { r.output = "o" },
	} {
		t.Run(name, func(t *testing.T) {
			assert.NotEqual(t, same, id(change), name)
		})
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

// Whoever waits for the end hears of each question once, however many come after it.
func TestAGoalThatAsksWhileSomebodyWaits(t *testing.T) {
	folder(t, "a.md", "b.md")
	f := newGoals()
	f.asks = []questions.Question{question("title", "text"), question("pages", "number")}
	asks := f.Started
	f.Started = func(r *runstest.Run) {
		asks(r)
		settle := r.OnAnswer
		r.OnAnswer = func(receipt questions.Receipt) {
			if receipt.SlotID == "title" {
				r.Questions = append(r.Questions, question("cover", "text"))
			}
			settle(receipt)
		}
	}
	said := &overheard{hear: func(said string) {
		if len(f.Starts()) == 0 {
			return
		}
		id := f.Starts()[0].ID
		switch {
		case strings.Contains(said, "slots answer "+id+" pages="): // the last of the first two
			f.answer(t, id, "title", `"Minutes"`)
		case strings.Contains(said, "slots answer "+id+" cover="):
			f.answer(t, id, "cover", `"blue"`)
			f.answer(t, id, "pages", `3`)
		}
	}}
	env := offered()
	env.Program, env.Stdout, env.Stderr, env.Getenv = "starter", io.Discard, said, func(string) string { return "" }
	env.Open = func(context.Context) (*Session, error) {
		return &Session{Temporal: f.Temporal, Stays: true, Close: func() {}}, nil
	}

	code := Run(t.Context(), env, []string{"goal", "start", "binder", "a.md", "b.md", "--wait"})

	require.Equal(t, ExitOK, code, said.String())
	for _, slotID := range []string{"title", "pages", "cover"} {
		assert.Equal(t, 1, strings.Count(said.String(), "What "+slotID+"?"), said.String())
	}
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
		t.Run(status, func(t *testing.T) {
			assert.Equal(t, want, exitCode([]result{goalOutcome{Status: status}}), status)
		})
	}
}

func TestAGoalThatFailedForWantOfCreditsSaysWhereMoreIs(t *testing.T) {
	need := int64(9)
	credits := &activities.Credits{Need: &need, TopUpURL: "https://pay.example.org/topup"}
	o := goalItem{goal: "g"}.ended("r", runs.End{Fault: &runs.Fault{State: workflows.StateFailed, Code: "INSUFFICIENT_CREDITS", Message: "m", Detail: activities.Failure{Credits: credits}}})

	var out, err strings.Builder
	e := &Env{Stdout: &out, Stderr: &err}
	require.NoError(t, e.print(o, false))
	assert.Contains(t, err.String(), "credits or a plan: https://pay.example.org/topup")
	require.NoError(t, e.print(o, true))
	assert.Contains(t, out.String(), `"credits":{"need":9,"top_up_url":"https://pay.example.org/topup"}`)
}

func TestGoalFiles_OfOneNameAreToldApartByFolder(t *testing.T) {
	files := []goal.File{{Name: "report.pdf"}, {Name: "report.pdf"}, {Name: "report.pdf"}, {Name: "other.pdf"}}
	tellApart(files, []string{"/a/q1/report.pdf", "/a/q2/report.pdf", "/b/q2/report.pdf", "/a/other.pdf"})
	var names []string
	for _, file := range files {
		names = append(names, file.Name)
	}
	assert.Equal(t, []string{"report (q1).pdf", "report (q2).pdf", "report (q2 2).pdf", "other.pdf"}, names)
}
