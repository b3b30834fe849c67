package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An outgoing connection that was given a chosen port before it was listened on ended the whole process.
func TestPortsAreNotThoseOfOutgoingConnections(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 20 {
		ports, err := freePorts(5)
		require.NoError(t, err)
		for _, port := range ports {
			assert.False(t, seen[port], "chosen twice")
			assert.GreaterOrEqual(t, port, firstPort)
			assert.Less(t, port, lastPort)
			seen[port] = true
		}
	}
	taken, err := listen(0)
	require.NoError(t, err)
	defer taken.Close()
	other, err := preferPort(portOf(taken))
	require.NoError(t, err)
	defer other.Close()
	assert.NotEqual(t, portOf(taken), portOf(other))
}
