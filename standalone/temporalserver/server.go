// Package temporalserver runs Temporal's own server and its web page in this process, on a SQLite file.
package temporalserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/convilyn/convilyn-temporal/internal/private"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// Namespace is the one that the server is created with.
const Namespace = "default"

const (
	clusterName = "active"
	// retention is how long a closed run stays known, and with it the answer to "was this done already?".
	retention = 30 * 24 * time.Hour
)

// Options say how to run the server.
type Options struct {
	Database string // path of a SQLite file
	Port     int    // of the frontend, on loopback
	Secret   string // what callers of the frontend must show, as `authorization: Bearer`
	Logger   *zap.Logger
}

// Ports are where the services of a server listen.
type Ports map[primitives.ServiceName]int

// Start runs the server. The caller stops it.
func Start(o Options) (temporal.Server, Ports, error) {
	if err := createDatabase(o.Database); err != nil {
		return nil, nil, err
	}
	free, err := loopback.FreePorts(4)
	if err != nil {
		return nil, nil, err
	}
	ports := Ports{
		primitives.FrontendService: o.Port, primitives.HistoryService: free[0], primitives.MatchingService: free[1],
		primitives.WorkerService: free[2], primitives.InternalFrontendService: free[3],
	}
	certificates, err := betweenServices()
	if err != nil {
		return nil, nil, err
	}
	guard := newOwner(o.Secret)

	server, err := temporal.NewServer(
		temporal.WithConfig(serverConfig(o.Database, ports)),
		// Services that look for each other would count on those of the process that was killed, for most of a minute.
		temporal.WithStaticHosts(staticHosts(ports)),
		temporal.ForServices(append([]string{string(primitives.InternalFrontendService)}, temporal.DefaultServices...)),
		temporal.WithLogger(log.NewZapLogger(o.Logger)),
		temporal.WithAuthorizer(guard),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return guard }),
		temporal.WithTLSConfigFactory(certificates),
		temporal.WithDynamicConfigClient(dynamicconfig.StaticClient{
			// The defaults are for clusters shared by many teams: 10 listings a second are too few for one busy screen.
			dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
			// Batches give their steps fairness keys: those of two that are equally large take turns.
			dynamicconfig.MatchingEnableFairness.Key(): true,
			// One partition holds what one machine queues. All four are still read: an older database may have some in each.
			dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		}),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare Temporal: %w", err)
	}
	if err := server.Start(); err != nil {
		return nil, nil, fmt.Errorf("start Temporal: %w", err)
	}
	return server, ports, nil
}

// createDatabase makes the schema and the namespace beside the final name and renames: a crash in the middle
// must not leave half a schema that every later start trips over.
func createDatabase(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at Temporal's database: %w", err)
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear an unfinished database: %w", err)
	}
	// SQLite gives what it adds beside it the same mode.
	if err := private.Create(fresh); err != nil {
		return err
	}
	store := &config.SQL{PluginName: sqlite.PluginName, DatabaseName: fresh, ConnectAttributes: map[string]string{"mode": "rwc"}}
	if err := sqliteschema.SetupSchema(store); err != nil {
		return fmt.Errorf("create Temporal's database %s: %w", fresh, err)
	}
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, Namespace, false, temporalconn.SearchAttributes())
	if err != nil {
		return fmt.Errorf("describe the namespace: %w", err)
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	if err := sqliteschema.CreateNamespaces(store, ns); err != nil {
		return fmt.Errorf("create the namespace: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("put Temporal's database in place: %w", err)
	}
	return nil
}

func staticHosts(services Ports) map[primitives.ServiceName]static.Hosts {
	hosts := map[primitives.ServiceName]static.Hosts{}
	for name, port := range services {
		hosts[name] = static.SingleLocalHost(fmt.Sprintf("%s:%d", loopback.Host, port))
	}
	return hosts
}

func serverConfig(databasePath string, services Ports) *config.Config {
	rpc := map[string]config.Service{}
	for name, port := range services {
		rpc[string(name)] = config.Service{RPC: config.RPC{GRPCPort: port, BindOnLocalHost: true}}
	}
	address := fmt.Sprintf("%s:%d", loopback.Host, services[primitives.FrontendService])
	store := config.SQL{
		PluginName: sqlite.PluginName, DatabaseName: filepath.Clean(databasePath),
		// Three times the speed of SQLite's defaults. NORMAL keeps every commit over a killed process; only a
		// power cut can take the last ones back, and then the steps they recorded are safe to repeat.
		ConnectAttributes: map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "1"},
	}
	return &config.Config{
		// Nobody is joined here, but twice this is what services may take to start; the default of 15 s is too short for a
		// machine that is busy.
		Global: config.Global{Membership: config.Membership{MaxJoinDuration: time.Minute}},
		Persistence: config.Persistence{
			DefaultStore: sqlite.PluginName, VisibilityStore: sqlite.PluginName, NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{sqlite.PluginName: {SQL: &store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            rpc,
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}
}
