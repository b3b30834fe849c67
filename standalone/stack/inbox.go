package stack

import (
	"path/filepath"

	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/private"
)

// configureInbox names the inbox, and its secret where the configuration has none. Workers put both into answer links.
func configureInbox(cfg *config.Config, dir, url string) error {
	if cfg.InboxURL == "" {
		cfg.InboxURL = url
	}
	if cfg.InboxSecret == "" {
		secret, err := private.Secret(filepath.Join(dir, "inbox.key"))
		if err != nil {
			return err
		}
		cfg.InboxSecret = config.Secret(secret)
	}
	return nil
}
