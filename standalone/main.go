// Command standalone converts files with everything it takes in one process: Temporal with its web page, the
// conversion service, a worker, and the starter's commands.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), onTerm...)
	// A second Ctrl-C ends the process at once; nothing is lost by that either.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	m := &standalone{}
	env := cli.Env{
		Program: "standalone", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: m.getenv(),
		Terminal: term.Of(os.Stderr, os.Stdout, os.Stdin), Interrupts: term.Interrupts, Open: m.open, Running: m.running, Catalog: m.catalog, AddFlags: m.addFlags, Checks: m.checks, Engines: m.engines,
	}
	env.Commands = []*cobra.Command{m.newUp(), newBenchCommand(), newBenchService(), newEngines()}
	return cli.Run(ctx, env, args)
}

// standalone holds the flags of its main.
type standalone struct {
	dir    string
	faults string
	ports  wantedPorts // any free ones, unless up names them
	stack  *stack
	keys   cli.KeyFile
}

func (m *standalone) getenv() func(string) string { return m.keys.Getenv(os.Getenv) }

func (m *standalone) addFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&m.dir, "data", "", "data folder (default: convilyn in the user's state folder)")
	flags.StringVar(&m.faults, "faults", "", "YAML file with faults for the local conversion service to commit")
	m.keys.AddFlag(root)
}

func (m *standalone) open(ctx context.Context) (*cli.Session, error) {
	s, err := m.bringUp(ctx)
	if err != nil {
		return nil, err
	}
	session := &cli.Session{
		Temporal: s.client, Namespace: namespace, Address: s.at.Temporal, Data: s.dir, Keys: s.keys, Stays: s.owner == nil, Close: s.close,
	}
	if session.Stays {
		session.UI = s.at.UI // a page that ends with this command is no use to anybody
	}
	return session, nil
}

// running reports whether a stack of this data folder is up already.
func (m *standalone) running(ctx context.Context) bool {
	o, err := m.options(m.getenv())
	return err == nil && stackAnswers(ctx, o.dir)
}

// catalog asks the service of the stack, which is brought up for that where it is not.
func (m *standalone) catalog(ctx context.Context) (*client.Catalog, error) {
	s := m.stack
	if s == nil {
		var err error
		if s, err = m.bringUp(ctx); err != nil {
			return nil, err
		}
		defer s.close()
	}
	o, err := m.options(m.getenv())
	if err != nil {
		return nil, err
	}
	cfg := o.config
	if !o.remote {
		key, err := s.apiKey()
		if err != nil {
			return nil, err
		}
		cfg.BaseURL, cfg.APIKey = s.at.API, config.Secret(key)
	}
	api, err := cfg.API()
	if err != nil {
		return nil, err
	}
	defer api.CloseIdleConnections()
	return api.Goals.Catalog(ctx)
}

func (m *standalone) bringUp(ctx context.Context) (*stack, error) {
	o, err := m.options(m.getenv())
	if err != nil {
		return nil, &cli.Failure{Code: cli.ExitUsage, Err: err}
	}
	m.stack, err = openStack(ctx, o, func(text string) { _, _ = fmt.Fprintln(os.Stderr, "standalone: "+text) })
	return m.stack, err
}

// localPoll is the contract's floor: looking at a service in the same process costs nothing.
const localPoll = 200 * time.Millisecond

// options reads flags and environment. The local service does the work unless another is asked for by
// CONVILYN_BASE_URL: a key alone must not send files away.
func (m *standalone) options(getenv func(string) string) (options, error) {
	cfg, err := config.Load(getenv)
	if err != nil {
		return options{}, err
	}
	o := options{dir: m.dir, wantPorts: m.ports, config: cfg, remote: getenv("CONVILYN_BASE_URL") != ""}
	if o.remote && cfg.APIKey == "" {
		return o, fmt.Errorf("CONVILYN_BASE_URL is set to %s but there is no key; set CONVILYN_API_KEY or CONVILYN_API_KEY_FILE", client.RedactURL(cfg.BaseURL))
	}
	if o.remote && m.faults != "" {
		return o, errors.New("--faults is for the local conversion service; unset CONVILYN_BASE_URL to use it")
	}
	if m.faults != "" {
		if o.faults, err = faults.Load(m.faults); err != nil {
			return o, err
		}
	}
	if !o.remote && getenv("CONVILYN_POLL_INTERVAL") == "" {
		o.config.PollInterval = localPoll
	}
	if o.dir == "" {
		o.dir, err = stateFolder(getenv)
	} else {
		o.dir, err = filepath.Abs(o.dir)
	}
	return o, err
}

