package temporalconn

import (
	"context"
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
	reply := &operatorservice.ListSearchAttributesResponse{}
	if time.Since(s.server.addedAt) >= s.server.lag {
		reply.CustomAttributes = s.server.added
	}
	return reply, nil
}

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
		require.NoError(t, CheckSearchAttributes(t.Context(), server, "ours"), "what starts next must find them")

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
		require.ErrorContains(t, err, "the server took namespace ours but does not go by it yet; run it again")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestAMissingNamespaceIsToldWithItsRemedy(t *testing.T) {
	_, err := AddSearchAttributes(t.Context(), &slowServer{}, "ours")
	require.ErrorContains(t, err, "temporal has no namespace ours; set TEMPORAL_NAMESPACE, or make it with: starter setup --create-namespace")
	var unknown *serviceerror.NamespaceNotFound
	assert.ErrorAs(t, err, &unknown)
}
