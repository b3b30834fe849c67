package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// fields is a JSON object whose members may go by several names. The first fault sticks.
type fields struct {
	members map[string]json.RawMessage
	err     error
}

func parseFields(data []byte) fields {
	var f fields
	if err := json.Unmarshal(data, &f.members); err != nil {
		f.err = err
	}
	return f
}

// get finds the first member that is present and not null.
func (f *fields) get(names ...string) (json.RawMessage, bool) {
	for _, name := range names {
		if raw, ok := f.members[name]; ok && !isNull(raw) {
			return raw, true
		}
	}
	return nil, false
}

func isNull(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

func (f *fields) into(v any, names ...string) bool {
	raw, ok := f.get(names...)
	if !ok {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		f.fail(names[0], err)
		return false
	}
	return true
}

func (f *fields) fail(name string, err error) {
	if f.err == nil {
		f.err = fmt.Errorf("field %s: %w", name, err)
	}
}

func (f *fields) text(names ...string) string {
	var s string
	f.into(&s, names...)
	return s
}

func (f *fields) textPointer(names ...string) *string {
	var s string
	if f.into(&s, names...) {
		return &s
	}
	return nil
}

// whole reads an integer that may be written as 42, 42.0 or "42".
func (f *fields) whole(names ...string) int64 {
	n, _ := f.wholeIfAny(names...)
	return n
}

func (f *fields) wholeIfAny(names ...string) (int64, bool) {
	raw, ok := f.get(names...)
	if !ok {
		return 0, false
	}
	token := strings.Trim(strings.TrimSpace(string(raw)), `"`)
	if n, err := strconv.ParseInt(token, 10, 64); err == nil {
		return n, true
	}
	x, err := strconv.ParseFloat(token, 64)
	if err != nil || math.IsNaN(x) || math.Abs(x) > 1<<53 {
		f.fail(names[0], fmt.Errorf("%.40q is not a whole number", token))
		return 0, false
	}
	return int64(math.Round(x)), true
}

func (f *fields) wholePointer(names ...string) *int {
	if n, ok := f.wholeIfAny(names...); ok {
		i := int(n)
		return &i
	}
	return nil
}

func (f *fields) flag(otherwise bool, names ...string) bool {
	f.into(&otherwise, names...)
	return otherwise
}

func (f *fields) time(names ...string) time.Time {
	text := f.text(names...)
	if text == "" {
		return time.Time{}
	}
	at, err := parseTime(text)
	if err != nil {
		f.fail(names[0], err)
	}
	return at
}

func (f *fields) timePointer(names ...string) *time.Time {
	if at := f.time(names...); !at.IsZero() {
		return &at
	}
	return nil
}

// parseTime reads RFC 3339 with or without fraction; without offset it is UTC.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
		if at, err := time.Parse(layout, text); err == nil {
			// Beyond these years a time has no RFC 3339 form to go out in.
			if at = at.UTC(); at.Year() >= 1 && at.Year() <= 9999 {
				return at, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is not an RFC 3339 time", text)
}

// fraction reads a progress: 42 is 42 %, 0.42 is too, and 1 is 1 % while 1.0 is all. Nil means not reported.
func (f *fields) fraction(names ...string) *float64 {
	raw, ok := f.get(names...)
	if !ok {
		return nil
	}
	token := strings.Trim(strings.TrimSpace(string(raw)), `"`)
	x, err := strconv.ParseFloat(token, 64)
	if err != nil || math.IsNaN(x) {
		f.fail(names[0], fmt.Errorf("%.40q is not a progress", token))
		return nil
	}
	if !strings.ContainsAny(token, ".eE") || x > 1 {
		x = math.Round(x) / 100
	}
	x = min(max(x, 0), 1)
	return &x
}

// fractionJSON always writes a decimal point, by which a reader knows a fraction from a percentage.
func fractionJSON(progress *float64) json.RawMessage {
	if progress == nil {
		return json.RawMessage("null")
	}
	text := strconv.FormatFloat(*progress, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return json.RawMessage(text)
}

// said is a text for people.
func (f *fields) said(names ...string) string { return secrets(nil).clean(f.text(names...)) }
