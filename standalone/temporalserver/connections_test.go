package temporalserver

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

func TestConnections_AreClosedAtOnce(t *testing.T) {
	listener, err := loopback.Listen(0)
	require.NoError(t, err)
	connections := newConnections(listener)
	t.Cleanup(func() { _ = connections.Close() })
	connect := func() (caller, accepted net.Conn) {
		caller, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = caller.Close() })
		accepted, err = connections.Accept()
		require.NoError(t, err)
		return caller, accepted
	}
	isClosed := func(caller net.Conn, text string) {
		_, err := caller.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF, text)
	}

	waits, _ := connect()
	ended, accepted := connect()
	require.NoError(t, accepted.Close())
	isClosed(ended, "by the server")
	assert.Len(t, connections.open, 1)

	connections.closeAll()
	isClosed(waits, "that waited for an answer")
	late, _ := connect()
	isClosed(late, "that came later")
	assert.Empty(t, connections.open)
}
