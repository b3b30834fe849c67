// Package command is the command line of standalone: the starter's commands on a stack of their own, up, and bench.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/roots"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
)

// Run runs a command line, without the program's name, and returns the exit code.
func Run(ctx context.Context, args []string) int {
	m := &standalone{}
	env := cli.Env{
		Program: "standalone", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: m.getenv(),
		Terminal: term.Of(os.Stderr, os.Stdout, os.Stdin), Interrupts: term.Interrupts,
		Open: m.open, Running: m.running, Catalog: m.catalog, AddFlags: m.addFlags, Spool: m.spool, Checks: m.checks, Engines: m.engines,
	}
	env.Commands = []*cobra.Command{m.newUp(), newBench(), newBenchService(), newEngines()}
	return cli.Run(ctx, env, args)
}

// standalone holds the flags that all commands share, and the stack once it is up.
type standalone struct {
	dir    string
	faults string
	ports  stack.Ports // any free ones, unless up names them
	stays  bool        // for up
	stack  *stack.Stack
	keys   cli.KeyFile
}

func (m *standalone) getenv() func(string) string { return m.keys.Getenv(os.Getenv) }

func (m *standalone) addFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&m.dir, "data", "", "data folder (default: convilyn in the user's state folder)")
	flags.StringVar(&m.faults, "faults", "", "YAML file with faults for the local conversion service to commit")
	m.keys.AddFlag(root)
}

func (m *standalone) options() (stack.Options, error) {
	o, err := stack.ReadOptions(m.getenv(), m.dir, m.faults)
	o.Ports, o.Stays = m.ports, m.stays
	return o, err
}

func (m *standalone) open(ctx context.Context) (*cli.Session, error) {
	s, err := m.bringUp(ctx)
	if err != nil {
		return nil, err
	}

	session := &cli.Session{
		Name:     func(places ...roots.Place) error { return stack.Name(s.Dir, places...) },
		Temporal: s.Temporal, Namespace: stack.Namespace, Address: s.At.Temporal, Data: s.Dir, State: s.Dir, Keys: s.Keys, Stays: s.Joined(), Close: s.Close,
	}
	if session.Stays {
		session.UI = s.At.UI // a page that ends with this command is no use to anybody
	}
	return session, nil
}

func (m *standalone) bringUp(ctx context.Context) (*stack.Stack, error) {
	o, err := m.options()
	if err != nil {
		return nil, &cli.Failure{Code: cli.ExitUsage, Err: err}
	}

	m.stack, err = stack.Open(ctx, o, func(text string) { _, _ = fmt.Fprintln(os.Stderr, "standalone: "+text) })
	var taken *stack.PortError
	var foreign *datafolder.ForeignError
	if errors.As(err, &taken) || errors.As(err, &foreign) {
		return nil, &cli.Failure{Code: cli.ExitUsage, Err: err}
	}
	return m.stack, err
}

// spool is where standard input is kept for its run.
func (m *standalone) spool() (string, error) {
	o, err := m.options()
	if err != nil {
		return "", err
	}
	return stack.Spool(o.Dir), nil
}

// running reports whether a stack on this data folder is up already.
func (m *standalone) running(ctx context.Context) bool {
	o, err := m.options()
	return err == nil && stack.Answers(ctx, o.Dir)
}

// catalog asks the service of the stack, which is brought up for that where it is not.
func (m *standalone) catalog(ctx context.Context) (*client.Catalog, error) {
	s := m.stack
	if s == nil {
		var err error
		if s, err = m.bringUp(ctx); err != nil {
			return nil, err
		}
		defer s.Close()
	}
	o, err := m.options()
	if err != nil {
		return nil, err
	}

	cfg := o.Config
	if !o.Remote {
		key, err := s.APIKey()
		if err != nil {
			return nil, err
		}
		cfg.BaseURL, cfg.APIKey = s.At.API, config.Secret(key)
	}
	api, err := cfg.API()
	if err != nil {
		return nil, err
	}
	defer api.CloseIdleConnections()
	return api.Goals.Catalog(ctx)
}

