package run

import (
	"encoding/json"
	"fmt"
	"time"
)

// Duration is a time.Duration that is written as text: "90m", "72h".
type Duration time.Duration

// MarshalText writes "72h0m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads "72h".
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 {
		return fmt.Errorf("%q is not a duration such as 90m or 72h", text)
	}
	*d = Duration(parsed)
	return nil
}

// Encode is plain data as JSON. Data that does not encode would be a mistake of ours, and stops the run where it is.
func Encode(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// Cut shortens a text to so many bytes, and marks it where it does.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && text[limit]&0xC0 == 0x80 { // not in the middle of a character
		limit--
	}
	return text[:limit] + "…"
}
