package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/convert"
)

// BenchmarkOverhead compares ConvertFile with the bare client doing the same steps on the same stack, small
// files one after another, the three ways in turn for each file. Run it with -benchtime 100x.
//
// The bare client waits as the contract says, so it mostly sleeps 200 ms after its first look came too early;
// the impatient one looks every 2 ms, which no service would like, and shows what the steps themselves take.
func BenchmarkOverhead(b *testing.B) {
	dir := b.TempDir()
	o, err := stack.ReadOptions(func(string) string { return "" }, filepath.Join(dir, "data"), "")
	require.NoError(b, err)
	s, err := stack.Open(context.WithoutCancel(b.Context()), o, func(string) {})
	require.NoError(b, err)
	defer s.Close()
	key, err := s.APIKey()
	require.NoError(b, err)
	api, err := client.New(s.At.API, key)
	require.NoError(b, err)
	defer api.CloseIdleConnections()
	ways := []struct {
		name string
		run  func(path, out string, i int)
	}{
		{"workflow", func(path, out string, i int) { asWorkflow(b, s, path, out, i) }},
		{"bare", func(path, out string, _ int) {
			bare(b, api, path, out, func(id string) (*client.ConvertJob, error) {
				return api.Convert.Wait(b.Context(), id, client.WaitOptions{Interval: stack.LocalPoll})
			})
		}},
		{"impatient", func(path, out string, _ int) {
			bare(b, api, path, out, func(id string) (*client.ConvertJob, error) { return hammer(b, api, id) })
		}},
	}
	took := map[string][]time.Duration{}
	for i := range b.N + 5 {
		for _, way := range ways {
			path := filepath.Join(dir, fmt.Sprintf("%s-%d.md", way.name, i))
			require.NoError(b, os.WriteFile(path, fmt.Appendf(nil, "# %s %d", way.name, i), 0o600))
			begun := time.Now()
			way.run(path, filepath.Join(dir, "out"), i)
			if i >= 5 { // the first ones warm the stack up
				took[way.name] = append(took[way.name], time.Since(begun))
			}
		}
	}
	median := func(name string) float64 {
		slices.Sort(took[name])
		return float64(took[name][len(took[name])/2].Microseconds()) / 1000
	}
	for _, way := range ways {
		b.ReportMetric(median(way.name), "ms/"+way.name)
	}
	b.ReportMetric(median("workflow")/median("bare"), "ratio-to-bare")
	b.ReportMetric(median("workflow")-median("impatient"), "ms-over-impatient")
	b.ReportMetric(0, "ns/op")
}

func asWorkflow(b *testing.B, s *stack.Stack, path, out string, i int) {
	b.Helper()
	run, err := s.Temporal.ExecuteWorkflow(b.Context(), temporalclient.StartWorkflowOptions{ID: fmt.Sprint("overhead-", i), TaskQueue: workflows.TaskQueue}, convert.WorkflowType,
		convert.Input{
			Source: "file://" + path, Name: filepath.Base(path), SourceFormat: "md",
			To: activities.Destination{Folder: "file://" + out, Stem: fmt.Sprint("workflow-", i), Format: "html"},
		})
	require.NoError(b, err)
	require.NoError(b, run.Get(b.Context(), nil))
}

func bare(b *testing.B, api *client.Client, path, out string, wait func(id string) (*client.ConvertJob, error)) {
	b.Helper()
	require.NoError(b, os.MkdirAll(out, 0o755))
	file, err := api.Files.UploadFile(b.Context(), path)
	require.NoError(b, err)
	job, err := api.Convert.Create(b.Context(), client.CreateParams{FileID: file.FileID, SourceFormat: "md", TargetFormat: "html"})
	require.NoError(b, err)
	job, err = wait(job.JobID)
	require.NoError(b, err)
	_, err = api.Convert.Download(b.Context(), job.ResultFiles[0], client.DownloadOptions{Path: filepath.Join(out, filepath.Base(path)+".html")})
	require.NoError(b, err)
}

func hammer(b *testing.B, api *client.Client, id string) (*client.ConvertJob, error) {
	b.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		job, err := api.Convert.Retrieve(b.Context(), id)
		if err != nil || job.Status.Terminal() {
			return job, err
		}
		<-ticker.C
	}
}
