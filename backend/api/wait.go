package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/store"
)

// longestHold bounds how long a reply is held; whoever waits longer asks again.
const longestHold = 30 * time.Second

// preferredWait is how long the caller would have the reply held (Prefer: wait=N, RFC 7240, N in seconds); 0 where it says nothing
// of the kind.
func preferredWait(header http.Header) time.Duration {
	for _, line := range header.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			seconds, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
			if err != nil || seconds < 0 {
				return 0
			}
			return time.Duration(min(seconds, int(longestHold/time.Second))) * time.Second
		}
	}
	return 0
}

// hold gives a job when it has ended, or when the caller would wait no longer.
func (s *server) hold(w http.ResponseWriter, r *http.Request, job store.Job) (store.Job, error) {
	wait := preferredWait(r.Header)
	if wait == 0 {
		return job, nil
	}

	w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
	if job.Status.Terminal() {
		return job, nil
	}
	ended, leave := s.jobs.Ended(job.ID)
	defer leave()
	now, found, err := s.store.Job(r.Context(), job.Account, job.ID) // it may have ended before we listened
	if err != nil || !found {
		return job, err
	}
	if now.Status.Terminal() {
		return now, nil
	}

	over := time.NewTimer(wait)
	defer over.Stop()
	select {
	case <-ended:
	case <-over.C:
	case <-r.Context().Done():
	}
	now, found, err = s.store.Job(r.Context(), job.Account, job.ID)
	if err != nil || !found {
		return job, err
	}
	return now, nil
}

// suggestedPoll is when to look at a job again, in milliseconds: a tenth of its age, within what clients accept.
func suggestedPoll(job store.Job, now time.Time) *int {
	if job.Status.Terminal() {
		return nil
	}
	age := now.Sub(job.Created)
	suggested := int(min(max(age/10, 200*time.Millisecond), 5*time.Second).Milliseconds())
	return &suggested
}
