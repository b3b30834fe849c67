// Command signal answers a question of a goal run from outside: with Temporal's SDK and nothing of this project.
//
//	go run ./examples/signal TEMPORAL_ADDRESS WORKFLOW_ID SLOT JSON_VALUE
//
// What else it takes to connect comes from Temporal's own settings: for the Temporal of standalone, the line that `standalone up`
// prints (TEMPORAL_API_KEY and TEMPORAL_TLS=false).
//
// It is what `temporal workflow signal --name fill-slot` does.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "signal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("usage: signal TEMPORAL_ADDRESS WORKFLOW_ID SLOT JSON_VALUE")
	}
	if !json.Valid([]byte(args[3])) {
		return fmt.Errorf("%s is not JSON; a text is written '\"text\"'", args[3])
	}
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return err
	}
	options.HostPort = args[0]
	temporal, err := client.DialContext(ctx, options)
	if err != nil {
		return err
	}
	defer temporal.Close()
	return temporal.SignalWorkflow(ctx, args[1], "", "fill-slot", map[string]any{
		"slot_id": args[2], "value": json.RawMessage(args[3]), "answered_by": "the signal example",
	})
}
