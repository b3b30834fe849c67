package batch_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/internal/testkit/workflowtest"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// batchRun is a ConvertBatch in virtual time, over as many runs as it continues as new. Its steps are played: each
// takes a second of virtual time, and what they do is counted.
type batchRun struct {
	*testsuite.TestWorkflowEnvironment
	mu        sync.Mutex
	items     []activities.BatchItem
	uploads   map[int]int
	jobs      map[int]int
	waits     map[int]int
	outputs   map[int]int
	entries   map[int][]activities.BatchEntry
	parts     map[string]bool
	inParts   map[int]string // the part that has an item's last entry
	retried   []activities.BatchItem
	broken    func(path string, offset int64) error // what reading the plan there fails with
	reported  bool
	slow      map[int]time.Duration          // how long the wait for an item's job takes
	refusals  func(step string, i int) error // what a step of an item fails with; nil for nothing
	refused   map[int]int                    // times that an item's creation was told to slow down
	gone      bool                           // the plan was removed
	full      bool                           // no report can be written
	salvaged  map[int]*activities.BatchEntry // what the report without a plan has
	lossy     func(i int) bool               // items in whose output something is missing; nil for none
	heldFiles int                            // of each such output; 1 where 0
	listed    string                         // the state that lists show
	placed    map[int]int                    // held outputs that were kept
	dropped   map[int]int                    // held outputs that were removed
	again     map[int]bool                   // whether an item's creation was last begun as one that has failed before

	plan  []plannedBatch
	spent time.Duration
	runs  int
	carry []int // items under way at each continue-as-new
}

type plannedBatch struct {
	after time.Duration
	do    func(r *batchRun)
}

func newBatchRun(n int) *batchRun {
	r := &batchRun{
		uploads: map[int]int{}, jobs: map[int]int{}, waits: map[int]int{}, outputs: map[int]int{},
		entries: map[int][]activities.BatchEntry{}, parts: map[string]bool{}, slow: map[int]time.Duration{}, refused: map[int]int{}, again: map[int]bool{},
		inParts: map[int]string{}, salvaged: map[int]*activities.BatchEntry{},
		placed: map[int]int{}, dropped: map[int]int{},
	}
	for i := range n {
		r.items = append(r.items, activities.BatchItem{Index: i, Source: fmt.Sprintf("sub/%d.md", i), Size: 10, From: "md", Dest: fmt.Sprintf("sub/%d", i)})
	}
	return r
}

func (r *batchRun) in(after time.Duration, do func(r *batchRun)) {
	r.plan = append(r.plan, plannedBatch{after, do})
}

func (r *batchRun) input() batch.Input {
	return batch.Input{
		Name: "docs-to-html", Spec: activities.BatchSpec{Source: "/in", Output: "/out", To: "html"}, Concurrency: 10,
		Plan: &activities.BatchPlan{Folder: "/out/.convilyn/x", Root: "/in", Output: "/out", To: "html", Items: len(r.items), End: int64(len(r.items))},
	}
}

// sharded is the input of a batch that is split into shards of so many items. Offsets of a played plan are indexes.
func (r *batchRun) sharded(size int) batch.Input {
	input := r.input()
	input.ShardItems, input.Plan.Every = size, size
	for at := 0; at < len(r.items); at += size {
		input.Plan.Marks = append(input.Plan.Marks, int64(at))
	}
	return input
}

// playedSteps have the names of the real ones.
type playedSteps struct{ r *batchRun }

// idIn is the id of an item's file or job in a round, from 1: job-7, then job-2-7.
func idIn(kind string, round, i int) string {
	if round > 1 {
		return fmt.Sprintf("%s-%d-%d", kind, round, i)
	}
	return fmt.Sprintf("%s-%d", kind, i)
}

func indexOf(id string) int {
	var i int
	_, _ = fmt.Sscanf(id[strings.LastIndexByte(id, '-')+1:], "%d", &i)
	return i
}

func (r *batchRun) enter(step string, i int) error {
	if r.refusals == nil {
		return nil
	}
	return r.refusals(step, i)
}

func (s *playedSteps) UploadFile(_ context.Context, in activities.UploadFileInput) (activities.UploadFileResult, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	i := indexOf("-" + strings.TrimSuffix(in.Source[strings.LastIndexByte(in.Source, '/')+1:], ".md"))
	if err := s.r.enter(activities.StepUpload, i); err != nil {
		return activities.UploadFileResult{}, err
	}
	s.r.uploads[i]++
	return activities.UploadFileResult{FileID: idIn("file", s.r.uploads[i], i), Size: 10, SHA256: "aa", Attempts: 1}, nil
}

