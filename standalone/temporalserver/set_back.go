package temporalserver

import (
	"context"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/api/adminservice/v1"
	"go.temporal.io/server/api/taskqueue/v1"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/primitives"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// rates of one queue (the default, and one beside it); nobody here comes near them.
const (
	usualRate = 1000
	spareRate = 1001
)

// SetBack has the server go on after the machine's clock was set back. Its matching service goes by that clock, and its rate
// limit keeps the time from which on it lets tasks pass: in the future now. A change of the rate has all queues look at that
// again; queues are loaded again, so that what waits for the time is woken.
func (s *Server) SetBack(ctx context.Context, namespace string, queues ...string) error {
	s.spare = !s.spare
	rate := usualRate
	if s.spare {
		rate = spareRate
	}
	s.settings.OverrideSetting(dynamicconfig.AdminMatchingNamespaceTaskqueueToPartitionDispatchRate, rate)

	conn, err := grpc.NewClient(fmt.Sprintf("%s:%d", loopback.Host, s.Ports[primitives.FrontendService]), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("reach Temporal: %w", err)
	}
	defer conn.Close() //nolint:errcheck // nothing is written
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.secret)
	admin := adminservice.NewAdminServiceClient(conn)
	for _, queue := range queues {
		for _, kind := range []enums.TaskQueueType{enums.TASK_QUEUE_TYPE_WORKFLOW, enums.TASK_QUEUE_TYPE_ACTIVITY} {
			for partition := range int32(dynamicconfig.GlobalDefaultNumTaskQueuePartitions) {
				_, err := admin.ForceUnloadTaskQueuePartition(ctx, &adminservice.ForceUnloadTaskQueuePartitionRequest{
					Namespace: namespace,
					TaskQueuePartition: &taskqueue.TaskQueuePartition{
						TaskQueue: queue, TaskQueueType: kind, PartitionId: &taskqueue.TaskQueuePartition_NormalPartitionId{NormalPartitionId: partition},
					},
				})
				if err != nil {
					return fmt.Errorf("load the queue %s again: %w", queue, err)
				}
			}
		}
	}
	return nil
}
