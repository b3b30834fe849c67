package temporalserver

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
)

// lastWords has people read why Temporal's server ends the process, which it does with a line in its log alone.
type lastWords struct {
	stderr io.Writer
	exit   func(code int)
}

func (w lastWords) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	text := entry.Message
	for _, field := range fields {
		err, is := field.Interface.(error)
		if !is {
			continue
		}
		if errors.Is(err, grpc.ErrServerStopped) { // before it began to serve, such as by Ctrl-C
			runtime.Goexit()
		}
		text += ": " + err.Error()
	}
	_, _ = fmt.Fprintf(w.stderr, "Temporal's server cannot go on and ends this process: %s; what was accepted is kept, start again\n", text)
	w.exit(1)
}
