package runs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// Filter picks runs of a list. The zero Filter picks all of them.
type Filter struct {
	Kinds []*Kind // all where empty
	// State is one of States. StateRunning picks those that wait or are paused, too, and StateCompleted those that are
	// partial or were stopped.
	State string
	// Ended picks runs that have ended, however they did.
	Ended bool
	// Since picks runs that were started then or later.
	Since time.Time
	// IDPrefix picks runs whose id begins so.
	IDPrefix string

	// Temporal cannot search by labels and names: everything else that the filter picks is read, as far as it takes.

	// Labels picks runs that have all of them.
	Labels []string
	// Name picks runs whose name or id holds this text, in any case.
	Name string

	before time.Time
}

// States are those that a Filter knows.
var States = []string{
	workflows.StateRunning, workflows.StateWaiting, workflows.StatePaused, workflows.StateCompleted, workflows.StatePartial, workflows.StateStopped,
	workflows.StateFailed, workflows.StateCancelled, "terminated", "timedout",
}

const (
	pageMost   = 500
	everything = 1 << 30 // runs to scan
)

// partly reports whether Temporal can search by a part of the filter only.
func (f Filter) partly() bool {
	return len(f.Labels) > 0 || f.Name != "" || f.ofResult()
}

// ofResult reports whether the state is one that a run may have completed in.
func (f Filter) ofResult() bool {
	return f.State == workflows.StatePartial || f.State == workflows.StateStopped || f.State == workflows.StateCancelled
}

// picks looks at what Temporal cannot search by.
func (f Filter) picks(r Run) bool {
	if f.ofResult() && r.State() != f.State {
		return false
	}
	name := strings.ToLower(f.Name)
	return r.HasLabels(f.Labels) && (strings.Contains(strings.ToLower(r.Name), name) || strings.Contains(strings.ToLower(r.ID), name))
}

// pageSize is how many runs to ask for where so many are missing.
func (f Filter) pageSize(missing int) int {
	if f.partly() {
		return pageMost // most of them may not be picked
	}
	return min(missing, pageMost)
}

// query is a conjunction of plain comparisons, which runstest evaluates, too.
func (f Filter) query() string {
	kinds := f.Kinds
	if len(kinds) == 0 {
		kinds = Kinds
	}
	types := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		types = append(types, "'"+kind.Workflow+"'")
	}
	query := "WorkflowType = " + types[0]
	if len(types) > 1 {
		query = "WorkflowType IN (" + strings.Join(types, ", ") + ")"
	}
	if f.IDPrefix != "" {
		query += " AND WorkflowId STARTS_WITH '" + f.IDPrefix + "'"
	}
	if !f.Since.IsZero() {
		query += " AND StartTime >= '" + f.Since.UTC().Format(time.RFC3339Nano) + "'"
	}
	if !f.before.IsZero() {
		query += " AND StartTime < '" + f.before.UTC().Format(time.RFC3339Nano) + "'"
	}

	switch {
	case f.Ended:
		return query + " AND ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'"
	case f.State == "":
		return query + " AND ExecutionStatus != 'ContinuedAsNew'"
	case f.State == workflows.StateWaiting || f.State == workflows.StatePaused:
		return query + fmt.Sprintf(" AND ExecutionStatus = 'Running' AND %s = '%s'", workflows.SearchAttributeState, f.State)
	case f.State == workflows.StateCancelled:
		return query + " AND ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'"
	case f.ofResult():
		return query + " AND ExecutionStatus = 'Completed'"
	}
	return query + fmt.Sprintf(" AND ExecutionStatus = '%s'", executionStatus(f.State))
}

// List lists runs in Temporal's order, at most limit: those that are open, the newest first, then those that ended last.
// Lists follow what happens within moments.
func (c *Client) List(ctx context.Context, f Filter, limit int) ([]Run, error) {
	found := make([]Run, 0, min(limit, pageMost))
	_, err := c.scan(ctx, f, limit, func(r Run) bool {
		found = append(found, r)
		return len(found) < limit
	})
	return found, err
}

// scan reads runs in Temporal's order until see returns false. Where so many are wanted, it reads no larger pages than that
// takes. It returns how many runs it has read, those that the filter does not pick, too.
func (c *Client) scan(ctx context.Context, f Filter, wanted int, see func(Run) bool) (read int, err error) {
	var page []byte
	for seen := 0; ; {
		reply, err := c.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: c.Namespace, Query: f.query(), PageSize: int32(f.pageSize(wanted - seen)), NextPageToken: page, //nolint:gosec // at most pageMost
		})
		if err != nil {
			return read, fmt.Errorf("list the runs: %w", err)
		}
		for _, info := range reply.GetExecutions() {
			read++
			r := runOf(info)
			if !f.picks(r) {
				continue
			}
			seen++
			if !see(r) {
				return read, nil
			}
		}
		if page = reply.GetNextPageToken(); len(page) == 0 {
			return read, nil
		}
	}
}

// Page is a part of a list that is sorted by the time of the start, the newest first.
type Page struct {
	Runs  []Run
	Total int // runs that the filter picks
	// More reports that there may be more than Total: not everything was looked at.
	More bool
}

const (
	// scanMost is how many runs are looked through for what Temporal cannot search by.
	scanMost = 20_000
	// newestWithin is the first span of time that is read; each one after it is four times as long.
	newestWithin = time.Hour
	oldest       = 20 * 365 * 24 * time.Hour
)

// Page lists runs, the newest first: the page of this number, from 1, of so many each.
//
// Temporal lists what ended last first, and takes no other order. So spans of time are read one after the other, and sorted.
func (c *Client) Page(ctx context.Context, f Filter, number, size int) (Page, error) {
	count, err := c.Temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: c.Namespace, Query: f.query()})
	if err != nil {
		return Page{}, fmt.Errorf("count the runs: %w", err)
	}
	page := Page{Total: int(count.GetCount())}

	now := time.Now().Truncate(time.Minute)
	wanted, read, picked := number*size, 0, []Run(nil)
	span := f
	for age := newestWithin; ; age *= 4 {
		last := page.Total <= pageMost || age > oldest || !f.Since.IsZero() && now.Add(-age).Before(f.Since)
		span.Since = f.Since
		if !last {
			span.Since = now.Add(-age)
		}
		var found []Run
		n, err := c.scan(ctx, span, everything, func(r Run) bool {
			found = append(found, r)
			return true
		})
		if err != nil {
			return page, err
		}
		slices.SortStableFunc(found, func(a, b Run) int { return b.StartedAt.Compare(a.StartedAt) })
		picked, read = append(picked, found...), read+n

		enough := len(picked) >= wanted && !f.partly()
		full := read >= scanMost && f.partly()
		if last || enough || full {
			page.More = full && !last
			break
		}
		span.before = span.Since
	}

	if f.partly() {
		page.Total = len(picked)
	}
	page.Total = max(page.Total, len(picked)) // some may have been started since they were counted
	page.Runs = picked[min(len(picked), wanted-size):min(len(picked), wanted)]
	return page, nil
}

// Waiting lists runs that wait for answers, those that wait longest first.
func (c *Client) Waiting(ctx context.Context, limit int) ([]Run, error) {
	waiting, err := c.List(ctx, Filter{Kinds: KindsThat(func(k *Kind) bool { return k.Asks }), State: workflows.StateWaiting}, limit)
	slices.SortStableFunc(waiting, func(a, b Run) int { return a.WaitsSince().Compare(b.WaitsSince()) })
	return waiting, err
}
