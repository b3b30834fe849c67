package main

import (
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
)

// photo writes a picture that takes a moment to convert.
func (b *bench) photo(name string, width, height int) string {
	b.t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range picture.Pix {
		picture.Pix[i] = byte(random.Uint32())
	}
	path := filepath.Join(b.in, name)
	file, err := os.Create(path)
	require.NoError(b.t, err)
	require.NoError(b.t, jpeg.Encode(file, picture, nil))
	require.NoError(b.t, file.Close())
	return path
}

// A file that takes many times longer than the others is carried over continue-as-new: it neither stalls them nor is
// converted twice.
func TestASlowFileIsCarriedOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.open("")
	const others = 120
	var list strings.Builder
	line := func(source, to string) {
		data, err := json.Marshal(map[string]string{"source": source, "to": to})
		require.NoError(t, err)
		fmt.Fprintf(&list, "%s\n", data)
	}
	line(b.photo("slow.jpg", 3200, 2400), "webp")
	for i := range others {
		line(b.write(fmt.Sprintf("doc-%03d.md", i), fmt.Sprintf("# Document %d", i)), "html")
	}
	spec := manifest.Spec{Source: b.write("list.jsonl", list.String()), Output: b.out}
	const id, maxEvents = "batch-slow", 150
	run, err := s.client.ExecuteWorkflow(t.Context(), temporalclient.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue},
		workflows.ConvertBatchName, workflows.ConvertBatchInput{Name: "slow", Spec: spec, Concurrency: 4, MaxEvents: maxEvents})
	require.NoError(t, err)
	var result workflows.BatchResult
	require.NoError(t, run.Get(t.Context(), &result))
	assert.Equal(t, others+1, result.Summary.Completed)
	assert.Greater(t, result.Runs, 5)
	assert.Less(t, result.LargestHistory, 2*maxEvents)

	lines := b.report()
	require.Len(t, lines, others+1)
	slow, meanwhile := lines[0], 0
	for _, line := range lines[1:] {
		if line.StartedAt.After(slow.StartedAt) && line.EndedAt.Before(slow.EndedAt) {
			meanwhile++
		}
	}
	t.Logf("the slow file took %s, %d others came and went meanwhile; %d histories, %d events the largest",
		slow.EndedAt.Sub(slow.StartedAt), meanwhile, result.Runs, result.LargestHistory)
	assert.Greater(t, meanwhile, 20, "more than fit into two histories")
	jobs, err := s.apiClient(t).Convert.List(t.Context(), client.ListParams{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, others+1, jobs.Total)
}
