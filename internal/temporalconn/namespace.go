package temporalconn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// CreateNamespace makes the namespace where it is missing, and returns when the server knows it. Closed runs stay
// known for the retention.
func CreateNamespace(ctx context.Context, c temporalclient.Client, namespace string, retention time.Duration) (created bool, err error) {
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	var exists *serviceerror.NamespaceAlreadyExists
	switch {
	case err == nil:
		created = true
	case !errors.As(err, &exists):
		return false, fmt.Errorf("create namespace %s (on Temporal Cloud it is made there): %w", namespace, err)
	}
	// The one that exists may have been made a moment ago, by a run of this that was killed.
	return created, settled(ctx, "namespace "+namespace, func() (bool, error) {
		_, err := missingSearchAttributes(ctx, c, namespace)
		if isUnknown(err) {
			return false, nil
		}
		return true, err
	})
}
