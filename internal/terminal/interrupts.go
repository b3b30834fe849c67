package terminal

import (
	"os"
	"os/signal"
)

// Interrupts catches Ctrl-C from now on, until the process ends.
func Interrupts() <-chan os.Signal {
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, os.Interrupt)
	return caught
}
