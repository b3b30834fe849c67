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
	"backend", "inbox", "temporal.db*", "stack.log*", "*.lock", "*.key", addressesFile,
	".*.key[0-9]*", "." + addressesFile + "[0-9]*",
}

// Exposed are files and folders of the data folder that others may use.
func Exposed(dir string) ([]string, error) { return private.Exposed(dir, ours) }

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

// Guard is how something that listens refuses strangers.
type Guard string

// Everybody on this machine can reach what listens on loopback, and so can pages in the owner's browser.
const (
	GuardKey         Guard = "access key"  // gRPC, with authorization: Bearer
	GuardCertificate Guard = "certificate" // TLS both ways, with a certificate that is in one process alone
	GuardLogin       Guard = "login"       // HTTP, under names of this machine, with a cookie or authorization: Bearer
	GuardAPIKey      Guard = "API key"     // HTTP, with the key of the local service, or a signed link
)

// Listener is something that a stack listens with.
type Listener struct {
	Name, Addr string
	Guard      Guard
}

func (s *Stack) listens(name, addr string, guard Guard) {
	s.Listeners = append(s.Listeners, Listener{Name: name, Addr: addr, Guard: guard})
}
