package runs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// Description is a run as it is now.
type Description struct {
	Run
	Step Step // zero where none runs, and for kinds that are at many steps at once
	// Troubles are why it does not come on; Look finds them, Describe does not.
	Troubles []Trouble
}

// Describe looks at one run. One that is not there is ErrNoSuchRun.
func (c *Client) Describe(ctx context.Context, id string) (Description, error) {
	description, err := c.Temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return Description{}, describeFault(id, err)
	}
	return descriptionOf(description), nil
}

func describeFault(id string, err error) error {
	if isMissing(id, err) {
		return fmt.Errorf("%s: %w", id, ErrNoSuchRun)
	}
	return fmt.Errorf("look at %s: %w", id, err)
}

// isMissing reports whether there is no run of this id. Ids go into headers, which take printable ASCII alone: one that is
// something else is none, and Temporal is not even asked.
func isMissing(id string, err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing) || id == "" || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' })
}

func descriptionOf(description *workflowservice.DescribeWorkflowExecutionResponse) Description {
	d := Description{Run: runOf(description.GetWorkflowExecutionInfo())}
	if d.Kind == nil || !d.Kind.ManySteps {
		d.Step = StepOf(description)
	}
	return d
}
