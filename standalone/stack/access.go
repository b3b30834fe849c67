package stack

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/login"
	"github.com/convilyn/convilyn-temporal/internal/private"
)

// ours is what a stack keeps in its data folder, with the temporary names of files that are being written.
var ours = private.Ours{
	"backend", "inbox", "batches", datafolder.RootsFile, datafolder.PortsFile, "stdin", "temporal.db*", "stack.log*", "stack-*.log", "*.lock", "*.key", addressesFile, clockFile,
	".*.key[0-9]*", "." + clockFile + "[0-9]*", "." + addressesFile + "[0-9]*", "." + datafolder.PortsFile + "[0-9]*",
}

// Exposed are files and folders of the data folder that others may use.
func Exposed(dir string) ([]private.Exposure, error) { return private.Exposed(dir, ours) }

// AccessKeyFile holds what lets the owner of a data folder in: at Temporal's frontend, its page and the inbox.
func AccessKeyFile(dir string) string { return filepath.Join(dir, datafolder.KeyFile) }

// AccessKey reads it; empty for the stack of a version that had none.
func AccessKey(dir string) (string, error) {
	key, err := private.ReadSecret(AccessKeyFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return key, err
}

// Links are the addresses by which the owner logs in to the inbox and to Temporal's page. An inbox with a token of its own gets
// no link.
func (s *Stack) Links() (inbox, page string) {
	inbox, page = s.At.Inbox, login.Link(s.At.UI, s.access)
	if !s.ownToken {
		inbox = login.Link(s.At.Inbox, s.access)
	}
	return inbox, page
}
