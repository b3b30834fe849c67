// Package loopback chooses ports on this machine that nobody else can reach.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
)

// Host is where everything of a stack listens.
const Host = "127.0.0.1"

// EndPort is the first one that is not chosen. Those below it and from firstPort on are chosen from: they are below those
// that systems hand out to outgoing connections, one of which could take a port between its choice and its use.
const EndPort = 32_000

const firstPort = 20_000

// ownPorts is how many of them a process looks at first. Those of processes that start together differ, so that none takes
// what another has chosen and not yet used.
const ownPorts = 12

// handedOut keeps two stacks of one process, as tests have them, from choosing the same port.
var handedOut sync.Map

// Listen listens on a port of loopback; on any free one where it is 0.
func Listen(port int) (net.Listener, error) {
	if port != 0 {
		return listenOn(port)
	}

	const tries = 200
	err := errors.New("all are taken")
	for try := range tries {
		port = choose(os.Getpid(), try)
		if _, known := handedOut.LoadOrStore(port, true); known {
			continue
		}

		var listener net.Listener
		if listener, err = listenOn(port); err == nil {
			return listener, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}

func choose(process, try int) int {
	if try < ownPorts {
		return firstPort + (process*ownPorts+try)%(EndPort-firstPort)
	}
	return firstPort + rand.IntN(EndPort-firstPort) //nolint:gosec // spreads choices, guards nothing
}

func listenOn(port int) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(Host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return listener, nil
}

// Port is the port of a listener on TCP.
func Port(listener net.Listener) int { return listener.Addr().(*net.TCPAddr).Port }