func clockCheck(dir string) cli.Check {
	ahead, err := stack.ClockAhead(dir)
	switch {
	case err != nil:
		return cli.Check{Name: "clock", Detail: err.Error(), Remedy: "restart standalone"}
	case ahead > 0:
		return cli.Check{Name: "clock", Detail: stack.ClockText(ahead), Remedy: stack.ClockRemedy(ahead)}
	}
	return cli.Check{Name: "clock", OK: true, Detail: "it was not set back"}
}

func (m *standalone) checks(ctx context.Context, _ *cli.Session) []cli.Check {
	if m.stack == nil {
		return nil
	}
	if o, err := m.options(); err == nil && o.Remote {
		return append(cli.APIChecks(ctx, o.Config), privacyCheck(m.stack.Dir), clockCheck(m.stack.Dir), rootsCheck(m.stack.Dir, m.getenv()))
	}

	private := privacyCheck(m.stack.Dir)
	places := rootsCheck(m.stack.Dir, m.getenv())
	key, err := m.stack.APIKey()
	if err != nil {
		return []cli.Check{private, places, {Name: "api", Detail: err.Error(), Remedy: "remove --data or choose another"}}
	}
	return append(cli.APIChecks(ctx, config.Config{BaseURL: m.stack.At.API, APIKey: config.Secret(key)}),
		clockCheck(m.stack.Dir), cli.Check{Name: "confinement", OK: true, Detail: "conversions run apart: " + sandbox.Confinement()}, private, places)
}

// rootsCheck tells what the worker may use.
func rootsCheck(dir string, getenv func(string) string) cli.Check {
	places, err := stack.Ledger(dir).Places()
	check := cli.Check{Name: "roots", OK: err == nil, Detail: fmt.Sprintf("the worker uses what commands have named: %s, in %s",
		term.Plural(len(places), "place", "places"), filepath.Join(dir, datafolder.RootsFile))}
	if named := getenv(config.RootsFolders); named != "" {
		check.Detail += ", and " + named
	}
	if err != nil {
		check.Detail, check.Remedy = err.Error(), "correct its permissions, or choose another folder with --data"
	}
	return check
}

// privacyCheck looks for what is left open after a start has tightened all that it could.
func privacyCheck(dir string) cli.Check {
	open, err := stack.Exposed(dir)
	check := cli.Check{Name: "data folder", OK: err == nil && len(open) == 0, Detail: "what standalone keeps in " + dir + " is for its owner alone"}
	switch {
	case err != nil:
		check.Detail, check.Remedy = err.Error(), "correct its permissions, or choose another with --data"
	case len(open) > 0:
		check.Detail, check.Remedy = open[0].Text(), open[0].Remedy()
		if more := len(open) - 1; more > 0 {
			check.Detail += fmt.Sprintf(" and %d more", more)
		}
	}
	return check
}

// engines are those of the local service, as they would be found by one that starts now.
func (m *standalone) engines(ctx context.Context) []cli.Engine {
	o, err := m.options()
	if err != nil || o.Remote {
		return nil
	}

	registry := backend.DefaultRegistry(scratch.AskAgain(ctx), o.EngineSettings(o.Dir))
	defer registry.Close() //nolint:errcheck // it converted nothing
	var out []cli.Engine
	for _, s := range registry.Statuses(ctx) {
		out = append(out, cli.Engine{
			Name: s.Name, Version: s.Version, Found: !s.Missing, Install: s.Package, Routes: s.Routes, Serves: s.Serves, Adds: s.Adds,
		})
	}
	return out
}

