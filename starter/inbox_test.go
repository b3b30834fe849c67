package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/cli"
)

func TestInboxesThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		address string
		env     map[string]string
		says    string
	}{
		"open to others without a token": {"0.0.0.0:8240", nil, "0.0.0.0:8240 can be reached from other machines and needs a token; set CONVILYN_INBOX_TOKEN"},
		"no address":                     {"nowhere", nil, `"nowhere" is not host:port`},
		"bad settings":                   {"127.0.0.1:0", map[string]string{"CONVILYN_INBOX_SECRET": "short"}, "CONVILYN_INBOX_SECRET: it has 5 characters; 32 are needed"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout bytes.Buffer
			err := (&starter{getenv: func(name string) string { return test.env[name] }}).serveInbox(t.Context(), test.address, "", &stdout, false)
			var failure *cli.Failure
			require.ErrorAs(t, err, &failure, name)
			assert.Equal(t, cli.ExitUsage, failure.Code, name)
			assert.Contains(t, err.Error(), test.says, name)
			assert.Empty(t, stdout.String(), name)
		})
	}
}
