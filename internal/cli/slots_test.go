package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

var colours = []activities.Option{{Value: "r", Label: "Red"}, {Value: "g", Label: "Green, dark"}, {Value: "7", Label: "Seven"}}

func question(slotID string, kind slot.Type) questions.Question {
	return questions.Question{Slot: slot.Slot{SlotID: slotID, Type: kind, Text: "What " + slotID + "?", Required: true}, Round: 1, Key: "key-" + slotID, AskedAt: time.Now().Add(-time.Hour)}
}

func TestParseValue(t *testing.T) {
	dir := folder(t, "logo.png", "a,b.png")
	choice := question("c", slot.Choice)
	choice.Options = colours
	bounded := question("n", slot.Number)
	low, high := 1.0, 100.0
	bounded.Bounds = slot.Bounds{Min: &low, Max: &high}
	for name, test := range map[string]struct {
		q              questions.Question
		text, is, says string
	}{
		"path":                 {question("f", slot.File), "@logo.png", `"file://` + dir + `/logo.png"`, ""},
		"id of a file":         {question("f", slot.File), "file_1", `"file_1"`, ""},
		"path with a comma":    {question("f", slot.File), "a,b.png", `"file://` + dir + `/a,b.png"`, ""},
		"path and id":          {question("f", slot.File), "logo.png, file_1", `["file://` + dir + `/logo.png","file_1"]`, ""},
		"id as a path":         {question("f", slot.File), "@file_1", "", "file_1 does not exist"},
		"no such path":         {question("f", slot.File), "none.png", "", "none.png does not exist"},
		"text that begins @":   {question("t", slot.Text), "@logo.png", `"@logo.png"`, ""},
		"path of unknown type": {question("u", "colour_wheel"), "@logo.png", `"file://` + dir + `/logo.png"`, ""},
		"JSON of unknown type": {question("u", "colour_wheel"), `{"h":1}`, `{"h":1}`, ""},
		"text of unknown type": {question("u", "colour_wheel"), "plain", `"plain"`, ""},
		"choice":               {choice, "2", `"g"`, ""},
		"no such choice":       {choice, "blue", "", `"blue" is not one of r, g, 7`},
		"number":               {bounded, "80", `80`, ""},
		"number out of bounds": {bounded, "101", "", "101 is not from 1 to 100"},
		"rating":               {question("r", slot.Rating), "4", `4`, ""},
		"rating out of bounds": {question("r", slot.Rating), "0", "", "0 is not from 1 to 5"},
	} {
		t.Run(name, func(t *testing.T) {
			value, err := parseValue(test.q.Slot, test.text)
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				assert.NotContains(t, err.Error(), "\n")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.is, string(value))
		})
	}
}

func TestAnswersThatAreRefusedBeforeAnythingIsSent(t *testing.T) {
	for says, args := range map[string][]string{
		"name a run":                                           {"title=x"},
		`"x" is not SLOT=VALUE`:                                {"run-1", "x"},
		"stdin is not a terminal":                              {"run-1"},
		"no run is called run-9":                               {"run-9", "title=x"},
		"does not ask this; open: title, colour;":              {"run-1", "tone=formal"},
		`"blue" is not one of r, g, 7`:                         {"run-1", "title=x", "colour=blue"},
		"--answer-id goes with one":                            {"run-1", "title=x", "colour=r", "--answer-id", "a"},
		"go with --all-runs":                                   {"run-1", "title=x", "--yes"},
		"--all-runs takes one SLOT=VALUE":                      {"--all-runs", "title=x", "colour=r"},
		"no run waits for tone with these filters":             {"--all-runs", "tone=x"},
		"1 run would be answered, and stdin is not a terminal": {"--all-runs", "title=x"},
	} {
		t.Run(says, func(t *testing.T) {
			f := newGoals()
			colour := question("colour", "choice")
			colour.Options = colours
			run := f.add("run-1", "goal_lane.binder", question("title", "text"), colour)
			code, stdout, stderr := f.command(t, Env{}, "", append([]string{"slots", "answer"}, args...)...)
			assert.Equal(t, ExitUsage, code, says)
			assert.Contains(t, stderr, says)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			assert.Empty(t, stdout, says)
			assert.Empty(t, run.Answers, says)
		})
	}
}

func TestAnswer(t *testing.T) {
	f := newGoals()
	run := f.add("run-1", "g", question("title", "text"), question("pages", "number"))
	code, _, stderr := f.command(t, Env{}, "", "slots", "answer", "run-1", "title=a=b", "tone=7", "--early", "--by", "ann", "--note", "n")
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stderr, "run-1: title: accepted")
	require.Len(t, run.Answers, 2)
	assert.Equal(t, `"a=b"`, string(run.Answers[0].Value))
	assert.Equal(t, "7", string(run.Answers[1].Value), "of no known type, so JSON")
	assert.Equal(t, []string{"ann", "n", channelCLI}, []string{run.Answers[0].AnsweredBy, run.Answers[0].Note, run.Answers[0].Channel})
	f.refuse["8"] = "too many"
	code, stdout, _ := f.command(t, Env{}, "", "slots", "answer", "run-1", "pages=8", "--answer-id", "a", "--json")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stdout, `"workflow_id":"run-1","answer_id":"a","slot_id":"pages","verdict":"invalid","reason":"too many"`)
}

