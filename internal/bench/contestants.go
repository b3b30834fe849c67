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
)

// The contestants by the names that tables show.
const (
	nameBare  = "bare client"
	nameChild = "child per file"
	nameOurs  = "ConvertBatch"
)

// contestant converts files in its own way. run returns the workflow that did it, nil where there is none.
type contestant struct {
	name string
	run  func(ctx context.Context, t task) (*execution, error)
}

// execution names a run of a workflow.
type execution struct{ id, run string }

func (m *measurement) contestants() []contestant {
	bare := contestant{nameBare, m.bare}
	child, ours := contestant{nameChild, m.childPerFile}, contestant{nameOurs, m.batch}
	if m.kind.canned {
		return []contestant{child, ours}
	}
	return []contestant{bare, child, ours}
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

func (m *measurement) childPerFile(ctx context.Context, t task) (*execution, error) {
	queue := queueChild
	if m.kind.canned {
		queue = queueCanned
	}
	run, err := m.start(ctx, t, queue, convertEachName, convertEachInput{
		In: t.folder, Out: t.out, Source: m.kind.source, Target: m.kind.target, Files: t.files, Concurrency: m.Concurrency,
	})
	if err != nil {
		return nil, err
	}
	first := &execution{run.GetID(), run.GetRunID()}
	var done int
	if err := run.Get(ctx, &done); err != nil {
		return nil, err
	}
	if done != t.files {
		return nil, fmt.Errorf("%d of %d files were converted", done, t.files)
	}
	return first, nil
}

func (m *measurement) batch(ctx context.Context, t task) (*execution, error) {
	queue := workflows.TaskQueue
	if m.kind.canned {
		queue = queueCanned
	}
	run, err := m.start(ctx, t, queue, workflows.ConvertBatchName, workflows.ConvertBatchInput{
		Name: t.id, Concurrency: m.Concurrency,
		Spec: manifest.Spec{Source: t.folder, Output: t.out, To: m.kind.target},
	})
	if err != nil {
		return nil, err
	}
	first := &execution{run.GetID(), run.GetRunID()}
	var result workflows.BatchResult
	if err := run.Get(ctx, &result); err != nil {
		return nil, err
	}
	if done := result.Summary.Completed; done != t.files {
		return nil, fmt.Errorf("%d of %d files were converted: %s %s", done, t.files, result.Status, result.Reason)
	}
	return first, nil
}

func (m *measurement) start(ctx context.Context, t task, queue, workflow string, input any) (temporalclient.WorkflowRun, error) {
	id := t.id + "-" + strings.ToLower(workflow)
	run, err := m.Temporal.ExecuteWorkflow(ctx, temporalclient.StartWorkflowOptions{ID: id, TaskQueue: queue}, workflow, input)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", workflow, err)
	}
	return run, nil
}
