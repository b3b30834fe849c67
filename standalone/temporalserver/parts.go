package temporalserver

import (
	"net"

	"go.temporal.io/server/chasm"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/clock"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/pprof"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/resource"
	"go.temporal.io/server/service/frontend"
	"go.temporal.io/server/service/history"
	"go.temporal.io/server/service/history/replication"
	"go.temporal.io/server/service/matching"
	"go.temporal.io/server/service/worker"
	"go.temporal.io/server/temporal"
	"go.uber.org/fx"
	"google.golang.org/grpc"

	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// listeners are held from the choice of their ports on: services that look for a port themselves end the process where
// somebody else has taken it meanwhile.
type listeners map[primitives.ServiceName]net.Listener

// choose takes a free port for each service that has none.
func (held listeners) choose() error {
	for _, name := range []primitives.ServiceName{
		primitives.HistoryService, primitives.MatchingService, primitives.WorkerService, primitives.InternalFrontendService,
	} {
		listener, err := loopback.Listen(0)
		if err != nil {
			return err
		}
		held[name] = listener
	}
	held[primitives.InternalFrontendService] = newConnections(held[primitives.InternalFrontendService])
	return nil
}

// hangUp has the internal frontend, whose callers have ended before it, end without waiting for their polls.
func (held listeners) hangUp(lifecycle fx.Lifecycle) {
	lifecycle.Append(fx.StopHook(held[primitives.InternalFrontendService].(*connections).closeAll))
}

func (held listeners) ports() Ports {
	ports := Ports{}
	for name, listener := range held {
		ports[name] = loopback.Port(listener)
	}
	return ports
}

func (held listeners) close() {
	for _, listener := range held {
		_ = listener.Close() // such as by the service that had it
	}
}

// parts is Temporal's own list (temporal.TopLevelModule) with services that listen where we do, and a history service that goes
// by another clock. Options of the server have none for either.
func (held listeners) parts(source clock.TimeSource) fx.Option {
	return fx.Options(
		fx.Provide(
			temporal.NewServerFxImpl,
			temporal.ServerOptionsProvider,
			resource.ArchivalMetadataProvider,
			temporal.TaskCategoryRegistryProvider,
			held.service(primitives.HistoryService,
				history.QueueModule, history.Module, replication.Module, fx.Decorate(func() clock.TimeSource { return source })),
			held.service(primitives.MatchingService, matching.Module),
			held.service(primitives.FrontendService, frontend.Module, noInterceptors),
			held.service(primitives.InternalFrontendService, frontend.Module, noInterceptors,
				fx.Decorate(authorization.NewInternalClaimMapper), fx.Invoke(held.hangUp)),
			held.service(primitives.WorkerService, worker.Module),
			temporal.ApplyClusterMetadataConfigProvider,
		),
		dynamicconfig.Module,
		pprof.Module,
		temporal.TraceExportModule,
		chasm.Module,
		serialization.Module,
		temporal.FxLogAdapter,
		fx.Invoke(temporal.ServerLifetimeHooks),
	)
}

// noInterceptors is what an option of the server could name for frontends.
var noInterceptors = fx.Supply([]grpc.UnaryServerInterceptor(nil))

// service is one of the providers of that list.
func (held listeners) service(name primitives.ServiceName, modules ...fx.Option) func(temporal.ServiceProviderParamsCommon) (temporal.ServicesGroupOut, error) {
	return func(params temporal.ServiceProviderParamsCommon) (temporal.ServicesGroupOut, error) {
		app := fx.New(
			params.GetCommonServiceOptions(name),
			fx.Decorate(func() net.Listener { return held[name] }),
			fx.Options(modules...),
		)
		return temporal.NewService(app, name, params.Logger), app.Err()
	}
}
