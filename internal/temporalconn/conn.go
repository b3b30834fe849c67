// Package temporalconn connects to Temporal with Temporal's own settings (TEMPORAL_*, temporal.toml).
package temporalconn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/convilyn/convilyn-temporal/internal/sealing"
)

// dialTimeout bounds the first contact: a wrong address is reported at once rather than after minutes.
const dialTimeout = 10 * time.Second

// Options reads the connection settings.
func Options() (temporalclient.Options, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return options, fmt.Errorf("read Temporal's settings (TEMPORAL_*, temporal.toml): %w", err)
	}
	if options.HostPort == "" {
		options.HostPort = temporalclient.DefaultHostPort
	}
	if options.Namespace == "" {
		options.Namespace = temporalclient.DefaultNamespace
	}
	return options, nil
}

// Dial connects and checks that the server answers. What goes over the connection is sealed and opened with keys, nil
// for none. Without a deadline of ctx the server must answer within dialTimeout. Errors name the address and the variable to
// set.
func Dial(ctx context.Context, options temporalclient.Options, keys *sealing.Keys, logger log.Logger) (temporalclient.Client, error) {
	options.Logger = logger
	if err := keys.Connect(&options); err != nil {
		return nil, fmt.Errorf("prepare the connection to Temporal: %w", err)
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(dialTimeout)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	// The SDK has a timeout of its own for the first request.
	options.ConnectionOptions.GetSystemInfoTimeout = max(time.Until(deadline), time.Millisecond)
	c, err := temporalclient.DialContext(ctx, options)
	if err == nil {
		return c, nil
	}
	var denied *serviceerror.PermissionDenied
	switch {
	case errors.As(err, &denied):
		return nil, fmt.Errorf("temporal at %s refuses this key or certificate; check TEMPORAL_API_KEY or TEMPORAL_TLS_*: %w", options.HostPort, err)
	default:
		return nil, fmt.Errorf("no Temporal answers at %s; set TEMPORAL_ADDRESS, or use standalone, which brings its own: %w", options.HostPort, err)
	}
}
