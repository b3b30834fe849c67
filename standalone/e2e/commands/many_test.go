package commands

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
)

// Many commands at once on a data folder wait for the one that starts the stack. A stack that died has left its addresses, and
// somebody else listens there.
func TestManyCommandsAtOnce(t *testing.T) {
	testkit.SkipIfShort(t, "it starts many processes")
	t.Parallel()
	b := fixture.New(t)
	somebody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = somebody.Close() })
	go func() {
		for {
			conn, err := somebody.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	require.NoError(t, os.Mkdir(b.Data, 0o700))
	left, err := json.Marshal(stack.Addresses{PID: 1, Temporal: somebody.Addr().String()})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(b.Data, "stack.json"), left, 0o600))

	const many = 12
	inputs := b.Documents(many)
	var all sync.WaitGroup
	for _, input := range inputs {
		all.Go(func() {
			code, stdout, stderr := b.Run("convert", input, "--to", "html", "-o", b.Out)
			assert.Equal(t, cli.ExitOK, code, "%s%s", stdout, stderr)
		})
	}
	all.Wait()
	b.CheckOutputs(many)
}

// A port that was asked for is taken, or the stack does not start; those that were chosen stay the same.
func TestPorts(t *testing.T) {
	testkit.SkipIfShort(t, "it starts stacks")
	t.Parallel()
	b := fixture.New(t)
	listen := func() (net.Listener, int) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		return listener, listener.Addr().(*net.TCPAddr).Port
	}
	_, taken := listen()
	for _, name := range []string{"temporal", "ui", "api", "inbox"} {
		code, stdout, stderr := b.Run("up", "--"+name+"-port", fmt.Sprint(taken))
		assert.Equal(t, cli.ExitUsage, code)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, fmt.Sprintf("port %d is taken; name another one with --%s-port", taken, name))
	}
	code, _, stderr := b.Run("up", "--inbox-port", "99999")
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, stderr, "--inbox-port 99999 is no port; name one from 1 to 65535, or 0 for any free one")

	usual, port := listen()
	want := stack.Ports{Inbox: stack.Port{Usual: port}}
	var told []string
	open := func() *stack.Stack {
		o := b.Options(nil)
		o.Ports = want
		told = nil
		s, err := stack.Open(t.Context(), o, func(text string) { told = append(told, text) })
		require.NoError(t, err)
		return s
	}
	s := open()
	chosen := s.At.Inbox
	s.Close()
	assert.NotContains(t, chosen, fmt.Sprint(port))
	require.Len(t, told, 1)
	assert.Contains(t, told[0], fmt.Sprintf("not at the usual %d", port))

	require.NoError(t, usual.Close())
	s = open()
	assert.Equal(t, chosen, s.At.Inbox, "links that were given away lead there")
	assert.Len(t, told, 1)
	exposed, err := stack.Exposed(b.Data)
	require.NoError(t, err)
	assert.Empty(t, exposed)
	s.Close()
}
