package temporalconn

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/convilyn/convilyn-temporal/internal/logging"
)

// patientServer notes how long its first caller is ready to wait.
type patientServer struct {
	workflowservice.UnimplementedWorkflowServiceServer
	waits chan time.Duration
}

func (s *patientServer) GetSystemInfo(ctx context.Context, _ *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	deadline, _ := ctx.Deadline()
	s.waits <- time.Until(deadline)
	return &workflowservice.GetSystemInfoResponse{}, nil
}

// A server that has just been started on a busy machine answered too late for the SDK's own five seconds.
func TestDial_WaitsAsLongAsItsCaller(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	fake := &patientServer{waits: make(chan time.Duration, 10)}
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, fake)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	for name, row := range map[string]struct {
		deadline    time.Duration // of the caller, 0 for none
		least, most time.Duration
	}{
		"no deadline": {least: dialTimeout / 2, most: dialTimeout},
		"a deadline":  {deadline: time.Hour, least: time.Hour / 2, most: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if row.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, row.deadline)
				defer cancel()
			}
			c, err := Dial(ctx, temporalclient.Options{HostPort: listener.Addr().String()}, nil, logging.ForTemporal(zap.NewNop()))
			require.NoError(t, err)
			defer c.Close()

			waits := <-fake.waits
			assert.Greater(t, waits, row.least)
			assert.LessOrEqual(t, waits, row.most)
		})
	}
}

// A key alone makes the connection one of TLS. A server without it does not answer that, and says nothing of why.
func TestDial_ServerWithoutTLS(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	options := temporalclient.Options{HostPort: listener.Addr().String(), Credentials: temporalclient.NewAPIKeyStaticCredentials("key")}

	_, err = Dial(ctx, options, nil, logging.ForTemporal(zap.NewNop()))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "set TEMPORAL_TLS=false")
}
