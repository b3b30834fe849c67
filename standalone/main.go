// Command standalone converts files with everything it takes in one process: Temporal with its web page, the
// conversion service, a worker, and the starter's commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/convilyn/convilyn-temporal/standalone/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the process at once; nothing is lost by that either.
	context.AfterFunc(ctx, stop)
	os.Exit(command.Run(ctx, os.Args[1:]))
}
