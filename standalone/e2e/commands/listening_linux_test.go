package commands

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// What listens is in the table, or the table would guard what nobody reaches and leave out what everybody does.
func TestListeners_AreAllInTheTable(t *testing.T) {
	b := fixture.New(t)
	before := listening(t)
	s := openSealed(b, b.Keys(fixture.KeyLine("first")))

	known := map[string]bool{}
	for _, listener := range s.Listeners {
		known[listener.Addr] = true
	}
	for addr := range listening(t) {
		assert.True(t, before[addr] || known[addr], "%s listens and is not in the table", addr)
	}
}

// listens is the state of a socket in the kernel's tables.
const listens = "0A"

// listening are the addresses on which this process listens with TCP.
func listening(t *testing.T) map[string]bool {
	t.Helper()
	mine := map[string]bool{}
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "socket:[") {
			mine[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
		}
	}

	all := map[string]bool{}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		data, err := os.ReadFile(table)
		require.NoError(t, err)
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) > 9 && fields[3] == listens && mine[fields[9]] {
				all[address(t, fields[1])] = true
			}
		}
	}
	return all
}

// address reads the kernel's way to write one.
func address(t *testing.T, text string) string {
	t.Helper()
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	require.NoError(t, err)
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	number, err := strconv.ParseUint(port, 16, 16)
	require.NoError(t, err)
	return net.JoinHostPort(net.IP(raw).String(), fmt.Sprint(number))
}
