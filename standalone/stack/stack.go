// Package stack is Temporal, its web page, the conversion service, a worker and the inbox in one process, on one data
// folder. Processes on the same folder share one stack: the first one runs it, the others join it.
package stack

import (
	temporalclient "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/host"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
	"github.com/convilyn/convilyn-temporal/standalone/temporalserver"
)

// Namespace is the one of every stack.
const Namespace = temporalserver.Namespace

// Stack is one that this process runs, or has joined.
type Stack struct {
	At       Addresses
	Dir      string
	Keys     *sealing.Keys // nil where payloads are plain
	Logger   *zap.Logger
	Temporal temporalclient.Client
	// Listeners are all that this process listens with for the stack; none where another process runs it.
	Listeners []Listener
	// Service and Worker are nil where another process runs the stack; Service is nil with a remote API, too.
	Service *Service
	Worker  *host.Host

	metrics  *host.Metrics         // nil where another process runs the stack
	clock    *temporalserver.Clock // of Temporal; likewise
	access   string                // the access key; empty for a stack of a version that had none
	ownToken bool                  // the inbox has one
	owner    *fileLock             // nil where another process runs the stack
	undo     []func()              // in the order of starting
	notice   func(string)
}

// Joined reports whether another process runs the stack.
func (s *Stack) Joined() bool { return s.owner == nil }

// APIKey is what the local conversion service lets in.
func (s *Stack) APIKey() (string, error) { return APIKey(s.Dir) }

// OnClose has something done before everything that was started so far is ended.
func (s *Stack) OnClose(undo func()) { s.undo = append(s.undo, undo) }

// Close ends everything in the reverse order of starting. The owner of a stack that others use waits for them.
func (s *Stack) Close() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
	s.undo = nil
}

// TemporalOptions connect to the stack's Temporal as its owner.
func (s *Stack) TemporalOptions() temporalclient.Options {
	options := temporalclient.Options{HostPort: s.At.Temporal, Namespace: Namespace}
	datafolder.Present(&options, s.access)
	return options
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
