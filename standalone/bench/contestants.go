package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// The contestants by the names that tables show.
const (
	nameBare     = "bare client"
	nameChild    = "child per file"
	nameDefaults = "child, defaults" // its worker has the SDK's options, not ours
	nameOurs     = "ConvertBatch"
)

// contestant converts files in its own way. run returns the workflow that did it, nil where there is none.
type contestant struct {
	name string
	run  func(ctx context.Context, t task) (*execution, error)
}

// execution names a run of a workflow.
type execution struct{ id, run string }

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
