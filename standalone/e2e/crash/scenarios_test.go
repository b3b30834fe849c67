//go:build crash && linux && amd64

package crash

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
	"github.com/convilyn/convilyn-temporal/workflows/goal"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
	"github.com/convilyn/convilyn-temporal/workflows/watch"
)

// scenario is what one run of the matrix does, and what must be there in the end.
type scenario struct {
	kind  string
	loses string // a request whose first reply is lost in any case
	// refuses is a request that the service does not know.
	refuses string
	// tell starts the run and plays the people in it.
	run func(ctx context.Context, x *run) error
	// conversions and goals are how many jobs the service has more afterwards, neither more nor fewer.
	conversions, goals int
	// files are what lies in the output folder afterwards, nothing else.
	files []string
}

// run is a scenario under way.
type run struct {
	*processes
	id      string // of the workflow
	in, out string // folders
}

var scenarios = map[string]scenario{
	"convert": {
		kind: "file",
		run: func(ctx context.Context, x *run) error {
			if err := x.begin(ctx, convert.WorkflowType, x.conversion("a")); err != nil {
				return err
			}
			return x.ends(ctx, nil, "")
		},
		conversions: 1, files: []string{"a.html"},
	},
	"output in way": {
		kind: "file",
		run: func(ctx context.Context, x *run) error {
			if err := os.WriteFile(filepath.Join(x.out, "a.html"), []byte("somebody's own"), 0o600); err != nil {
				return err
			}
			if err := x.begin(ctx, convert.WorkflowType, x.conversion("a")); err != nil {
				return err
			}
			return x.ends(ctx, nil, activities.CodeOutputExists)
		},
		conversions: 1, files: []string{"a.html"},
	},
	"loss kept": {
		kind: "file",
		run: func(ctx context.Context, x *run) error {
			input := x.conversion("a")
			input.Source, input.Name = "file://"+filepath.Join(x.in, "a.html"), "a.html"
			input.SourceFormat, input.To.Format = "html", "md"
			input.Options, input.OnLoss = option.Values{option.NameCheck: option.CheckWarn}, questions.OnLossAsk
			if err := errors.Join(x.write("a.html", "<p>Take <math><mn>17</mn></math> of them in the morning.</p>"), x.begin(ctx, convert.WorkflowType, input)); err != nil {
				return err
			}
			if err := x.until(ctx, "it asks about a loss", func() bool { return x.asks(ctx, questions.SlotLoss) }); err != nil {
				return err
			}
			if err := x.answer(ctx, questions.SlotLoss, questions.LossKeep); err != nil {
				return err
			}
			return x.ends(ctx, nil, "")
		},
		conversions: 1, files: []string{"a.md"},
	},
	"batch": {
		kind: "batch",
		run: func(ctx context.Context, x *run) error {
			if err := errors.Join(x.write("a.txt", "x"), x.write("b.md", "# B"), x.write("c.md", "# C")); err != nil {
				return err
			}
			err := x.begin(ctx, batch.WorkflowType, batch.Input{
				Name: "b", Spec: manifest.Spec{Source: x.in, Output: x.out, To: "html"}, Concurrency: 1,
			})
			if err != nil {
				return err
			}
			if err := x.until(ctx, "a file has failed", func() bool { return x.progress(ctx).Failed > 0 }); err != nil {
				return err
			}
			if err := x.client.SignalWorkflow(ctx, x.id, "", batch.SignalRetryFailed, nil); err != nil {
				return err
			}
			var result batch.Result
			if err := x.ends(ctx, &result, ""); err != nil {
				return err
			}
			if result.Summary.Completed != 2 || result.Summary.Failed != 1 {
				return fmt.Errorf("the batch tells %+v", result.Summary)
			}
			return x.accounts("a.txt", "b.md", "c.md")
		},
		conversions: 4, files: []string{"b.html", "b.report.jsonl", "b.summary.json", "c.html"}, // a.txt is tried twice
	},
	"watch": {
		kind: "batch",
		run: func(ctx context.Context, x *run) error {
			if err := x.write("a.md", "# A"); err != nil {
				return err
			}
			err := x.begin(ctx, watch.WorkflowType, watch.Input{
				Name: "w", Spec: manifest.Spec{Source: x.in, Output: x.out, To: "html", Settle: time.Second, Lenient: true, SkipFailed: true},
			})
			if err != nil {
				return err
			}
			err = x.until(ctx, "the wave has ended", func() bool {
				return x.accounts("a.md") == nil && x.watched(ctx).Waves == 1
			})
			if err != nil {
				return err
			}
			if err := x.client.CancelWorkflow(ctx, x.id, ""); err != nil {
				return err
			}
			return x.ends(ctx, nil, cancelled)
		},
		conversions: 1, files: []string{"a.html", "w.report.jsonl", "w.summary.json"},
	},
	"plan gone": {
		kind: "batch",
		run: func(ctx context.Context, x *run) error {
			err := x.begin(ctx, batch.WorkflowType, batch.Input{
				Name: "b", Spec: manifest.Spec{Source: x.in, Output: x.out, To: "html"},
				Plan: &manifest.Plan{Folder: filepath.Join(x.in, "gone"), Root: x.in, Output: x.out, To: "html", Items: 1, End: 1},
			})
			if err != nil {
				return err
			}
			return x.ends(ctx, nil, activities.CodePlanMissing)
		},
		files: []string{"b.report.jsonl", "b.summary.json"},
	},
	"goal": {
		kind: "goal",
		run: func(ctx context.Context, x *run) error {
			input := x.goal("stumble")
			input.Policy.Confirm = questions.ConfirmAsk
			if err := x.begin(ctx, goal.WorkflowType, input); err != nil {
				return err
			}
			if err := x.until(ctx, "it waits for people", func() bool { return x.ran("LookGoal") && x.asks(ctx, "word") }); err != nil {
				return err
			}
			if err := x.answer(ctx, "word", "yes"); err != nil {
				return err
			}
			if err := x.until(ctx, "it asks whether to spend", func() bool { return x.asks(ctx, goal.SlotConfirm) }); err != nil {
				return err
			}
			if err := x.answer(ctx, goal.SlotConfirm, goal.ConfirmYes); err != nil {
				return err
			}
			return x.ends(ctx, nil, "")
		},
		goals: 1, files: []string{"word.txt"},
	},
	"goal retried": {
		kind: "goal",
		run: func(ctx context.Context, x *run) error {
			input := x.goal("limping")
			input.Answers = []questions.Answer{{SlotID: "word", Value: json.RawMessage(`"yes"`)}}
			if err := x.begin(ctx, goal.WorkflowType, input); err != nil {
				return err
			}
			var result goal.Result
			if err := x.ends(ctx, &result, ""); err != nil {
				return err
			}
			if result.Retries != 1 {
				return fmt.Errorf("it was retried %d times", result.Retries)
			}
			return nil
		},
		goals: 1, files: []string{"word.txt"},
	},
	"goal cancelled": {
		kind: "goal",
		run: func(ctx context.Context, x *run) error {
			if err := x.begin(ctx, goal.WorkflowType, x.goal("stumble")); err != nil {
				return err
			}
			if err := x.until(ctx, "it waits for people", func() bool { return x.ran("LookGoal") }); err != nil {
				return err
			}
			if err := x.client.CancelWorkflow(ctx, x.id, ""); err != nil {
				return err
			}
			return x.ends(ctx, nil, cancelled)
		},
		goals: 1,
	},
	"goal unknown": {
		kind:  "goal",
		loses: "POST " + client.PathGoals,
		run: func(ctx context.Context, x *run) error {
			input := x.goal("stumble")
			input.Answers = []questions.Answer{{SlotID: "word", Value: json.RawMessage(`"yes"`)}}
			if err := x.begin(ctx, goal.WorkflowType, input); err != nil {
				return err
			}
			return x.ends(ctx, nil, "")
		},
		goals: 1, files: []string{"word.txt"},
	},
	"goal adopted": {
		kind:  "goal",
		loses: "POST " + client.PathGoals, refuses: "GET " + client.PathGoals,
		run: func(ctx context.Context, x *run) error {
			input := x.goal("stumble")
			input.Answers = []questions.Answer{{SlotID: "word", Value: json.RawMessage(`"yes"`)}}
			if err := x.begin(ctx, goal.WorkflowType, input); err != nil {
				return err
			}
			return x.ends(ctx, nil, "")
		},
		goals: 1, files: []string{"word.txt"},
	},
}

