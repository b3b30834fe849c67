package activities

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
)

func TestFreshJobs(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var f freshJobs
	assert.Nil(t, f.take("job_1", now))
	one := &client.ConvertJob{JobID: "job_1"}
	f.put(one, now)
	assert.Same(t, one, f.take("job_1", now.Add(freshFor)))
	assert.Nil(t, f.take("job_1", now), "the next attempt asks the service")
	f.put(one, now)
	assert.Nil(t, f.take("job_1", now.Add(freshFor+1)), "it is stale")
	for i := range 3 * freshMost {
		f.put(&client.ConvertJob{JobID: fmt.Sprint("job_", i)}, now)
	}
	assert.Len(t, f.jobs, freshMost)
	assert.Len(t, f.order, freshMost)
	assert.Nil(t, f.take("job_0", now))
	assert.NotNil(t, f.take(fmt.Sprint("job_", 3*freshMost-1), now))
}

// A link that no longer works costs an attempt: the next one asks for another.
func TestALinkFromMemoryIsReplaced(t *testing.T) {
	b := newBench(t)
	jobID := b.completedJob(t, "# A")
	job := b.steps.fresh.take(jobID, time.Now())
	require.NotNil(t, job, "the step that waited has left it")
	job.ResultFiles[0].URL += "spoiled"
	b.steps.fresh.put(job, time.Now())
	in := DownloadResultsInput{JobID: jobID, To: Destination{Folder: "file://" + b.dir, Stem: "b", Format: "html"}}
	_, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, in)
	require.Error(t, err)
	out, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, in)
	require.NoError(t, err)
	assert.Len(t, out.Outputs, 1)
}
