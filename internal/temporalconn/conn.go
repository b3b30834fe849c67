// Package temporalconn connects to Temporal with Temporal's own settings (TEMPORAL_*, temporal.toml).
package temporalconn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/private"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
)

// dialTimeout bounds the first contact: a wrong address is reported at once rather than after minutes.
const dialTimeout = 10 * time.Second

// Options reads the connection settings. Where they name no Temporal it is that of the stack of standalone that runs on the
// data folder, empty for the default one, or else the usual address; notice says which. Where the Temporal is that of the stack
// and nothing else is to let us in, its key does.
func Options(data string) (options temporalclient.Options, notice string, err error) {
	options, err = envconfig.LoadDefaultClientOptions()
	if err != nil {
		return options, "", fmt.Errorf("read Temporal's settings (TEMPORAL_*, temporal.toml): %w", err)
	}
	if options.Namespace == "" {
		options.Namespace = temporalclient.DefaultNamespace
	}

	named := data != ""
	if !named {
		data, _ = datafolder.Default(os.Getenv) // without one there is no stack either
	}
	stack, closed := datafolder.Temporal(data)
	switch {
	case named && closed != nil:
		return options, "", closed
	case named && stack == "":
		return options, "", fmt.Errorf("no stack of standalone runs on %s; start one: standalone up --data %s", data, data)
	}

	switch {
	case options.HostPort != "":
	case stack != "":
		options.HostPort = stack
		notice = fmt.Sprintf("TEMPORAL_ADDRESS is not set; using the Temporal of the stack on %s, at %s", data, stack)
	default:
		options.HostPort = temporalclient.DefaultHostPort
		notice = "TEMPORAL_ADDRESS is not set; using " + options.HostPort
		var foreign *datafolder.ForeignError
		if errors.As(closed, &foreign) {
			notice += ", for " + foreign.Detail()
		}
	}
	return options, notice, presentKey(&options, data, stack)
}

// presentKey shows the key of a stack to the stack alone.
func presentKey(options *temporalclient.Options, data, stack string) error {
	address := strings.Replace(options.HostPort, "localhost:", "127.0.0.1:", 1)
	if stack == "" || address != stack || options.Credentials != nil || options.ConnectionOptions.TLS != nil {
		return nil
	}

	key, err := private.ReadSecret(filepath.Join(data, datafolder.KeyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	options.HostPort = stack
	datafolder.Present(options, key)
	return nil
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
		return nil, fmt.Errorf("temporal at %s lets only those in who show its key or certificate; check TEMPORAL_API_KEY or TEMPORAL_TLS_*, and for a standalone of yours name its data folder with --data: %w", options.HostPort, err)
	case strings.Contains(err.Error(), "first record does not look like a TLS handshake"):
		return nil, fmt.Errorf("temporal at %s speaks no TLS, which a key alone makes clients use; set TEMPORAL_TLS=false where it is your own: %w", options.HostPort, err)
	default:
		return nil, fmt.Errorf("no Temporal answers at %s; set TEMPORAL_ADDRESS, or use standalone, which brings its own: %w", options.HostPort, err)
	}
}
