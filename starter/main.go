// Command starter starts, watches and cancels conversions on any Temporal.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the process at once.
	context.AfterFunc(ctx, stop)
	var keyFile cli.KeyFile
	getenv := keyFile.Getenv(os.Getenv)
	s := &starter{getenv: getenv, stderr: os.Stderr}
	os.Exit(cli.Run(ctx, cli.Env{
		Program: "starter", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: getenv,
		Terminal: term.Of(os.Stderr, os.Stdout, os.Stdin), Interrupts: term.Interrupts, Open: s.open, Catalog: catalog(os.Getenv),
		Commands: []*cobra.Command{s.newInbox()}, AddFlags: func(root *cobra.Command) { keyFile.AddFlag(root); s.addFlag(root) },
	}, os.Args[1:]))
}