func (s *playedSteps) CreateConversion(_ context.Context, in activities.CreateConversionInput) (activities.CreateConversionResult, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	i := indexOf(in.FileID)
	s.r.again[i] = in.Again
	if err := s.r.enter(activities.StepCreate, i); err != nil {
		return activities.CreateConversionResult{}, err
	}
	s.r.jobs[i]++
	_, slow := s.r.slow[i]
	return activities.CreateConversionResult{JobID: idIn("job", s.r.jobs[i], i), Finished: !slow, Attempts: 1, Throttle: activities.Throttle{Rejected: s.r.refused[i]}}, nil
}

func (s *playedSteps) AwaitConversion(_ context.Context, in activities.AwaitConversionInput) (activities.AwaitConversionResult, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	i := indexOf(in.JobID)
	if err := s.r.enter(activities.StepAwait, i); err != nil {
		return activities.AwaitConversionResult{}, err
	}
	s.r.waits[i]++
	return activities.AwaitConversionResult{Attempts: 1}, nil
}

func (s *playedSteps) DownloadResults(_ context.Context, in activities.DownloadResultsInput) (activities.DownloadResultsResult, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	i := indexOf(in.JobID)
	if err := s.r.enter(activities.StepDownload, i); err != nil {
		return activities.DownloadResultsResult{}, err
	}
	s.r.outputs[i]++
	if in.Hold && s.r.lossy != nil && s.r.lossy(i) {
		files := slices.Repeat([]activities.HeldFile{{Part: fmt.Sprintf(".convilyn-%d.part", i), Name: fmt.Sprintf("%d.html", i)}}, max(s.r.heldFiles, 1))
		return activities.DownloadResultsResult{
			Held:     &activities.Held{Files: files, Losses: []string{"1 of 3 words of the source is not in the output: x"}},
			Warnings: []string{"check: 1 of 3 words of the source is not in the output: x"}, Check: &activities.CheckResult{Words: 3, Missing: 1, Losses: 1}, Attempts: 1,
		}, nil
	}
	return activities.DownloadResultsResult{
		Outputs: []activities.Output{{Path: fmt.Sprintf("/out/sub/%d.html", i), Size: 20, SHA256: "bb"}}, Attempts: 1,
	}, nil
}

func (s *playedSteps) DiscardParts(_ context.Context, in activities.DiscardPartsInput) error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if in.Held != nil {
		s.r.dropped[heldIndex(*in.Held)]++
	}
	return nil
}

func heldIndex(held activities.Held) int {
	return indexOf(strings.TrimSuffix(held.Files[0].Part, ".part"))
}

func (s *playedSteps) PlaceHeld(_ context.Context, in activities.PlaceHeldInput) (activities.PlaceHeldResult, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	i := heldIndex(in.Held)
	s.r.placed[i]++
	return activities.PlaceHeldResult{Outputs: []activities.Output{{Path: fmt.Sprintf("/out/sub/%d.html", i), Size: 20, SHA256: "bb"}}, Attempts: 1}, nil
}

func (s *playedSteps) ReadPlan(_ context.Context, in activities.ReadPlanInput) (activities.ReadPlanResult, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if err := s.r.planGone(); err != nil {
		return activities.ReadPlanResult{}, err
	}
	if s.r.broken != nil {
		if err := s.r.broken(in.Path, in.Offset); err != nil {
			return activities.ReadPlanResult{}, err
		}
	}
	items := s.r.items
	if strings.Contains(in.Path, "retry") {
		items = s.r.retried
	}
	to := min(int(in.Offset)+in.Limit, int(in.End), len(items))
	return activities.ReadPlanResult{Items: items[in.Offset:to], Next: int64(to)}, nil
}

// failed is the items whose last entry in the parts is a failure.
func (r *batchRun) failed(codes []string) []activities.BatchItem {
	var out []activities.BatchItem
	for _, item := range r.items {
		all := r.entries[item.Index]
		if len(all) == 0 {
			continue
		}
		if last := all[len(all)-1]; last.Status == manifest.StatusFailed && (len(codes) == 0 || slices.Contains(codes, last.Error.Code)) {
			item.Was = last.Error.Code
			out = append(out, item)
		}
	}
	return out
}

func (s *playedSteps) WriteReportPart(_ context.Context, in activities.WriteReportPartInput) error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if err := s.r.planGone(); err != nil {
		return err
	}
	if s.r.parts[in.Part] {
		return nil
	}
	s.r.parts[in.Part] = true
	for _, e := range in.Entries {
		s.r.entries[e.Index] = append(s.r.entries[e.Index], e)
		s.r.inParts[e.Index] = in.Part
	}
	return nil
}

func (s *playedSteps) ListFailed(_ context.Context, in activities.ListFailedInput) (activities.BatchPlan, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	plan := in.Plan
	plan.PlanName = "retry-1.jsonl"
	s.r.retried = nil
	for _, item := range s.r.failed(in.Codes) {
		if len(in.Parts) == 0 || slices.ContainsFunc(in.Parts, func(p string) bool { return strings.HasPrefix(s.r.inParts[item.Index], p) }) {
			s.r.retried = append(s.r.retried, item)
		}
	}
	plan.Items = len(s.r.retried)
	plan.End = int64(plan.Items)
	return plan, nil
}

