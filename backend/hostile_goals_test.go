package backend_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// asChild makes the test binary a child of the service: "real" with its own engines and goals, "hostile" with the
// goals below.
const asChild = "CONVILYN_TEST_AS_CHILD"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(asChild) {
	case "":
		goleak.VerifyTestMain(m)
		return
	case "real":
		err = backend.ServeEngines(context.Background(), os.Args[1], os.Stdin, os.Stdout)
	case "hostile":
		err = childproc.Serve(context.Background(), os.Stdin, os.Stdout, goals.Works(hostileGoals()...)...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

// inChildren has the service's engines and goals work in children.
func inChildren(t *testing.T, as string, limits sandbox.Limits) testkit.Option {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return func(c *backend.Config) {
		cache := pdfCache(t)
		c.Children = &childproc.Config{Path: self, Args: []string{cache}, Env: []string{asChild + "=" + as}, Limits: limits, Writes: []string{cache}}
	}
}

// hostileGoals are passes over files that were made to do harm.
func hostileGoals() []goals.Goal {
	var all []goals.Goal
	for id, run := range map[string]func(ctx context.Context, t *goals.Task) error{
		"letter":   letter,
		"eats":     func(context.Context, *goals.Task) error { return devour() },
		"grows":    func(_ context.Context, t *goals.Task) error { return grow(filepath.Join(t.Dir, "one"), 1<<14) },
		"recurses": func(_ context.Context, t *goals.Task) error { return fmt.Errorf("%d", descend(len(t.Dir))) },
		"spins":    func(context.Context, *goals.Task) error { return turn() },
		"panics":   func(context.Context, *goals.Task) error { panic("poisoned") },
		"litters":  litter,
		"leaves":   func(context.Context, *goals.Task) error { os.Exit(7); return nil }, //nolint:forbidigo // this is a main
		"waits":    waitInStep,
	} {
		goal := toy(id, run)
		goal.InChild = true
		all = append(all, goal)
	}
	return all
}

func devour() error {
	var all [][]byte
	for len(all) < 1<<16 {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i) | 1
		}
		all = append(all, block)
	}
	return fmt.Errorf("%d MB were to be had", len(all))
}

func grow(path string, megabytes int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	for range megabytes {
		if _, err := file.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
	}
	return file.Close()
}

func descend(depth int) int {
	if depth < 0 {
		return 0
	}
	return descend(depth+1) + len(strconv.Itoa(depth))
}

// turns keeps turn from being optimised away.
var turns int

func turn() error {
	for {
		turns++
	}
}

// litter writes ever more files into a step.
func litter(ctx context.Context, t *goals.Task) error {
	_, err := t.Step(ctx, "litter", func(_ context.Context, dir string) error {
		for i := range 1 << 14 {
			if err := grow(filepath.Join(dir, strconv.Itoa(i)), 1); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// waitInStep says in the job's folder who it is, and waits for its end.
func waitInStep(ctx context.Context, t *goals.Task) error {
	_, err := t.Step(ctx, "wait", func(_ context.Context, dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "half"), []byte(os.Getenv("CONVILYN_CALL")), 0o600); err != nil {
			return err
		}
		return os.Rename(filepath.Join(dir, "half"), filepath.Join(dir, "call"))
	})
	if err != nil {
		return err
	}
	_, err = t.Step(ctx, "never", func(context.Context, string) error { return turn() })
	return err
}
