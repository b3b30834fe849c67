package cli

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSetupRefusesWhatTemporalWould(t *testing.T) {
	var stdout, stderr bytes.Buffer
	env := Env{Program: "starter", Stdout: &stdout, Stderr: &stderr, Open: func(context.Context) (*Session, error) { return nil, errors.New("nobody is to be asked") }}
	assert.Equal(t, ExitUsage, Run(t.Context(), env, []string{"setup", "--create-namespace", "--retention", "1h"}))
	assert.Contains(t, stderr.String(), "--retention 1h0m0s: Temporal takes 24h at least")
	assert.Equal(t, ExitAPI, Run(t.Context(), env, []string{"setup"}))
	assert.Contains(t, stderr.String(), "nobody is to be asked")
	assert.Empty(t, stdout.String())
}
