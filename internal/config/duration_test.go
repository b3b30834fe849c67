package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "3d": 72 * time.Hour, "1w": 7 * 24 * time.Hour, "1w2d": 9 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, "0": 0,
	} {
		t.Run(text, func(t *testing.T) {
			got, err := ParseDuration(text)

			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
	for _, text := range []string{"", "3", "d", "1.d", "3 d", "3days", "999999999w"} {
		t.Run("not "+text, func(t *testing.T) {
			_, err := ParseDuration(text)

			assert.ErrorContains(t, err, "is not a duration such as 90s, 1h30m, 3d or 1w")
		})
	}
}
