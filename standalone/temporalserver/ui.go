package temporalserver

import (
	"fmt"
	"io/fs"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
	"google.golang.org/grpc/metadata"

	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// Page is Temporal's web page. It lets in everybody who reaches it, and shows secret to the frontend for them. The page decodes
// payloads at the codec endpoint; empty for plain payloads.
//
// It is what server.NewServer of ui-server puts together, which would listen by itself. Its protection against pages of other
// origins is left out: whoever stands before this one sees to that, and to who is let in.
func Page(temporalAddress, secret, codec string) (http.Handler, error) {
	provider, err := uiconfig.NewConfigProviderWithRefresh(&uiconfig.Config{
		TemporalGRPCAddress: temporalAddress, Host: loopback.Host, EnableUI: true,
		DefaultNamespace: Namespace, HideLogs: true, DisableNewsFetch: true,
		Codec: uiconfig.Codec{Endpoint: codec},
	})
	if err != nil {
		return nil, fmt.Errorf("configure Temporal's page: %w", err)
	}
	all, err := ui.Assets()
	if err != nil {
		return nil, fmt.Errorf("find Temporal's page: %w", err)
	}
	assets, err := fs.Sub(all, "local")
	if err != nil {
		return nil, fmt.Errorf("find Temporal's page: %w", err)
	}

	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip(), middleware.Secure())
	if err := route.SetAPIRoutes(e, provider, []api.Middleware{headers.WithForwardHeaders([]string{"Caller-Type"})}); err != nil {
		return nil, fmt.Errorf("connect Temporal's page: %w", err)
	}
	if err := route.SetUIRoutes(e, "", assets, provider); err != nil {
		return nil, fmt.Errorf("prepare Temporal's page: %w", err)
	}
	route.SetRenderRoute(e, "/")

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Most routes pass the header on; the download of a history passes on the context alone.
		r = r.WithContext(metadata.AppendToOutgoingContext(r.Context(), "authorization", "Bearer "+secret))
		r.Header.Set("Authorization", "Bearer "+secret)
		e.ServeHTTP(w, r)
	}), nil
}
