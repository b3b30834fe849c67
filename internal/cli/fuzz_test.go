package cli

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/slot"
)

// FuzzAnswer: whatever is typed becomes JSON or a fault; a choice is always one of those offered.
func FuzzAnswer(f *testing.F) {
	for _, kind := range append(slot.Types(), "other") {
		f.Add(string(kind), "2")
		f.Add(string(kind), "Red, Green, dark")
		f.Add(string(kind), "@/no/such/file")
	}
	f.Add("number", "1e400")
	f.Add("number", "0x1p-2")
	f.Fuzz(func(t *testing.T, kind, text string) {
		q := question("q", slot.Type(kind))
		q.Options = colours
		value, err := parseValue(q.Slot, text)
		if err != nil {
			return
		}
		require.True(t, json.Valid(value), "%q", value)
		if kind == "choice" {
			var one string
			require.NoError(t, json.Unmarshal(value, &one))
			offered := false
			for _, option := range colours {
				offered = offered || option.Value == one
			}
			require.True(t, offered, "%q chose %q", text, one)
		}
	})
}
