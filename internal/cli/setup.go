package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

// Temporal itself takes no namespace that forgets sooner.
const minRetention = 24 * time.Hour

// setupFlags are the flags of setup.
type setupFlags struct {
	create    bool
	retention time.Duration
	json      bool
}

func newSetup(env *Env) *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use: "setup", Short: "Register the search attributes that workers need", Args: cobra.NoArgs,
		Long: "Registers the search attributes that workers need, once a namespace, and returns when Temporal knows them.\n" +
			"What is there already stays as it is.",
		Example: "  starter setup\n  starter setup --create-namespace",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.retention < minRetention {
				return Usagef("--retention %s: Temporal takes 24h at least", f.retention)
			}
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error { return env.setup(ctx, s, f) })
		},
	}
	cmd.Flags().BoolVar(&f.create, "create-namespace", false, "make the namespace where it is missing")
	durationVar(cmd.Flags(), &f.retention, "retention", 30*24*time.Hour, "how long a namespace made so keeps closed runs, and knows what was done already")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	return cmd
}

func (e *Env) setup(ctx context.Context, s *Session, f setupFlags) error {
	created := false
	if f.create {
		var err error
		if created, err = temporalconn.CreateNamespace(ctx, s.Temporal, s.Namespace, f.retention); err != nil {
			return err
		}
	}
	added, err := temporalconn.AddSearchAttributes(ctx, s.Temporal, s.Namespace)
	if err != nil {
		return err
	}
	if f.json {
		return e.printJSON(map[string]any{"namespace": s.Namespace, "created": created, "added": append([]string{}, added...)})
	}
	if created {
		e.printf("made namespace %s; it keeps closed runs %s", s.Namespace, term.Span(f.retention))
	}
	if len(added) == 0 {
		e.printf("namespace %s has all search attributes already", s.Namespace)
		return nil
	}
	e.printf("added to namespace %s: %s", s.Namespace, strings.Join(added, ", "))
	return nil
}
