package link_test

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/inbox/link"
)

// FuzzVerify: nothing but what was signed is taken.
func FuzzVerify(f *testing.F) {
	good := link.Sign(secret, link.Claim{WorkflowID: "w", SlotID: "s", Key: "k", Expires: now.Add(time.Hour)})
	for _, seed := range []string{"", ".", good + ".", good[:len(good)-1], "e30." + good, "\x00.\xff"} {
		f.Add(seed, "w", "s")
	}
	f.Fuzz(func(t *testing.T, token, workflow, slot string) {
		if token != good {
			_, err := link.Verify(secret, token, now)
			require.ErrorIs(t, err, link.ErrForged)
		}
		if workflow == "" || slot == "" || !utf8.ValidString(workflow) || !utf8.ValidString(slot) || len(workflow)+len(slot) > 1000 {
			return
		}
		claim := link.Claim{WorkflowID: workflow, SlotID: slot, Key: "k", Expires: now.Add(time.Hour)}
		read, err := link.Verify(secret, link.Sign(secret, claim), now)
		require.NoError(t, err)
		require.Equal(t, claim, read)
	})
}
