package activities

import (
	"sync"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
)

const (
	// freshFor is how long what a step has seen of a job is as good as asking again; links live far longer.
	freshFor = 30 * time.Second
	// freshMost bounds what is kept of jobs that another worker brings home.
	freshMost = 1000
)

// freshJobs hands a completed job from the step that saw it to the one that fetches its results, where one worker does
// both: that saves a file one request of five. It is a shortcut only; without it the service is asked.
type freshJobs struct {
	mu    sync.Mutex
	jobs  map[string]freshJob
	order []string // oldest first; those taken are still in it
}

type freshJob struct {
	job *client.ConvertJob
	at  time.Time
}

func (f *freshJobs) put(job *client.ConvertJob, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.jobs == nil {
		f.jobs = map[string]freshJob{}
	}
	f.jobs[job.JobID] = freshJob{job, now}
	f.order = append(f.order, job.JobID)
	if len(f.order) > freshMost {
		delete(f.jobs, f.order[0])
		f.order = f.order[1:]
	}
}

// take returns the job once, and nil where it is unknown or not fresh.
func (f *freshJobs) take(jobID string, now time.Time) *client.ConvertJob {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.jobs[jobID]
	delete(f.jobs, jobID)
	if now.Sub(seen.at) > freshFor {
		return nil
	}
	return seen.job
}
