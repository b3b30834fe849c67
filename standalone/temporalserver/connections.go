package temporalserver

import (
	"net"
	"sync"
)

// connections is a listener that can close what it has accepted. Temporal's own workers leave their polls behind when they
// end, and the frontend waits a second for them.
type connections struct {
	net.Listener

	mu     sync.Mutex
	open   map[*connection]struct{}
	closed bool
}

func newConnections(listener net.Listener) *connections {
	return &connections{Listener: listener, open: map[*connection]struct{}{}}
}

// Accept gives connections that are closed already once closeAll was called.
func (c *connections) Accept() (net.Conn, error) {
	accepted, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	counted := &connection{Conn: accepted, of: c}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = accepted.Close()
	} else {
		c.open[counted] = struct{}{}
	}
	return counted, nil
}

// closeAll ends every connection, and those that come after it.
func (c *connections) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for counted := range c.open {
		_ = counted.Conn.Close()
	}
	clear(c.open)
}

type connection struct {
	net.Conn

	of *connections
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
