package backend

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// keyring knows the accepted keys by their hashes, which are also the names of the accounts.
type keyring struct {
	first    string
	accounts map[string]bool
}

func account(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:12])
}

func loadKeys(cfg Config) (keyring, error) {
	keys := cfg.Keys
	if len(keys) == 0 {
		key, err := loadSecret(filepath.Join(cfg.DataDir, "key"), "ck_local_", 24)
		if err != nil {
			return keyring{}, err
		}
		keys = []string{key}
	}
	ring := keyring{first: keys[0], accounts: map[string]bool{}}
	for _, key := range keys {
		ring.accounts[account(key)] = true
	}
	return ring, nil
}

// loadSecret reads a secret, or makes one and keeps it.
func loadSecret(path, prefix string, size int) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // inside the data folder
	if err == nil {
		if secret := strings.TrimSpace(string(data)); secret != "" {
			return secret, nil
		}
		return "", fmt.Errorf("%s is empty; remove it to have a new one made", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	random := make([]byte, size)
	_, _ = rand.Read(random) // never fails
	secret := prefix + hex.EncodeToString(random)
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return secret, nil
}

type accountKey struct{}

// accountOf is the caller of an authorised request.
func accountOf(ctx context.Context) string {
	name, _ := ctx.Value(accountKey{}).(string)
	return name
}

func (s *Service) authorised(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		name := account(strings.TrimSpace(key))
		if !ok || !s.keys.accounts[name] {
			writeError(w, http.StatusUnauthorized, "AUTH_REQUIRED", "This key is not accepted; send Authorization: Bearer ck_...", nil)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), accountKey{}, name)))
	}
}
