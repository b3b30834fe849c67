package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/backend/store"
	"github.com/convilyn/convilyn-temporal/client"
)

func TestPreferredWait(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header []string
		want   time.Duration
	}{
		"none":                 {nil, 0},
		"wait":                 {[]string{"wait=3"}, 3 * time.Second},
		"beside others":        {[]string{"respond-async, wait=3"}, 3 * time.Second},
		"on a line of its own": {[]string{"return=minimal", "Wait=3"}, 3 * time.Second},
		"quoted, with spaces":  {[]string{` wait = "3" ; foo=1`}, 3 * time.Second},
		"longer than we hold":  {[]string{"wait=99999"}, longestHold},
		"larger than numbers":  {[]string{"wait=99999999999999999999"}, 0},
		"negative":             {[]string{"wait=-3"}, 0},
		"no number":            {[]string{"wait=soon"}, 0},
		"nothing":              {[]string{"wait"}, 0},
		"another":              {[]string{"waiting=3"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, preferredWait(http.Header{"Prefer": tt.header}))
		})
	}
}

func TestSuggestedPoll(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for name, tt := range map[string]struct {
		status client.JobStatus
		age    time.Duration
		want   int // 0 for none
	}{
		"new":                 {client.JobQueued, 0, 200},
		"a tenth of its age":  {client.JobProcessing, 12_345 * time.Millisecond, 1234},
		"old":                 {client.JobProcessing, time.Hour, 5000},
		"of a clock set back": {client.JobQueued, -time.Hour, 200},
		"done":                {client.JobCompleted, time.Second, 0},
		"failed":              {client.JobFailed, time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := suggestedPoll(store.Job{Status: tt.status, Created: now.Add(-tt.age)}, now)
			if tt.want == 0 {
				assert.Nil(t, got)
				return
			}
			assert.Equal(t, &tt.want, got)
		})
	}
}
