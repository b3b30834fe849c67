package stack

import (
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPortError_NamesTheCause(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		text string
	}{
		"taken":    {syscall.EADDRINUSE, "port 80 is taken; name another one with --inbox-port"},
		"reserved": {syscall.EACCES, "port 80 is not for this user; name another one with --inbox-port"},
	} {
		t.Run(name, func(t *testing.T) {
			err := &PortError{Name: "inbox", Port: 80, Err: fmt.Errorf("listen: %w", &net.OpError{Op: "listen", Err: row.err})}
			assert.Contains(t, err.Error(), row.text)
		})
	}
}
