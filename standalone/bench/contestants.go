package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// Config is what is measured and with what.
type Config struct {
	Dir         string // exists, and is empty; for inputs and outputs
	Files       int    // a turn
	Concurrency int    // files at once; where conversions are costly it is a part of both
	Rounds      int
	Only        []string // names of Kinds; all where empty

	Temporal temporalclient.Client
	// Worker is the options of the product's own worker, which serves workflows.TaskQueue; the other contestants
	// get workers of their own with the same.
	Worker  worker.Options
	BaseURL string // of the service
	Key     string
	Poll    time.Duration // first wait between two looks at a job, that of the product's worker
	// Service tells what the service has used since it was started.
	Service func() (ServiceUse, error)
	Say     func(text string) // one line of progress
	// Profiles is an existing folder for CPU profiles, NAME.pprof, of each contestant's last turn; empty for none.
	Profiles string
}

// measurement is one kind of conversion, all contestants, all rounds.
type measurement struct {
	Config
	kind  kind
	api   *client.Client
	turns int
}

// task is what a contestant gets to do.
type task struct {
	inputs
	id  string // unique
	out string // folder
}

// contestant converts files in its own way. run returns the workflow that did it, nil where there is none.
type contestant struct {
	name string
	run  func(ctx context.Context, t task) (*execution, error)
}

func (m *measurement) contestants() []contestant {
	if m.kind.canned {
		return []contestant{
			{nameChild, m.childPerFile(queueCanned)}, {nameDefaults, m.childPerFile(queueDefaults)}, {nameOurs, m.batch(queueCanned)},
		}
	}
	return []contestant{{nameBare, m.bare}, {nameChild, m.childPerFile(queueChild)}, {nameOurs, m.batch(workflows.TaskQueue)}}
}

// bare is a sensible script: as many loops as files at once, nothing remembered.
func (m *measurement) bare(ctx context.Context, t task) (*execution, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next, done := make(chan int), make(chan struct{})
	for range m.Concurrency {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range next {
				if err := m.convert(ctx, t, i); err != nil {
					cancel(fmt.Errorf("%s: %w", fileName(i, m.kind.source), err))
				}
			}
		}()
	}
	for i := range t.files {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	for range m.Concurrency {
		<-done
	}
	return nil, context.Cause(ctx) //nolint:nilnil // it runs no workflow
}

func (m *measurement) convert(ctx context.Context, t task, i int) error {
	file, err := m.api.Files.UploadFile(ctx, filepath.Join(t.folder, fileName(i, m.kind.source)))
	if err != nil {
		return err
	}
	job, err := m.api.Convert.CreateAndWait(ctx, client.CreateParams{
		FileID: file.FileID, SourceFormat: m.kind.source, TargetFormat: m.kind.target,
	}, client.WaitOptions{Interval: m.Poll})
	if err != nil {
		return err
	}
	for _, result := range job.ResultFiles {
		to := filepath.Join(t.out, fileName(i, m.kind.target))
		if _, err := m.api.Convert.Download(ctx, result, client.DownloadOptions{Path: to}); err != nil {
			return err
		}
	}
	return nil
}

func (m *measurement) childPerFile(queue string) func(context.Context, task) (*execution, error) {
	return func(ctx context.Context, t task) (*execution, error) {
		var done int
		first, err := m.follow(ctx, t, queue, convertEachName, convertEachInput{
			In: t.folder, Out: t.out, Source: m.kind.source, Target: m.kind.target, Files: t.files, Concurrency: m.Concurrency,
		}, &done)
		if err == nil && done != t.files {
			err = fmt.Errorf("%d of %d files were converted", done, t.files)
		}
		return first, err
	}
}

func (m *measurement) batch(queue string) func(context.Context, task) (*execution, error) {
	return func(ctx context.Context, t task) (*execution, error) {
		var result batch.Result
		first, err := m.follow(ctx, t, queue, batch.WorkflowType, batch.Input{
			Name: t.id, Concurrency: m.Concurrency, Spec: manifest.Spec{Source: t.folder, Output: t.out, To: m.kind.target},
		}, &result)
		if done := result.Summary.Completed; err == nil && done != t.files {
			err = fmt.Errorf("%d of %d files were converted: %s %s", done, t.files, result.Status, result.Reason)
		}
		return first, err
	}
}

// follow runs a workflow to its end.
func (m *measurement) follow(ctx context.Context, t task, queue, workflow string, input, result any) (*execution, error) {
	id := t.id + "-" + strings.ToLower(workflow)
	run, err := m.Temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{ID: id, TaskQueue: queue}, workflow, input)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", workflow, err)
	}
	first := &execution{run.GetID(), run.GetRunID()} // asked for later, it is the last run's
	return first, run.Get(ctx, result)
}
