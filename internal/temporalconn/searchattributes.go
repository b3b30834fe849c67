package temporalconn

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"

	"github.com/convilyn/convilyn-temporal/workflows"
)

// SearchAttributes are the ones that a namespace must have.
func SearchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		workflows.SearchAttributeState:        enums.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.SearchAttributeLane:         enums.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.SearchAttributePendingSlots: enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	}
}

// CheckSearchAttributes reports the attributes that the namespace lacks, and the remedy.
func CheckSearchAttributes(ctx context.Context, c temporalclient.Client, namespace string) error {
	missing, err := missingSearchAttributes(ctx, c, namespace)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("namespace %s lacks the search attributes %s; run: starter setup",
		namespace, strings.Join(missing, ", "))
}

// AddSearchAttributes registers what is missing, and returns the names it added when runs can be started with all of them.
func AddSearchAttributes(ctx context.Context, c temporalclient.Client, namespace string) ([]string, error) {
	missing, err := missingSearchAttributes(ctx, c, namespace)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		err = register(ctx, c, namespace, missing)
	}
	if err != nil {
		return nil, err
	}
	// Those that are there may have been added a moment ago, by a run of this that was killed.
	return missing, settled(ctx, "the search attributes of namespace "+namespace, func() (bool, error) {
		return searchAttributesUsable(ctx, c, namespace)
	})
}

func register(ctx context.Context, c temporalclient.Client, namespace string, missing []string) error {
	add := map[string]enums.IndexedValueType{}
	for _, name := range missing {
		add[name] = SearchAttributes()[name]
	}
	_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: add,
	})
	if err != nil {
		return fmt.Errorf("add search attributes to namespace %s (your key needs the right to do so; an operator can add them by hand): %w", namespace, err)
	}
	return nil
}

// searchAttributesUsable asks for runs by all of them. The server reads such a question by the same cache as the start of a
// run, and lists attributes by its database, which is seconds ahead.
func searchAttributesUsable(ctx context.Context, c temporalclient.Client, namespace string) (bool, error) {
	var terms []string
	for name := range SearchAttributes() {
		terms = append(terms, name+" = 'none'")
	}
	sort.Strings(terms)

	_, err := c.WorkflowService().CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: namespace, Query: strings.Join(terms, " AND "),
	})
	var unknown *serviceerror.InvalidArgument
	switch {
	case errors.As(err, &unknown), isUnknown(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask namespace %s by its search attributes: %w", namespace, err)
	}
	return true, nil
}

func missingSearchAttributes(ctx context.Context, c temporalclient.Client, namespace string) ([]string, error) {
	have, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if isUnknown(err) {
		return nil, fmt.Errorf("temporal has no namespace %s; set TEMPORAL_NAMESPACE, or make it with: starter setup --create-namespace: %w", namespace, err)
	}
	if err != nil {
		return nil, fmt.Errorf("list the search attributes of namespace %s: %w", namespace, err)
	}
	var missing []string
	for name, kind := range SearchAttributes() {
		got, ok := have.GetCustomAttributes()[name]
		if !ok {
			missing = append(missing, name)
		} else if got != kind {
			return nil, fmt.Errorf("search attribute %s of namespace %s is a %s, it must be a %s; remove it and run: starter setup", name, namespace, got, kind)
		}
	}
	sort.Strings(missing)
	return missing, nil
}

func isUnknown(err error) bool {
	var unknown *serviceerror.NamespaceNotFound
	return errors.As(err, &unknown)
}

// settled looks until the server uses what it was just told.
func settled(ctx context.Context, what string, look func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	ticker := time.NewTicker(settleLook)
	defer ticker.Stop()
	for {
		done, err := look()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("temporal accepted the change of %s, but does not use it yet after %s; run this command again: %w", what, settleWithin, ctx.Err())
		case <-ticker.C:
		}
	}
}

// A server goes by what it read of its namespaces some seconds ago; who starts work at once must not trip over that.
const (
	settleWithin = time.Minute
	settleLook   = 200 * time.Millisecond
)