func (s *playedSteps) FinishReport(_ context.Context, in activities.FinishReportInput) (activities.BatchSummary, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if err := s.r.planGone(); err != nil {
		return activities.BatchSummary{}, err
	}
	s.r.reported = true
	sum := activities.BatchSummary{Report: "/out/" + in.Name + ".report.jsonl", Files: len(s.r.items)}
	for _, item := range s.r.items {
		all := s.r.entries[item.Index]
		switch {
		case len(all) == 0:
			sum.NotStarted++
		case all[len(all)-1].Status == manifest.StatusCompleted:
			sum.Completed++
		case all[len(all)-1].Status == manifest.StatusFailed:
			sum.Failed++
		default:
			sum.Cancelled++
		}
	}
	return sum, nil
}

func (r *batchRun) planGone() error {
	switch {
	case r.gone:
		return workflowtest.Refusal(activities.FailureInput, activities.CodePlanMissing)
	case r.full:
		return workflowtest.Failure(activities.FailureUnavailable, activities.CodeDiskFull, activities.StepReport, false)
	}
	return nil
}

func (s *playedSteps) SalvageReport(_ context.Context, in activities.SalvageReportInput) (activities.BatchSummary, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for _, known := range in.Known {
		s.r.salvaged[known.Item.Index] = known.Entry
	}
	return activities.BatchSummary{Report: "/out/" + in.Name + ".report.jsonl", Files: len(s.r.salvaged)}, nil
}

// play runs the batch to its end. What was planned for a time after a run continued as new happens in the next.
func (r *batchRun) play(t *testing.T, input any) (batch.Result, error) {
	t.Helper()
	steps := &playedSteps{r}
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	for {
		r.runs++
		require.Less(t, r.runs, 100, "it continues as new without end")
		r.TestWorkflowEnvironment = workflowtest.NewEnvironment()
		r.SetStartTime(now)
		workflows.Register(r)
		r.RegisterActivity(steps)
		r.OnActivity(steps.UploadFile, mock.Anything, mock.Anything).Return(steps.UploadFile).After(time.Second).Maybe()
		r.OnActivity(steps.CreateConversion, mock.Anything, mock.Anything).Return(steps.CreateConversion).After(time.Second).Maybe()
		for i, wait := range r.slow {
			job := activities.AwaitConversionInput{JobID: idIn("job", 1, i)}
			r.OnActivity(steps.AwaitConversion, mock.Anything, job).Return(steps.AwaitConversion).After(max(wait-r.spent, time.Second)).Maybe()
		}
		r.OnActivity(steps.AwaitConversion, mock.Anything, mock.Anything).Return(steps.AwaitConversion).After(time.Second).Maybe()
		r.OnActivity(steps.DownloadResults, mock.Anything, mock.Anything).Return(steps.DownloadResults).After(time.Second).Maybe()
		r.OnUpsertTypedSearchAttributes(mock.MatchedBy(func(attributes temporal.SearchAttributes) bool {
			if state, some := attributes.GetKeyword(workflows.KeyState); some {
				r.listed = state
			}
			return true
		})).Return(nil).Maybe()
		begun := r.Now()
		rest := r.plan
		r.plan = nil
		workflowtest.WhenBegun(r.TestWorkflowEnvironment, func() {
			for _, p := range rest {
				r.RegisterDelayedCallback(func() {
					if !r.IsWorkflowCompleted() {
						p.do(r)
					}
				}, max(p.after, 0))
			}
		})
		r.ExecuteWorkflow(batch.WorkflowType, input)
		require.True(t, r.IsWorkflowCompleted())
		passed := r.Now().Sub(begun)
		r.spent += passed
		now = r.Now()
		err := r.GetWorkflowError()
		var again *workflow.ContinueAsNewError
		if !workflowtest.AsContinueAsNew(err, &again) {
			var result batch.Result
			if err == nil {
				require.NoError(t, r.GetWorkflowResult(&result))
			}
			return result, err
		}
		var next batch.Input
		require.NoError(t, workflowtest.Decode(again.Input, &next))
		input = next
		r.carry = append(r.carry, len(next.Resume.UnderWay))
		for _, p := range rest {
			if p.after > passed {
				r.plan = append(r.plan, plannedBatch{p.after - passed, p.do})
			}
		}
	}
}

func (r *batchRun) progress(t *testing.T) batch.Progress {
	t.Helper()
	var p batch.Progress
	value, err := r.QueryWorkflow(batch.QueryProgress)
	require.NoError(t, err)
	require.NoError(t, value.Get(&p))
	return p
}