func TestAnsweringInDialogue(t *testing.T) {
	f := newGoals()
	colour, title, note := question("colour", "choice"), question("title", "text"), question("note", "text")
	colour.Options, title.Suggested, note.Required = colours, []byte(`"Minutes"`), false
	run := f.add("run-1", "g", title, note, colour)
	f.refuse[`"7"`] = "sold out\x1b[2J"
	code, _, stderr := f.command(t, Env{}, "\n\nblue\n7\n2\n", "slots", "answer", "run-1")
	require.Equal(t, 0, code, stderr)
	require.Len(t, run.Answers, 2, "the optional one was skipped")
	assert.Equal(t, `"Minutes"`, string(run.Answers[0].Value), "Enter takes the suggestion")
	assert.Equal(t, `"g"`, string(run.Answers[1].Value))
	for _, says := range []string{"[3/3] What colour?", "1. Red (r)", "Enter takes Minutes", "Enter skips it", `"blue" is not one of`, "sold out"} {
		assert.Contains(t, stderr, says)
	}
	assert.NotContains(t, stderr, "\x1b")
	f.add("run-2", "g", question("title", "text"))
	code, _, stderr = f.command(t, Env{}, "\n", "slots", "answer", "run-2")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "stay open")
}

func TestDialogue_RatingAndBounds(t *testing.T) {
	f := newGoals()
	caption := question("caption", slot.Text)
	caption.Bounds = slot.Bounds{MaxLength: 5, Pattern: "(?=x)"}
	run := f.add("run-1", "g", question("stars", slot.Rating), caption)
	code, _, stderr := f.command(t, Env{}, "6\nfour\n4\nharbour\nboats\n", "slots", "answer", "run-1")
	require.Equal(t, 0, code, stderr)
	require.Len(t, run.Answers, 2)
	assert.Equal(t, "4", string(run.Answers[0].Value))
	assert.Equal(t, `"boats"`, string(run.Answers[1].Value))
	for _, says := range []string{
		"a whole number", "from 1 to 5", "6 is not from 1 to 5", `"four" is not a whole number from 1 to 5`,
		"at most 5 characters, the pattern (?=x) is checked by the service alone", "the text has 7 characters; it must have at most 5 characters",
	} {
		assert.Contains(t, stderr, says)
	}
}

func TestAnswerAllRuns(t *testing.T) {
	other := question("title", "text")
	other.Key, other.Text = "key-other", "Which title?"
	f := newGoals()
	runs := []*runstest.Run{f.add("run-1", "g.a", question("title", "text")), f.add("run-2", "g.a", question("title", "text")), f.add("run-3", "g.b", other)}
	code, _, stderr := f.command(t, Env{}, "", "slots", "answer", "--all-runs", "title=x", "--yes")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "--key key-title  2 runs  What title?\n  --key key-other  1 run  Which title?")
	code, _, stderr = f.command(t, Env{}, "n\n", "slots", "answer", "--all-runs", "title=x", "--goal", "a")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, "nothing was answered")
	code, stdout, stderr := f.command(t, Env{}, "y\n", "slots", "answer", "--all-runs", "title=x", "--key", "key-title", "--json")
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, 2, strings.Count(stdout, `"verdict":"accepted"`))
	assert.Equal(t, []int{1, 1, 0}, []int{len(runs[0].Answers), len(runs[1].Answers), len(runs[2].Answers)})
}

// A memo holds the first questions of a run only; the others are asked for.
func TestQuestionsThatTheMemoDoesNotHold(t *testing.T) {
	f := newGoals()
	run := f.add("run-1", "g", question("title", "text"), question("tone", "text"))
	run.More = 1
	code, _, stderr := f.command(t, Env{}, "", "slots", "answer", "--all-runs", "tone=x", "--yes")
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, "tone", run.Answers[0].SlotID)
}

