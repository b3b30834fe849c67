package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
)

// KeyFile is the flag that stands for CONVILYN_ENCRYPTION_KEY_FILE.
type KeyFile struct{ path string }

// AddFlag adds it to every command.
func (k *KeyFile) AddFlag(root *cobra.Command) {
	root.PersistentFlags().StringVar(&k.path, "encryption-key-file", "", "encrypt what Temporal keeps, with the keys in this file")
}

// Getenv is the environment under the flag.
func (k *KeyFile) Getenv(getenv func(string) string) func(string) string {
	return func(name string) string {
		if name == config.EncryptionKeyFile && k.path != "" {
			return k.path
		}
		return getenv(name)
	}
}

// sealedID is the id of a run whose payloads are sealed. Ids stay plain, and would name the file.
func (s *Session) sealedID(id string) string {
	if s.Keys.Sealer() == "" {
		return id
	}
	kind, _, _ := strings.Cut(id, "-")
	sum := sha256.Sum256([]byte(id))
	return kind + "-" + hex.EncodeToString(sum[:12])
}

func sealingCheck(keys *sealing.Keys) Check {
	check := Check{Name: "encryption", OK: true, Detail: "off: Temporal keeps payloads as they are; --encryption-key-file seals them"}
	if id := keys.Sealer(); id != "" {
		check.Detail = fmt.Sprintf("payloads are sealed with key %s of %s", id, keys.Path())
		if others := keys.Others(); len(others) > 0 {
			check.Detail += "; opened with " + strings.Join(others, ", ") + ", too"
		}
	}
	return check
}

// readable is why the memo of a run cannot be read, and with it everything else; nil where it can.
func (s *Session) readable(r runs.Run) error {
	if r.Sealed == nil {
		return nil
	}
	_, err := s.Keys.Open(r.Sealed)
	return fmt.Errorf("read %s: %w", r.ID, err)
}
