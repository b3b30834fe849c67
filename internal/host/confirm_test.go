package host

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
)

func TestConfirmPolicy_asksWhereSomebodyElseMayCharge(t *testing.T) {
	for name, test := range map[string]struct {
		base    string
		private bool
		set     string
		policy  string
	}{
		"the hosted service":              {client.DefaultBaseURL, false, "", "ask"},
		"the hosted service, unattended":  {client.DefaultBaseURL, false, "auto", "auto"},
		"the embedded service":            {"http://127.0.0.1:41234", false, "", "auto"},
		"localhost":                       {"http://localhost:8080", false, "", "auto"},
		"localhost, a way to the service": {"http://localhost:8080", false, "ask", "ask"},
		"IPv6":                            {"http://[::1]:8080", false, "", "auto"},
		"a declared private host":         {"http://backend:8080", true, "", "auto"},
		"a private host that is not":      {"https://10.0.0.7", false, "", "ask"},
		"a name that only begins like it": {"https://localhost.example.org", false, "", "ask"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Config{BaseURL: test.base, PrivateHost: test.private, APIKey: "ck_test_key", Confirm: test.set}
			api, err := cfg.API()
			require.NoError(t, err)
			assert.Equal(t, test.policy, confirmPolicy(cfg, api))
		})
	}
}
