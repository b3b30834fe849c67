package temporalconn

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"google.golang.org/grpc"
)

// slowServer goes by what it is told lag later, as a server that caches its namespaces.
type slowServer struct {
	temporalclient.Client
	lag       time.Duration
	made      time.Time // of the namespace; zero for never
	retention time.Duration
	added     map[string]enums.IndexedValueType
	addedAt   time.Time
}

type slowNamespaces struct {
	workflowservice.WorkflowServiceClient
	server *slowServer
}

type slowAttributes struct {
	operatorservice.OperatorServiceClient
	server *slowServer
}

func (s *slowServer) WorkflowService() workflowservice.WorkflowServiceClient {
	return slowNamespaces{server: s}
}

func (s *slowServer) OperatorService() operatorservice.OperatorServiceClient {
	return slowAttributes{server: s}
}

func (s slowNamespaces) RegisterNamespace(_ context.Context, r *workflowservice.RegisterNamespaceRequest, _ ...grpc.CallOption) (*workflowservice.RegisterNamespaceResponse, error) {
	if !s.server.made.IsZero() {
		return nil, serviceerror.NewNamespaceAlreadyExists("it is there")
	}
	s.server.made, s.server.retention = time.Now(), r.GetWorkflowExecutionRetentionPeriod().AsDuration()
	return &workflowservice.RegisterNamespaceResponse{}, nil
}

func (s slowAttributes) ListSearchAttributes(_ context.Context, r *operatorservice.ListSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	if s.server.made.IsZero() || time.Since(s.server.made) < s.server.lag {
		return nil, serviceerror.NewNamespaceNotFound(r.GetNamespace())
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: s.server.added}, nil
}

func (s slowNamespaces) CountWorkflowExecutions(_ context.Context, r *workflowservice.CountWorkflowExecutionsRequest, _ ...grpc.CallOption) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	for name := range SearchAttributes() {
		if _, there := s.server.added[name]; strings.Contains(r.GetQuery(), name) && !s.server.uses(there) {
			return nil, serviceerror.NewInvalidArgument("invalid search attribute: " + name)
		}
	}
	return &workflowservice.CountWorkflowExecutionsResponse{}, nil
}

// uses reports whether runs can be started with attributes that are there: lists show them at once.
func (s *slowServer) uses(there bool) bool { return there && time.Since(s.addedAt) >= s.lag }

func (s slowAttributes) AddSearchAttributes(_ context.Context, r *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	s.server.added, s.server.addedAt = r.GetSearchAttributes(), time.Now()
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

func TestSetupReturnsWhenTheServerGoesByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slowServer{lag: 5 * time.Second}
		created, err := CreateNamespace(t.Context(), server, "ours", 48*time.Hour)
		require.NoError(t, err)
		assert.True(t, created)
		assert.Equal(t, 48*time.Hour, server.retention)
		added, err := AddSearchAttributes(t.Context(), server, "ours")
		require.NoError(t, err)
		assert.Len(t, added, len(SearchAttributes()))
		assert.True(t, server.uses(true), "what starts next must find them")
		require.NoError(t, CheckSearchAttributes(t.Context(), server, "ours"))

		created, err = CreateNamespace(t.Context(), server, "ours", 72*time.Hour)
		require.NoError(t, err)
		assert.False(t, created)
		assert.Equal(t, 48*time.Hour, server.retention, "what is there stays as it is")
		added, err = AddSearchAttributes(t.Context(), server, "ours")
		require.NoError(t, err)
		assert.Empty(t, added)
	})
}

func TestSetupEndsWhereTheServerNeverGoesByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slowServer{lag: time.Hour}
		_, err := CreateNamespace(t.Context(), server, "ours", 48*time.Hour)
		require.ErrorContains(t, err, "temporal accepted the change of namespace ours, but does not use it yet after 1m0s; run this command again")
		require.ErrorIs(t, err, context.DeadlineExceeded)

		server.made = time.Now().Add(-time.Hour)
		_, err = AddSearchAttributes(t.Context(), server, "ours")
		require.ErrorContains(t, err, "temporal accepted the change of the search attributes of namespace ours, but does not use it yet")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// One that was killed while it waited must not let the next one go on at once.
func TestSetupWaitsForWhatAnEarlierOneHasAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slowServer{lag: 5 * time.Second, made: time.Now().Add(-time.Hour), added: SearchAttributes(), addedAt: time.Now()}
		added, err := AddSearchAttributes(t.Context(), server, "ours")
		require.NoError(t, err)
		assert.Empty(t, added)
		assert.True(t, server.uses(true))
	})
}

func TestAMissingNamespaceIsToldWithItsRemedy(t *testing.T) {
	_, err := AddSearchAttributes(t.Context(), &slowServer{}, "ours")
	require.ErrorContains(t, err, "temporal has no namespace ours; set TEMPORAL_NAMESPACE, or make it with: starter setup --create-namespace")
	var unknown *serviceerror.NamespaceNotFound
	assert.ErrorAs(t, err, &unknown)
}
