package link_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/convilyn/convilyn-temporal/inbox/link"
)

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	now    = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
)

func TestAClaimComesBackUntilItExpires(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[ -~é–中]{1,40}`)
		claim := link.Claim{
			WorkflowID: word.Draw(t, "workflow"), SlotID: word.Draw(t, "slot"), Round: rapid.IntRange(1, 9).Draw(t, "round"), Asked: now.Add(-time.Nanosecond),
			Key: word.Draw(t, "key"), For: word.Draw(t, "for"), Expires: now.Add(time.Hour),
		}
		token := link.Sign(secret, claim)
		require.NotContains(t, token, "/")
		got, err := link.Verify(secret, token, now)
		require.NoError(t, err)
		require.Equal(t, claim, got)
		_, err = link.Verify(secret, token, now.Add(time.Hour))
		require.ErrorIs(t, err, link.ErrExpired)
	})
}

func TestAnyChangeIsForgery(t *testing.T) {
	token := link.Sign(secret, link.Claim{WorkflowID: "w", SlotID: "s", Round: 1, Key: "k", Expires: now.Add(time.Hour)})
	for i := range token {
		other := "A"
		if token[i] == 'A' {
			other = "B"
		}
		_, err := link.Verify(secret, token[:i]+other+token[i+1:], now)
		require.ErrorIs(t, err, link.ErrForged, "byte %d", i)
	}
	for _, bad := range []string{"", ".", "x", token + ".", strings.Repeat("a", 9<<10), token[:len(token)-1]} {
		t.Run(bad, func(t *testing.T) {
			_, err := link.Verify(secret, bad, now)
			require.ErrorIs(t, err, link.ErrForged)
		})
	}
	_, err := link.Verify([]byte("another secret, as long as this.."), token, now)
	require.ErrorIs(t, err, link.ErrForged)
	_, err = link.Verify(nil, token, now)
	require.ErrorIs(t, err, link.ErrForged)
}