// cancelled is what ends wants of a run that was cancelled.
const cancelled = "cancelled"

func (x *run) write(name, content string) error {
	return os.WriteFile(filepath.Join(x.in, name), []byte(content), 0o600)
}

func (x *run) conversion(stem string) convert.Input {
	_ = x.write(stem+".md", "# A\n\nIts own words.\n")
	return convert.Input{
		Source: "file://" + filepath.Join(x.in, stem+".md"), Name: stem + ".md", SourceFormat: "md",
		To: activities.Destination{Folder: "file://" + x.out, Stem: stem, Format: "html"},
	}
}

func (x *run) goal(name string) goal.Input {
	_ = x.write("a.md", "# A")
	return goal.Input{
		WorkflowID: "goal_lane." + name, To: goal.Destination{Folder: "file://" + x.out},
		Files: []goal.File{{Source: "file://" + filepath.Join(x.in, "a.md"), Name: "a.md"}},
	}
}

// begin starts the run. Where it cannot know whether its goal was started, somebody decides who can look into the service.
func (x *run) begin(ctx context.Context, workflow string, input any) error {
	if workflow == goal.WorkflowType {
		go x.decideStart(ctx)
	}
	_, err := x.client.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{ID: x.id, TaskQueue: workflows.TaskQueue}, workflow, input)
	return err
}

