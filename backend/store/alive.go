package store

import (
	"fmt"
	"os"
	"strings"

	"github.com/google/renameio/v2"
)

// markFile says how the process that uses the folder is, or was last: the boot of the machine while it runs, and stopping
// once it was asked to end.
const markFile = "process"

const stopping = "stopping"

// Stopping notes that the process ends because it was asked to. Work that it does not bring to an end is not to blame, even
// where the process is killed while it waits for it.
func (s *Store) Stopping() error { return s.mark(stopping) }

func (s *Store) mark(text string) error {
	if err := renameio.WriteFile(s.path(markFile), []byte(text), 0o600); err != nil {
		return fmt.Errorf("note how the service is: %w", err)
	}
	return nil
}

// died reports whether the last process died by itself: it was not asked to end, and the machine was not started since.
func (s *Store) died() bool {
	mark, err := os.ReadFile(s.path(markFile))
	return err == nil && string(mark) == thisBoot()
}

// thisBoot is the same for all processes until the machine starts the next time; a constant where it is not known.
func thisBoot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "running"
	}
	return strings.TrimSpace(string(id))
}
