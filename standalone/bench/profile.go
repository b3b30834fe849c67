package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
)

// profiled is the contestant with a profile of what this process computes meanwhile.
func (m *measurement) profiled(c contestant) contestant {
	if m.Profiles == "" {
		return c
	}
	name := strings.ReplaceAll(m.kind.name+"-"+c.name, " ", "-") + ".pprof"
	return contestant{c.name, func(ctx context.Context, t task) (*execution, error) {
		file, err := os.Create(filepath.Join(m.Profiles, name)) //nolint:gosec // the user's own folder
		if err != nil {
			return nil, fmt.Errorf("write a profile: %w", err)
		}
		defer file.Close() //nolint:errcheck // a profile that is cut says so when it is read
		if err := pprof.StartCPUProfile(file); err != nil {
			return nil, fmt.Errorf("write a profile: %w", err)
		}
		defer pprof.StopCPUProfile()
		return c.run(ctx, t)
	}}
}
