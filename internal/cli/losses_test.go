package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func TestOnLoss_RefusesWhatDoesNotFit(t *testing.T) {
	folder(t, "a.md")
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"unknown":                     {[]string{"--on-loss", "aks"}, `--on-loss "aks" is not keep or ask`},
		"what the check does":         {[]string{"--on-loss", "fail"}, "--on-loss fail is --check fail"},
		"nothing is compared":         {[]string{"--on-loss", "ask", "--check", "off"}, "does not go with --check off"},
		"a failure leaves no output":  {[]string{"--on-loss", "ask", "--option", "check=fail"}, "does not go with --check fail"},
		"a deadline for nothing":      {[]string{"--deadline", "72h"}, "--deadline is for --on-loss ask"},
		"a negative deadline":         {[]string{"--on-loss", "ask", "--deadline", "-1h"}, "--deadline must be 0 or more"},
		"on no deadline":              {[]string{"--on-loss", "ask", "--on-deadline", "keep"}, "--on-deadline needs --deadline"},
		"an unknown deed at deadline": {[]string{"--on-loss", "ask", "--deadline", "1h", "--on-deadline", "default"}, `--on-deadline "default" is not refuse or keep`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{{"convert", "a.md", "--to", "pdf"}, {"batch", ".", "--to", "pdf", "-o", "out"}} {
				code, _, stderr := command(t.Context(), t, nil, Env{}, "", append(args, test.args...)...)
				assert.Equal(t, ExitUsage, code)
				assert.Contains(t, stderr, test.says)
			}
		})
	}
	for _, again := range [][]string{{"--watch"}, {"--every", "1h"}} {
		code, _, stderr := command(t.Context(), t, nil, Env{}, "", append([]string{"batch", ".", "--to", "pdf", "-o", "out", "--on-loss", "ask"}, again...)...)
		assert.Equal(t, ExitUsage, code)
		assert.Contains(t, stderr, "--on-loss ask is not for --watch and --every")
	}
}

func TestOnLoss_IsGivenToTheRun(t *testing.T) {
	folder(t, "docs/a.md")
	compared := option.Values{option.NameCheck: option.CheckWarn}
	kept := questions.Policy{Deadline: workflows.Duration(72 * time.Hour), OnDeadline: questions.DeadlineDefault, Default: []byte(`"keep"`)}

	temporal := runstest.New()
	var started []any
	temporal.Started = func(r *runstest.Run) { started = append(started, r.Input) }
	for _, args := range [][]string{
		{"convert", "docs/a.md", "--to", "html", "-o", "out/", "--on-loss", "ask", "--deadline", "72h", "--on-deadline", "keep"},
		{"batch", "docs", "--to", "html", "-o", "out", "--on-loss", "ask", "--deadline", "72h", "--on-deadline", "keep"},
	} {
		code, _, stderr := command(t.Context(), t, temporal, Env{}, "", append(args, "--detach")...)
		require.Equal(t, ExitOK, code, stderr)
	}

	require.Len(t, started, 2)
	one, many := started[0].(convert.Input), started[1].(batch.Input)
	assert.Equal(t, []any{questions.OnLossAsk, kept, compared}, []any{one.OnLoss, one.Policy, one.Options})
	assert.Equal(t, []any{questions.OnLossAsk, kept, compared}, []any{many.OnLoss, many.Policy, many.Spec.Options})
}

func lossOf(slotID, name string) questions.Question {
	q := questions.LossQuestion(slotID, "docx", "md", questions.Loss{
		Source: "file:///in/" + name, Name: name, Folder: "file:///out",
		Held: activities.Held{Files: []activities.HeldFile{{Part: ".convilyn-r-0.part", Name: "made.md"}}, Losses: []string{"2 of 48 words of the source are not in the output: 17, 25"}},
	})
	q.Round, q.AskedAt = 1, time.Now()
	return q
}

// docsThatAsk is a batch that asks about three files.
func docsThatAsk() *runstest.Run {
	return &runstest.Run{
		Kind: runs.Batch, ID: "batch-1", State: workflows.StateWaiting, Name: "docs",
		Questions: []questions.Question{lossOf("convilyn.loss.4", "a.docx"), lossOf("convilyn.loss.9", "b.docx"), lossOf("convilyn.loss.11", "c.docx")},
	}
}

