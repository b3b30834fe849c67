package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/host"
)

// prepareInbox finds the inbox its place and its secret, which workers put into answer links.
func (s *stack) prepareInbox(cfg *config.Config, port int) error {
	listener, err := listen(port)
	if err != nil { // somebody was faster
		listener, err = listen(0)
	}
	if err != nil {
		return err
	}
	s.inbox = listener
	s.onClose(func() { _ = listener.Close() })
	s.at.Inbox = "http://" + listener.Addr().String()
	if cfg.InboxURL == "" {
		cfg.InboxURL = s.at.Inbox
	}
	if cfg.InboxSecret == "" {
		secret, err := keptSecret(filepath.Join(s.dir, "inbox.key"))
		if err != nil {
			return err
		}
		cfg.InboxSecret = config.Secret(secret)
	}
	return nil
}

func (s *stack) startInbox(cfg config.Config) error {
	stop, err := host.ServeInbox(cfg, host.InboxOptions{
		Listener: s.inbox, Temporal: s.client, Namespace: namespace, Files: filepath.Join(s.dir, "inbox"), Logger: s.logger.Named("inbox"),
		UI: s.at.UI,
	})
	if err != nil {
		return err
	}
	s.onClose(stop)
	return nil
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
	if err := os.WriteFile(path+".new", []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the inbox's secret: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", fmt.Errorf("keep the inbox's secret: %w", err)
	}
	return secret, nil
}
