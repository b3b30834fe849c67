package stack

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// listenForInbox finds the inbox its place, and its secret where the configuration has none. Workers put both into answer
// links.
func listenForInbox(cfg *config.Config, dir string, port int) (net.Listener, error) {
	listener, err := loopback.Listen(port)
	if err != nil { // somebody was faster
		listener, err = loopback.Listen(0)
	}
	if err != nil {
		return nil, err
	}

	if cfg.InboxURL == "" {
		cfg.InboxURL = "http://" + listener.Addr().String()
	}
	if cfg.InboxSecret == "" {
		secret, err := keptSecret(filepath.Join(dir, "inbox.key"))
		if err != nil {
			_ = listener.Close()
			return nil, err
		}
		cfg.InboxSecret = config.Secret(secret)
	}
	return listener, nil
}

// keptSecret reads the secret in a file, or makes one and keeps it.
func keptSecret(path string) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // inside the data folder
	if secret := strings.TrimSpace(string(data)); err == nil && len(secret) >= config.SecretMin {
		return secret, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the inbox's secret: %w", err)
	}

	random := make([]byte, config.SecretMin)
	_, _ = rand.Read(random) // never fails
	secret := hex.EncodeToString(random)

	if err := renameio.WriteFile(path, []byte(secret+"\n"), 0o600, renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return "", fmt.Errorf("keep the inbox's secret: %w", err)
	}
	return secret, nil
}
