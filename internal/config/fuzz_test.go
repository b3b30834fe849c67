package config

import (
	"math"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

// FuzzLoad: any value of any variable is within its bounds or refused by the variable's name, and secrets do not show.
func FuzzLoad(f *testing.F) {
	all := Variables()
	for i, v := range all {
		for _, value := range []string{v.Default, "7", "NaN", "-1s", "off", "https://u:canary@h/?canary#x", "wss://h", "\x00\x1b[2J", "1e400", "9999999999h", strings.Repeat("c", 40)} {
			f.Add(byte(i), value)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, value string) {
		v := all[int(which)%len(all)]
		if strings.HasSuffix(v.Name, "_FILE") {
			value = "/nowhere/" + value
		}
		c, err := load(v.Name, value)
		if err != nil {
			require.Contains(t, err.Error(), v.Name)
			if strings.Contains(v.Name, "SECRET") || strings.Contains(v.Name, "WEBHOOK") || strings.Contains(v.Name, "GOTENBERG") {
				require.False(t, len(value) > 12 && strings.Contains(err.Error(), value), "%v", err)
			}
			for _, r := range err.Error() { // a path is shown as the operator wrote it
				require.False(t, unicode.IsControl(r) && r != '\n' && v.Name != EncryptionKeyFile, "%q", err)
			}
			return
		}
		require.True(t, c.APIRate >= 0 && c.APIRate <= 1e6 && !math.IsNaN(c.APIRate), "a rate of %v", c.APIRate)
		require.True(t, c.MaxActivities >= 1 && c.MaxActivities <= 1000)
		require.True(t, c.PollInterval >= 200*time.Millisecond && c.PollInterval <= time.Minute)
		require.True(t, c.StopTimeout >= time.Second && c.StopTimeout <= time.Hour)
		require.Contains(t, []string{"json", "console"}, c.LogFormat)
		for _, address := range []string{c.EventsURL, c.InboxURL, string(c.WebhookURL), string(c.GotenbergURL)} {
			if address != "" {
				u, err := url.Parse(address)
				require.NoError(t, err)
				require.NotEmpty(t, u.Host)
			}
		}
		if c.HTTPAddr != "" {
			_, _, err := net.SplitHostPort(c.HTTPAddr)
			require.NoError(t, err)
		}
	})
}
