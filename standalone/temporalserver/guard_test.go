package temporalserver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/authorization"
)

func TestOwner_LetsInWhoHasTheSecret(t *testing.T) {
	t.Parallel()
	guard := newOwner("correct horse")
	for token, want := range map[string]authorization.Decision{
		"Bearer correct horse": authorization.DecisionAllow, "bearer correct horse": authorization.DecisionDeny, "correct horse": authorization.DecisionDeny,
		"Bearer correct hors": authorization.DecisionDeny, "Bearer ": authorization.DecisionDeny, "": authorization.DecisionDeny,
	} {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			claims, err := guard.GetClaims(&authorization.AuthInfo{AuthToken: token})
			require.NoError(t, err)
			result, err := guard.Authorize(t.Context(), claims, &authorization.CallTarget{APIName: "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo"})
			require.NoError(t, err)
			assert.Equal(t, want, result.Decision)
		})
	}
}

// The server asks without claims where a call carries no token at all.
func TestOwner_TellsStrangersOfHealthAlone(t *testing.T) {
	t.Parallel()
	for api, want := range map[string]authorization.Decision{
		healthCheck: authorization.DecisionAllow, "/grpc.health.v1.Health/Watch": authorization.DecisionDeny,
		"/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution": authorization.DecisionDeny,
	} {
		result, err := newOwner("x").Authorize(t.Context(), nil, &authorization.CallTarget{APIName: api})
		require.NoError(t, err)
		assert.Equal(t, want, result.Decision, api)
	}
}