func (x *run) decideStart(ctx context.Context) {
	for x.until(ctx, "a start of unknown outcome", func() bool { return x.asks(ctx, goal.SlotStart) }) == nil {
		decision := goal.StartAgain
		if list, err := x.goalJobs(ctx); err != nil {
			continue
		} else if len(list.Jobs) > 0 && !list.Jobs[0].Status.Terminal() {
			decision = list.Jobs[0].JobSpecID
		}
		_ = x.answer(ctx, goal.SlotStart, decision)
	}
}

// ends waits for the end of the run, over deaths of Temporal: well where fails is empty, or with that code.
func (x *run) ends(ctx context.Context, result any, fails string) error {
	for {
		err := x.client.GetWorkflow(ctx, x.id, "").Get(ctx, result)
		var failed *sdktemporal.WorkflowExecutionError
		var application *sdktemporal.ApplicationError
		switch {
		case err == nil && fails == "", sdktemporal.IsCanceledError(err) && fails == cancelled:
			return nil
		case err == nil:
			return fmt.Errorf("it ended well, not as %s", fails)
		case errors.As(err, &failed) && errors.As(err, &application) && application.Type() == fails:
			return nil
		case errors.As(err, &failed), ctx.Err() != nil:
			return err
		}
	}
}

// until looks again and again, over deaths of everybody.
func (x *run) until(ctx context.Context, says string, is func() bool) error {
	for !is() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("it never came: %s", says)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func ask[T any](ctx context.Context, x *run, query string) (answer T) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if value, err := x.client.QueryWorkflow(ctx, x.id, "", query); err == nil {
		_ = value.Get(&answer)
	}
	return answer
}

func (x *run) progress(ctx context.Context) batch.Progress {
	return ask[batch.Progress](ctx, x, batch.QueryProgress)
}

func (x *run) watched(ctx context.Context) watch.Progress {
	return ask[watch.Progress](ctx, x, batch.QueryProgress)
}

func (x *run) asks(ctx context.Context, slotID string) bool {
	return slices.ContainsFunc(ask[[]questions.Question](ctx, x, questions.QueryQuestions), func(q questions.Question) bool { return q.SlotID == slotID })
}

func (x *run) answer(ctx context.Context, slotID, value string) error {
	for {
		err := x.client.SignalWorkflow(ctx, x.id, "", questions.SignalFillSlot, questions.Answer{SlotID: slotID, Value: json.RawMessage(strconv.Quote(value))})
		var unavailable *serviceerror.Unavailable
		if !errors.As(err, &unavailable) {
			return err
		}
	}
}

// accounts wants one line of the report for each source.
func (x *run) accounts(sources ...string) error {
	paths, err := filepath.Glob(filepath.Join(x.out, "*.report.jsonl"))
	if err != nil || len(paths) != 1 {
		return fmt.Errorf("there are %d reports", len(paths))
	}
	var has []string
	err = manifest.Lines(paths[0], func(line manifest.Line) error {
		has = append(has, filepath.Base(line.Source))
		return nil
	})
	slices.Sort(has)
	if err == nil && !slices.Equal(has, sources) {
		err = fmt.Errorf("the report has lines of %v, not of %v", has, sources)
	}
	return err
}

// tree is every file of a folder and what is in it; reports tell times and ids, and count by their names.
func tree(root string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		all[name] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	maps.DeleteFunc(all, func(name, _ string) bool { return strings.HasPrefix(name, ".convilyn/") })
	return all, err
}
