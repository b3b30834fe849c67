package runs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/convilyn/convilyn-temporal/internal/roots"
)

// Client reads and writes runs.
type Client struct {
	Temporal  temporalclient.Client
	Namespace string
	// Patience is how long a verdict is waited for before an answer is left as a signal; 5 s where 0.
	Patience time.Duration
	// Name has workers allow the files that a command names; nil where they are told in another way.
	Name func(places ...roots.Place) error
	// Clock is time.Now where nil.
	Clock func() time.Time
}

func (c *Client) now() time.Time {
	if c.Clock == nil {
		return time.Now()
	}
	return c.Clock()
}

// Errors that callers decide on.
var (
	ErrNoSuchRun = errors.New("there is no such run")
	ErrEnded     = errors.New("the run has ended; it takes no more answers")
)

// NoWorker reports whether a query failed because nobody answered it in time.
func NoWorker(err error) bool {
	var late *serviceerror.DeadlineExceeded
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late)
}

// BegunAt is when the first of the Temporal runs was started that each continued the one before.
func (c *Client) BegunAt(ctx context.Context, r Run) (time.Time, error) {
	if r.FirstRunID == "" || r.FirstRunID == r.RunID {
		return r.StartedAt, nil
	}
	description, err := c.Temporal.DescribeWorkflowExecution(ctx, r.ID, r.FirstRunID)
	var forgotten *serviceerror.NotFound
	switch {
	case errors.As(err, &forgotten): // after its retention
		return r.StartedAt, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("look at the first run of %s: %w", r.ID, err)
	}
	return description.GetWorkflowExecutionInfo().GetStartTime().AsTime(), nil
}

// Input reads what a run was started with, out of its history.
func (c *Client) Input(ctx context.Context, r Run, into any) error {
	events := c.Temporal.GetWorkflowHistory(ctx, r.ID, r.RunID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	first, err := events.Next()
	if err == nil {
		payloads := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
		err = converter.GetDefaultDataConverter().FromPayloads(payloads, into)
	}
	if err != nil {
		return fmt.Errorf("read what %s was started with: %w", r.ID, err)
	}
	return nil
}

// missing tells a run that has ended from one that never was; nil where the error says neither.
func (c *Client) missing(ctx context.Context, id string, err error) error {
	var notFound *serviceerror.NotFound
	if !errors.As(err, &notFound) {
		return nil
	}
	if _, err := c.Temporal.DescribeWorkflowExecution(ctx, id, ""); err == nil {
		return fmt.Errorf("%s: %w", id, ErrEnded)
	}
	return fmt.Errorf("%s: %w", id, ErrNoSuchRun)
}
