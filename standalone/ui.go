package main

import (
	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// startUI serves Temporal's own web page and returns what stops it. The page opens payloads at codec, empty for plain ones.
func startUI(temporalAddress string, port int, codec string) (stop func()) {
	server := uiserver.NewServer(server_options.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: temporalAddress, Host: loopback, Port: port, EnableUI: true,
		DefaultNamespace: namespace, HideLogs: true, DisableNewsFetch: true,
		Codec: uiconfig.Codec{Endpoint: codec}, CORS: uiconfig.CORS{CookieInsecure: true},
	}))
	go func() { _ = server.Start() }()
	return server.Stop
}
