package sandbox

import (
	"os/exec"
	"testing"
	"time"
)

// WithoutNamespaces lets a test see what happens where the system allows none.
func WithoutNamespaces(t *testing.T) {
	t.Helper()
	before := given
	t.Cleanup(func() { given = before })
	given = func() means { return means{} }
}

// StartFor starts a program with that much processor time.
func StartFor(c Command, cpu time.Duration) (*Process, error) {
	return start(c, cpu, func(*exec.Cmd) error { return nil })
}

// Verdict is the error of a program that has ended by itself.
func (p *Process) Verdict() error { return p.verdict(nil) }
