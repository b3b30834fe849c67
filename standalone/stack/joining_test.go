package stack

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// A stack that is stopped takes connections and answers nothing: the kernel does the former.
func TestJoin_TellsOfAStackThatDoesNotAnswer(t *testing.T) {
	testkit.SkipIfShort(t, "it waits until somebody is told")
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	require.NoError(t, Addresses{PID: 4711, Temporal: listener.Addr().String()}.save(dir))
	user, err := tryLock(filepath.Join(dir, usersLock), syscall.LOCK_SH)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := make(chan string, 1)
	s := &Stack{Dir: dir, notice: func(text string) {
		told <- text
		cancel()
	}}
	defer s.Close()

	require.Error(t, s.join(ctx, user, nil))
	assert.Contains(t, <-told, "does not answer: process 4711, Temporal at "+listener.Addr().String())
}
