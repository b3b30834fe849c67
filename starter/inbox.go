package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/logging"
)

// newInbox serves the inbox against any Temporal.
func (s *starter) newInbox() *cobra.Command {
	var address, files string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "inbox", Short: "Serve the page where people answer the questions of goals", Args: cobra.NoArgs,
		Long: "Serves the inbox until Ctrl-C. It keeps no state: all of it is Temporal's.\n\n" +
			"It serves this machine alone unless CONVILYN_INBOX_TOKEN is set. Answer links in notifications need\n" +
			"CONVILYN_INBOX_URL and CONVILYN_INBOX_SECRET, the same for workers and inbox; previews need CONVILYN_API_KEY.",
		Example: "  starter inbox\n  CONVILYN_INBOX_TOKEN_FILE=token starter inbox --addr 0.0.0.0:8240 --files /srv/shared/answers",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.serveInbox(cmd.Context(), address, files, cmd.OutOrStdout(), asJSON)
		},
	}
	cmd.Flags().StringVar(&address, "addr", "127.0.0.1:8240", "address to serve")
	cmd.Flags().StringVar(&files, "files", "", "folder for files given as answers, which workers can read (default: none are taken)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the address as one JSON object")
	return cmd
}

func (s *starter) serveInbox(ctx context.Context, address, files string, stdout io.Writer, asJSON bool) error {
	cfg, err := config.Load(s.getenv)
	if err == nil {
		err = host.CheckInboxAddress(address, cfg.InboxToken)
	}
	if err == nil && files != "" {
		files, err = filepath.Abs(files)
	}
	if err != nil {
		return &cli.Failure{Code: cli.ExitUsage, Err: err}
	}
	session, err := s.open(ctx)
	if err != nil {
		return cli.APIError(err)
	}
	defer session.Close()
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return cli.Usagef("serve the inbox, choose another --addr: %w", err)
	}
	metrics := host.NewMetrics()
	defer metrics.Close() //nolint:errcheck // the process ends
	metrics.ObserveRuns(session.Temporal, session.Namespace)
	stop, err := host.ServeInbox(cfg, host.InboxOptions{
		Listener: listener, Temporal: session.Temporal, Namespace: session.Namespace, Files: files, Shared: true, Metrics: metrics, Logger: logging.New(os.Stderr, cfg.LogLevel, cfg.LogFormat),
	})
	if err != nil {
		return err
	}
	defer stop()
	if err := announce(stdout, "http://"+listener.Addr().String(), asJSON); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func announce(w io.Writer, url string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]string{"inbox": url})
	}
	_, err := fmt.Fprintf(w, "Inbox %s\nCtrl-C ends it; nothing is lost by that.\n", url)
	return err
}
