package cli

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/internal/uploads"
	"github.com/convilyn/convilyn-temporal/manifest"
)

// garbage is something that no run needs any more.
type garbage struct {
	What    string `json:"what"` // plan, upload, stdin or part
	Path    string `json:"path"`
	Bytes   int64  `json:"bytes"`
	Removed bool   `json:"removed"` // false with --dry-run

	part runs.Part // of What part
}

var garbageList = list[garbage]{
	none: "nothing to remove", whole: []string{"PATH"}, heading: []string{"WHAT", "SIZE", "PATH"},
	cells: func(g garbage) []string { return []string{g.What, term.Bytes(g.Bytes), shortPath(g.Path)} },
}

func newGC(env *Env) *cobra.Command {
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use: "gc", Short: "Remove what ended runs have left: plans, uploads, standard input, parts", Args: cobra.NoArgs,
		Long: "Removes what no run needs any more: plans of batches whose report is written, files that were uploaded for answers,\n" +
			"standard input that was kept for runs that nobody followed, and outputs that a run which was terminated has not put\n" +
			"in their place. Outputs and reports stay.\n\n" +
			"Plans beside outputs are found by the runs that Temporal knows. 'runs delete' has Temporal forget runs.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withSession(cmd.Context(), func(ctx context.Context, s *Session) error {
				found, err := findGarbage(ctx, env, s)
				if err != nil {
					return err
				}
				var bytes int64
				for i := range found {
					bytes += found[i].Bytes
					if dryRun {
						continue
					}
					if err := removeGarbage(found[i]); err != nil {
						return Usagef("%d of %d removed; %s stays: %w", i, len(found), found[i].Path, err)
					}
					found[i].Removed = true
				}
				if err := printList(env, garbageList, found, asJSON); err != nil {
					return err
				}
				switch {
				case len(found) == 0:
				case dryRun:
					env.remark("would be freed: %s", term.Bytes(bytes))
				default:
					env.remark("freed: %s", term.Bytes(bytes))
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be removed, and how much that frees")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a thing")
	return cmd
}

func removeGarbage(g garbage) error {
	switch g.What {
	case "plan":
		return manifest.RemoveEnded(g.Path)
	case "part":
		return g.part.Remove()
	}
	return os.RemoveAll(g.Path)
}

func findGarbage(ctx context.Context, env *Env, s *Session) ([]garbage, error) {
	var found []garbage
	now := time.Now()

	outputs, err := outputsOf(ctx, s.runs())
	if err != nil {
		return nil, err
	}
	for _, ended := range manifest.Ended(s.State, outputs, now) {
		found = append(found, garbage{What: "plan", Path: ended.Folder, Bytes: ended.Bytes})
	}

	parts, err := partsLeft(ctx, s.runs())
	if err != nil {
		return nil, err
	}
	found = append(found, parts...)

	if s.Data != "" {
		unneeded, err := uploads.Unneeded(ctx, s.runs(), filepath.Join(s.Data, "inbox"), now)
		if err != nil {
			return nil, err
		}
		for _, u := range unneeded {
			found = append(found, garbage{What: "upload", Path: u.Folder, Bytes: u.Bytes})
		}
	}

	root, err := env.spoolRoot()
	if err != nil {
		return nil, err
	}
	for _, old := range oldSpools(root, now) {
		found = append(found, garbage{What: "stdin", Path: old, Bytes: manifest.SizeOf(old)})
	}
	return found, nil
}

// partsLeft are those of runs that were ended from outside: others remove theirs.
func partsLeft(ctx context.Context, c *runs.Client) ([]garbage, error) {
	var found []garbage
	for _, state := range []string{"terminated", "timedout"} {
		ended, err := c.List(ctx, runs.Filter{State: state}, deleteMost)
		if err != nil {
			return nil, err
		}
		for _, run := range ended {
			kept, err := c.Kept(ctx, run)
			if err != nil {
				continue // it runs again, or is gone by now
			}
			parts, err := c.Parts(ctx, kept)
			if err != nil {
				return nil, err
			}
			for _, part := range parts {
				found = append(found, garbage{What: "part", Path: part.Path(), Bytes: part.Bytes, part: part})
			}
		}
	}
	return found, nil
}

// outputsOf are the folders of outputs of all batches and watches that Temporal knows.
func outputsOf(ctx context.Context, c *runs.Client) ([]string, error) {
	all, err := c.List(ctx, runs.Filter{Kinds: runs.KindsThat((*runs.Kind).HasReport)}, deleteMost)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var out []string
	for _, r := range all {
		if r.Sealed == nil && filepath.IsAbs(r.Output) && !seen[r.Output] {
			seen[r.Output] = true
			out = append(out, r.Output)
		}
	}
	return out, nil
}
