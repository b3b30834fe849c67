package temporalserver

import (
	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"

	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// ServeUI serves Temporal's web page and returns what stops it. The page decodes payloads at the codec endpoint; empty for
// plain payloads.
func ServeUI(temporalAddress string, port int, codec string) (stop func()) {
	server := uiserver.NewServer(server_options.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: temporalAddress, Host: loopback.Host, Port: port, EnableUI: true,
		DefaultNamespace: Namespace, HideLogs: true, DisableNewsFetch: true,
		Codec: uiconfig.Codec{Endpoint: codec}, CORS: uiconfig.CORS{CookieInsecure: true},
	}))
	go func() { _ = server.Start() }()
	return server.Stop
}
