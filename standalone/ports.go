package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// freePorts finds n ports that nobody listens on. They are let go at once, so another program may take one
// before we do; then the start fails and says which.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		listener, err := listen(0)
		if err != nil {
			return nil, err
		}
		defer listener.Close() //nolint:errcheck // held until all are found, so that they differ
		ports = append(ports, portOf(listener))
	}
	return ports, nil
}

// preferPort holds the wanted port, or a free one where it is taken. The caller lets go of it.
func preferPort(wanted int) (net.Listener, error) {
	listener, err := listen(wanted)
	if err != nil && wanted != 0 {
		return listen(0)
	}
	return listener, err
}

func listen(port int) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	return listener, nil
}

func portOf(listener net.Listener) int { return listener.Addr().(*net.TCPAddr).Port }
