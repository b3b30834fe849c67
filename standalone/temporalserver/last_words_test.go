package temporalserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
)

// It ended a process without a word.
func TestLastWords(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		exit int
		want string
	}{
		"a port that is taken": {
			errors.New("address already in use"), 1,
			"Temporal's server cannot go on and ends this process: Failed to start gRPC listener: address already in use; what was accepted is kept, start again\n",
		},
		"no reason":                        {nil, 1, "Temporal's server cannot go on and ends this process: Failed to start gRPC listener; what was accepted is kept, start again\n"},
		"a service ended before it served": {fmt.Errorf("serve: %w", grpc.ErrServerStopped), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			code := 0
			logger := log.NewZapLogger(zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zap.WarnLevel),
				zap.WithFatalHook(lastWords{&stderr, func(c int) { code = c }})))

			var ended sync.WaitGroup
			ended.Go(func() { logger.Fatal("Failed to start gRPC listener", tag.Error(tt.err)) })
			ended.Wait()

			assert.Equal(t, tt.exit, code)
			assert.Equal(t, tt.want, stderr.String())
		})
	}
}