// An id is one answer's: each question of a run takes its own.
func TestSlots_AnswerLossesWithAnID(t *testing.T) {
	temporal := runstest.New()
	docs, one := docsThatAsk(), &runstest.Run{
		Kind: runs.Batch, ID: "batch-2", State: workflows.StateWaiting, Name: "one", Questions: []questions.Question{lossOf("convilyn.loss.1", "d.docx")},
	}
	temporal.Add(docs)
	temporal.Add(one)

	code, _, stderr := command(t.Context(), t, temporal, Env{}, "", "slots", "answer", "--all-runs", "convilyn.loss=keep", "--yes", "--answer-id", "a")

	require.Equal(t, ExitOK, code, stderr)
	var given []string
	for _, receipt := range docs.Ledger {
		given = append(given, receipt.AnswerID+" "+receipt.SlotID)
	}
	assert.ElementsMatch(t, []string{"a-convilyn.loss.4 convilyn.loss.4", "a-convilyn.loss.9 convilyn.loss.9", "a-convilyn.loss.11 convilyn.loss.11"}, given)
	require.Len(t, one.Ledger, 1)
	assert.Equal(t, "a", one.Ledger[0].AnswerID, "of a run that asks once it stays as it is")
}

func TestWhoeverWatches_HearsOfEachLossOnce(t *testing.T) {
	temporal := runstest.New()
	docs := docsThatAsk()
	temporal.Add(docs)
	c, reported := &runs.Client{Temporal: temporal}, map[string]bool{}
	var errs bytes.Buffer
	e := &Env{Program: "starter", Stderr: &errs}
	look := func() string {
		errs.Reset()
		now, found := openQuestions(t.Context(), c, "batch-1", reported)
		if found {
			e.printWaiting(now)
			for _, q := range now.fresh {
				reported[roundOf("batch-1", q)] = true
			}
		}
		return errs.String()
	}

	assert.Contains(t, look(), "a.docx to md")
	assert.Empty(t, look())
	temporal.Change(func() { docs.Questions = append(docs.Questions, lossOf("convilyn.loss.12", "e.docx")) })
	next := look()
	assert.Contains(t, next, "e.docx to md")
	assert.NotContains(t, next, "a.docx to md", "it was printed before")
	assert.Contains(t, next, "and for 3 more, see 'starter runs show batch-1'")
}

// Losses of a batch are questions of their own, and all of them can be answered at once.
func TestSlots_AnswerLosses(t *testing.T) {
	temporal := runstest.New()
	docs := docsThatAsk()
	temporal.Add(docs)

	code, stdout, _ := command(t.Context(), t, temporal, Env{}, "", "slots", "list")
	require.Equal(t, ExitOK, code)
	assert.Contains(t, stdout, "b.docx to md: 2 of 48 words of the source are not in the output: 17, 25. Keep the output?")

	code, stdout, _ = command(t.Context(), t, temporal, Env{}, "", "runs", "show", "batch-1")
	require.Equal(t, ExitOK, code)
	assert.Contains(t, stdout, "source: /in/b.docx")
	assert.Contains(t, stdout, "output: /out/.convilyn-r-0.part, to be made.md")

	code, _, stderr := command(t.Context(), t, temporal, Env{}, "", "slots", "answer", "batch-1", "convilyn.loss.4=refuse")
	require.Equal(t, ExitOK, code, stderr)
	code, _, stderr = command(t.Context(), t, temporal, Env{}, "", "slots", "answer", "--all-runs", "convilyn.loss=keep", "--yes")
	require.Equal(t, ExitOK, code, stderr)
	assert.Contains(t, stderr, "2 of 2 questions of 1 run answered")

	var given []string
	for _, receipt := range docs.Ledger {
		given = append(given, receipt.SlotID+"="+string(receipt.Value))
	}
	assert.ElementsMatch(t, []string{`convilyn.loss.4="refuse"`, `convilyn.loss.9="keep"`, `convilyn.loss.11="keep"`}, given)
}
