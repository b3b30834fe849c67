// Package temporalserver runs Temporal's own server and its web page in this process, on a SQLite file.
package temporalserver

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
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
	Database string       // path of a SQLite file
	Listener net.Listener // of the frontend; the server closes it
	Secret   string       // what callers of the frontend must show, as `authorization: Bearer`
	Clock    *Clock       // the machine's, from now on, where nil
	Logger   *zap.Logger
}

// Ports are where the services of a server listen.
type Ports map[primitives.ServiceName]int

// Server is one that runs.
type Server struct {
	temporal.Server
	Ports Ports

	held     listeners
	secret   string
	settings *dynamicconfig.MemoryClient
	spare    bool // which of two rates matching has, see SetBack
}

// newSettings are where the server's defaults do not suit one machine.
func newSettings() *dynamicconfig.MemoryClient {
	settings := dynamicconfig.NewMemoryClient()
	// The defaults are for clusters shared by many teams: 10 listings a second are too few for one busy screen.
	settings.OverrideSetting(dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance, 100)
	// Batches give their steps fairness keys: those of two that are equally large take turns.
	settings.OverrideSetting(dynamicconfig.MatchingEnableFairness, true)
	// One partition holds what one machine queues. All four are still read: an older database may have some in each.
	settings.OverrideSetting(dynamicconfig.MatchingNumTaskqueueWritePartitions, 1)
	return settings
}

// Start runs the server. The caller stops it.
func Start(o Options) (started *Server, err error) {
	held := listeners{primitives.FrontendService: o.Listener}
	defer func() {
		if started == nil {
			held.close()
		}
	}()
	if err := createDatabase(o.Database); err != nil {
		return nil, err
	}
	if err := checkDatabase(o.Database); err != nil {
		return nil, err
	}
	if err := held.choose(); err != nil {
		return nil, err
	}
	ports := held.ports()
	certificates, err := betweenServices()
	if err != nil {
		return nil, err
	}
	guard := newOwner(o.Secret)

	if o.Clock == nil {
		o.Clock = NewClock(time.Time{})
	}
	settings := newSettings()
	server, err := temporal.NewServerFx(held.parts(o.Clock),
		temporal.WithConfig(serverConfig(o.Database, ports)),
		// Services that look for each other would count on those of the process that was killed, for most of a minute.
		temporal.WithStaticHosts(staticHosts(ports)),
		temporal.ForServices(append([]string{string(primitives.InternalFrontendService)}, temporal.DefaultServices...)),
		temporal.WithLogger(log.NewZapLogger(o.Logger.WithOptions(zap.WithFatalHook(lastWords{os.Stderr, os.Exit})))), //nolint:forbidigo // Temporal does, without a word
		temporal.WithAuthorizer(guard),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return guard }),
		temporal.WithTLSConfigFactory(certificates),
		temporal.WithDynamicConfigClient(settings),
	)
	if err != nil {
		return nil, startFault(o.Database, err)
	}
	if err := server.Start(); err != nil {
		return nil, startFault(o.Database, err)
	}
	return &Server{Server: server, Ports: ports, held: held, secret: o.Secret, settings: settings}, nil
}

// Stop ends the server.
func (s *Server) Stop() error {
	defer s.held.close()
	if err := s.Server.Stop(); err != nil {
		return fmt.Errorf("stop Temporal's server: %w", err)
	}
	return nil
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
	store := &config.SQL{
		PluginName: sqlite.PluginName, DatabaseName: fresh,
		// It is synced once, before it gets its name, and not after each of some hundred statements.
		ConnectAttributes: map[string]string{"mode": "rwc", "journal_mode": "memory", "synchronous": "0"},
	}
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
	if err := syncFile(fresh); err != nil {
		return fmt.Errorf("write Temporal's database: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("put Temporal's database in place: %w", err)
	}
	return nil
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // of our own data folder
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
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