func TestListingQuestions(t *testing.T) {
	f := newGoals()
	f.add("run-1", "goal_lane.binder", question("title", "text"), question("tone", "text"))
	f.add("run-2", "goal_lane.tables", question("title", "text"))
	for want, filter := range map[int][]string{
		3: {}, 2: {"--slot", "title"}, 1: {"--goal", "binder", "--text", "TONE"}, 0: {"--older-than", "2h"},
	} {
		t.Run(fmt.Sprintf("want %v", want), func(t *testing.T) {
			code, stdout, stderr := f.command(t, Env{}, "", append([]string{"slots", "list", "--json"}, filter...)...)
			require.Equal(t, 0, code, stderr)
			assert.Equal(t, want, strings.Count(stdout, "\n"), filter)
		})
	}
	_, stdout, _ := f.command(t, Env{}, "", "slots", "list", "--limit", "1")
	assert.Regexp(t, `^WAITING +FOR +NAME +RUN +SLOT +QUESTION +UNTIL\n1 h +- +- +run-1 +title +What title\? +-\n$`, stdout)
	code, _, stderr := f.command(t, Env{}, "", "slots", "list", "--limit", "0")
	assert.Equal(t, ExitUsage, code, stderr)
}

func TestGoalsAmongTheRuns(t *testing.T) {
	f := newGoals()
	run := f.add("run-1", "goal_lane.binder", question("title", "text"))
	run.Ledger = []questions.Receipt{{SlotID: "title", Verdict: questions.VerdictAccepted, AnsweredBy: "ann", Channel: channelCLI}}
	code, stdout, stderr := f.command(t, Env{}, "", "runs", "list", "--state", "waiting", "--lane", "goal")
	require.Equal(t, 0, code, stderr)
	assert.Regexp(t, `run-1 +waiting +goal`, stdout)
	assert.Equal(t, "WorkflowType = 'RunGoal' AND ExecutionStatus = 'Running' AND ConvilynState = 'waiting'", lastList(f.Temporal))
	code, stdout, stderr = f.command(t, Env{}, "", "runs", "show", "run-1")
	require.Equal(t, 0, code, stderr)
	assert.Regexp(t, `job +job_1`, stdout)
	assert.Regexp(t, `question +title \(text\): What title\?  \[open since`, stdout)
	assert.Regexp(t, `answer +title  accepted .* by ann through cli`, stdout)
	code, _, stderr = f.command(t, Env{}, "", "runs", "list", "--lane", "fast")
	assert.Equal(t, ExitUsage, code)
	assert.Contains(t, stderr, `--lane "fast" is not turbo, goal, batch or watch`)
}

func TestWordsForShells(t *testing.T) {
	assert.Equal(t, "a=@b/c.png", shellWord("a=@b/c.png"))
	assert.Equal(t, `'a=it'\''s $5'`, shellWord("a=it's $5"))
}

func TestQuestionsAboutMoneySayWhereMoreIs(t *testing.T) {
	q := question(questions.SlotTrouble, slot.Choice)
	q.Options = colours
	for name, show := range map[string]func(e *Env){
		"where a person is asked": func(e *Env) { e.renderQuestion(q, 1, 1) },
		"off a terminal":          func(e *Env) { e.printQuestions("w", []questions.Question{q}) },
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			q.Credits = &activities.Credits{TopUpURL: "https://pay.example.org/topup"}
			show(&Env{Stderr: &out, Program: "standalone"})
			assert.Contains(t, out.String(), "  credits or a plan: https://pay.example.org/topup\n")
			have := int64(640)
			q.Credits = &activities.Credits{Have: &have}
			show(&Env{Stderr: &out, Program: "standalone"})
			assert.Contains(t, out.String(), "  the account has 640 credits\n")
		})
	}
}

func TestAnswers_AreAcceptedWhenTheServiceHasTakenThem(t *testing.T) {
	at := time.Now()
	for name, c := range map[string]struct {
		open  []questions.Question
		later func(r *questions.Receipt) // what becomes of the answer
		code  int
		says  string
	}{
		"taken":                  {[]questions.Question{question("title", "text")}, func(r *questions.Receipt) { r.DeliveredAt = &at }, ExitOK, "run-1: title: accepted\n"},
		"refused by the service": {[]questions.Question{question("title", "text")}, func(r *questions.Receipt) { r.Verdict, r.Reason = questions.VerdictInvalid, "too long" }, ExitUsage, "run-1: title: invalid: too long\n"},
		"others are missing":     {[]questions.Question{question("title", "text"), question("tone", "text")}, nil, ExitOK, "run-1: title: answered; it is accepted once the service has taken it, see 'starter runs show run-1'\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newGoals()
			run := &runstest.Run{Kind: runs.Goal, ID: "run-1", Goal: "goal_lane.binder", Questions: c.open, Later: true}
			run.OnQuery = func() {
				if c.later != nil && len(run.Ledger) > 0 {
					c.later(&run.Ledger[0])
					run.Questions[0].Answered = run.Ledger[0].Verdict != questions.VerdictInvalid // one that is refused is open again
				}
			}
			f.Add(run)

			code, _, stderr := f.command(t, Env{}, "", "slots", "answer", "run-1", "title=x")

			assert.Equal(t, c.code, code)
			assert.Equal(t, c.says, stderr)
		})
	}
}