func (m *standalone) newUp() *cobra.Command {
	var ports [4]int
	named := [4]string{"temporal-port", "ui-port", "inbox-port", "api-port"}
	var asJSON bool
	cmd := &cobra.Command{
		Use: "up", Short: "Bring the stack up and stay until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var want [4]stack.Port
			for i, name := range named {
				flag := cmd.Flags().Lookup(name)
				usual, _ := strconv.Atoi(flag.DefValue)
				want[i] = stack.Port{Usual: usual, Asked: flag.Changed, Number: ports[i]}
			}
			m.stays = true
			m.ports = stack.Ports{Temporal: want[0], UI: want[1], Inbox: want[2], API: want[3]}
			s, err := m.bringUp(cmd.Context())
			if err != nil {
				return cli.APIError(err)
			}
			defer s.Close()

			if s.Joined() {
				return cli.Usagef("a stack runs on %s already, as process %d; its page is %s", s.Dir, s.At.PID, s.At.UI)
			}
			if err := announce(cmd.OutOrStdout(), s, asJSON); err != nil {
				return err
			}
			<-cmd.Context().Done()
			return nil
		},
	}

	cmd.Flags().BoolVar(&asJSON, "json", false, "print the addresses as one JSON object")
	cmd.Flags().IntVar(&ports[0], named[0], 7233, "port of Temporal, which must be free; 0 for any. Without the flag the data folder keeps one")
	cmd.Flags().IntVar(&ports[1], named[1], 8233, "port of Temporal's page, likewise")
	cmd.Flags().IntVar(&ports[2], named[2], 8240, "port of the inbox, likewise")
	cmd.Flags().IntVar(&ports[3], named[3], 8980, "port of the conversion service, likewise")
	return cmd
}

// announce prints where everything is, once it is up.
func announce(w io.Writer, s *stack.Stack, asJSON bool) error {
	keyFile, logFile, access := filepath.Join(s.Dir, "backend", "key"), filepath.Join(s.Dir, "stack.log"), stack.AccessKeyFile(s.Dir)
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{
			"pid": s.At.PID, "temporal": s.At.Temporal, "ui": s.At.UI, "api": s.At.API, "inbox": s.At.Inbox, "key_file": keyFile, "data": s.Dir, "log": logFile,
			"codec": s.At.Codec, "encryption_key": s.Keys.Sealer(), "access_key_file": access,
		})
	}

	inbox, page := s.Links()
	if othersRead(w) {
		inbox, page = s.At.Inbox+" (log in with the access key; others may read this file)", s.At.UI+" (likewise)"
	}
	sealed := ""
	if s.At.Codec != "" {
		sealed = fmt.Sprintf("Codec endpoint  %s (of Temporal's page; payloads are sealed with key %s)\n", s.At.Codec, s.Keys.Sealer())
	}
	_, err := fmt.Fprintf(w,
		"Inbox           %s\nTemporal's page %s\nTemporal        %s\nConvilyn API    %s\n%skey in          %s\ndata            %s\nlog             %s\n"+
			"access key in   %s; for Temporal's own tools:\n  %s\nCtrl-C ends it; open runs go on at the next start.\n",
		inbox, page, s.At.Temporal, s.At.API, sealed, keyFile, s.Dir, logFile, access, exportLine(s.At.Temporal, access))
	return err
}

// exportLine has programs with Temporal's settings connect as the owner. They would take an API key for a reason to use TLS.
func exportLine(temporal, accessKeyFile string) string {
	quoted := "'" + strings.ReplaceAll(accessKeyFile, "'", `'\''`) + "'"
	return fmt.Sprintf(`export TEMPORAL_ADDRESS=%s TEMPORAL_TLS=false TEMPORAL_API_KEY="$(cat %s)"`, temporal, quoted)
}

// othersRead reports whether what is written goes into a file that others may read. A link that logs in does not belong there.
func othersRead(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0
}

// newEngines is the other end of backend.EngineChildren: the local service's conversions, in a process of their own.
func newEngines() *cobra.Command {
	return &cobra.Command{
		Use: backend.EnginesCommand + " CACHE", Short: "The engines of the conversion service", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return backend.ServeEngines(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