func stateFolder(getenv func(string) string) (string, error) {
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "convilyn"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the user's state folder, name one with --data: %w", err)
	}
	return filepath.Join(home, ".local", "state", "convilyn"), nil
}

func (m *standalone) newUp() *cobra.Command {
	var ports wantedPorts
	var asJSON bool
	cmd := &cobra.Command{
		Use: "up", Short: "Bring the stack up and stay until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m.ports = ports
			s, err := m.bringUp(cmd.Context())
			if err != nil {
				return cli.APIError(err)
			}
			defer s.close()
			if s.owner == nil {
				return cli.Usagef("a stack runs on %s already, as process %d; its page is %s", s.dir, s.at.PID, s.at.UI)
			}
			if err := announce(cmd.OutOrStdout(), s, asJSON); err != nil {
				return err
			}
			<-cmd.Context().Done()
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the addresses as one JSON object")
	cmd.Flags().IntVar(&ports.temporal, "temporal-port", 7233, "port of Temporal; another one is taken where it is in use")
	cmd.Flags().IntVar(&ports.ui, "ui-port", 8233, "port of Temporal's page, likewise")
	cmd.Flags().IntVar(&ports.inbox, "inbox-port", 8240, "port of the inbox, likewise")
	cmd.Flags().IntVar(&ports.api, "api-port", 8980, "port of the conversion service, likewise")
	return cmd
}

// announce tells where everything is, once it is up.
func announce(w io.Writer, s *stack, asJSON bool) error {
	keyFile, logFile := filepath.Join(s.dir, "backend", "key"), filepath.Join(s.dir, "stack.log")
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{
			"pid": s.at.PID, "temporal": s.at.Temporal, "ui": s.at.UI, "api": s.at.API, "inbox": s.at.Inbox, "key_file": keyFile, "data": s.dir, "log": logFile,
			"codec": s.at.Codec, "encryption_key": s.keys.Sealer(),
		})
	}
	sealed := ""
	if s.at.Codec != "" {
		sealed = fmt.Sprintf("Codec endpoint  %s (of Temporal's page; payloads are sealed with key %s)\n", s.at.Codec, s.keys.Sealer())
	}
	_, err := fmt.Fprintf(w,
		"Inbox           %s\nTemporal        %s\nTemporal's page %s\nConvilyn API    %s\n%skey in          %s\ndata            %s\nlog             %s\nCtrl-C ends it; open runs go on at the next start.\n",
		s.at.Inbox, s.at.Temporal, s.at.UI, s.at.API, sealed, keyFile, s.dir, logFile)
	return err
}

func (m *standalone) checks(ctx context.Context, _ *cli.Session) []cli.Check {
	if m.stack == nil {
		return nil
	}
	if o, err := m.options(m.getenv()); err == nil && o.remote {
		return cli.APIChecks(ctx, o.config)
	}
	key, err := m.stack.apiKey()
	if err != nil {
		return []cli.Check{{Name: "api", Detail: err.Error(), Remedy: "remove --data or choose another"}}
	}
	return append(cli.APIChecks(ctx, config.Config{BaseURL: m.stack.at.API, APIKey: config.Secret(key)}),
		cli.Check{Name: "confinement", OK: true, Detail: "conversions run apart: " + sandbox.Confinement()})
}

// engines are those of the local service, as they would be found by one that starts now.
func (m *standalone) engines(ctx context.Context) []cli.Engine {
	o, err := m.options(m.getenv())
	if err != nil || o.remote {
		return nil
	}
	registry := backend.DefaultRegistry(ctx, o.engines(o.dir))
	defer registry.Close() //nolint:errcheck // it converted nothing
	var out []cli.Engine
	for _, s := range registry.Statuses(ctx) {
		out = append(out, cli.Engine{
			Name: s.Name, Version: s.Version, Found: !s.Missing, Install: s.Package, Routes: s.Routes, Serves: s.Serves, Adds: s.Adds,
		})
	}
	return out
}
