package loopback

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An outgoing connection that was given a chosen port before it was listened on ended the whole process.
func TestPorts_AreBelowThoseOfOutgoingConnections(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 100 {
		listener, err := Listen(0)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, listener.Close()) })

		port := Port(listener)
		assert.False(t, seen[port], "chosen twice")
		assert.GreaterOrEqual(t, port, firstPort)
		assert.Less(t, port, EndPort)
		seen[port] = true
	}
}

// The ports of Temporal's parts are free for a moment between their choice and their use.
func TestPorts_OfProcessesThatStartTogetherDiffer(t *testing.T) {
	t.Parallel()
	owners := map[int]int{}
	for process := 4_000_000; process < 4_000_000+(EndPort-firstPort)/ownPorts; process++ {
		for try := range ownPorts {
			port := choose(process, try)
			require.Zero(t, owners[port], "it is of another process, too")
			owners[port] = process
		}
	}
}
