// Package slot knows the types of slots: the questions at which a goal waits, and the JSON that answers them.
//
// Everything that depends on a type is one entry of the table in types.go: how an answer is checked, read from what
// a person types, shown, and asked for in a form. The package is pure and deterministic, so that a service, a
// workflow, a page and a command line can all use it.
package slot

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Type is the kind of answer that a slot takes. The set is open: a type that is not in the table takes any JSON.
type Type string

// Slot is a question, with all that bears on its answer.
type Slot struct {
	SlotID   string   `json:"slot_id"`
	Type     Type     `json:"type"`
	Text     string   `json:"text"`
	Options  []Option `json:"options,omitempty"`
	Required bool     `json:"required"`
	// FreeText, where set, says what may be answered beside the options.
	FreeText   string          `json:"free_text,omitempty"`
	Suggested  json.RawMessage `json:"suggested,omitempty"`
	Confidence *float64        `json:"confidence,omitempty"` // 0-1
	Previews   []Preview       `json:"previews,omitempty"`   // to be looked at before answering
	Bounds     Bounds          `json:"bounds,omitzero"`
}

// Option is one choice: the value to answer with and what people read.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// Preview is an artifact to be looked at before an answer is given. Links to it are minted when somebody looks.
type Preview struct {
	ArtifactID string `json:"artifact_id"`
	FileName   string `json:"file_name"`
	MimeType   string `json:"mime_type"`
}

// Bounds limit an answer beyond its type. Members that are not set limit nothing, and so do those that do not
// concern the slot's type.
type Bounds struct {
	Min       *float64 `json:"min,omitempty"` // of numbers and ratings
	Max       *float64 `json:"max,omitempty"`
	MinLength int      `json:"min_length,omitempty"` // of texts, in characters
	MaxLength int      `json:"max_length,omitempty"`
	Pattern   string   `json:"pattern,omitempty"` // of texts, in RE2; found anywhere unless it is anchored
	MaxItems  int      `json:"max_items,omitempty"`
}

// refuseNumber refuses a number that is out of bounds.
func (b Bounds) refuseNumber(n float64) error {
	if b.Min != nil && n < *b.Min || b.Max != nil && n > *b.Max {
		return fmt.Errorf("%s is not %s", decimal(n), b.span())
	}
	return nil
}

// span says from where to where numbers go; empty where they are not bounded.
func (b Bounds) span() string {
	switch {
	case b.Min != nil && b.Max != nil:
		return "from " + decimal(*b.Min) + " to " + decimal(*b.Max)
	case b.Min != nil:
		return "at least " + decimal(*b.Min)
	case b.Max != nil:
		return "at most " + decimal(*b.Max)
	}
	return ""
}

// refuseText refuses a text that is out of bounds.
func (b Bounds) refuseText(text string) error {
	length := utf8.RuneCountInString(text)
	switch pattern := b.pattern(); {
	case b.MinLength > 0 && length < b.MinLength, b.MaxLength > 0 && length > b.MaxLength:
		return fmt.Errorf("the text has %s; it must have %s", characters(length), b.lengths())
	case pattern != nil && !pattern.MatchString(text):
		return fmt.Errorf("%.80q does not match the pattern %.200s", text, b.Pattern)
	}
	return nil
}

// lengths says how long a text may be; empty where that is not bounded.
func (b Bounds) lengths() string {
	switch {
	case b.MinLength > 0 && b.MaxLength > 0:
		return fmt.Sprintf("from %d to %s", b.MinLength, characters(b.MaxLength))
	case b.MinLength > 0:
		return "at least " + characters(b.MinLength)
	case b.MaxLength > 0:
		return "at most " + characters(b.MaxLength)
	}
	return ""
}

// patternLimit bounds a pattern that is checked, in bytes.
const patternLimit = 1000

// pattern is nil where there is none, and where it is in another dialect than Go's: the service will judge then.
func (b Bounds) pattern() *regexp.Regexp {
	if b.Pattern == "" || len(b.Pattern) > patternLimit {
		return nil
	}
	compiled, err := regexp.Compile(b.Pattern)
	if err != nil {
		return nil
	}
	return compiled
}

// refuseItems refuses a list that is too long.
func (b Bounds) refuseItems(n int) error {
	if b.MaxItems > 0 && n > b.MaxItems {
		return fmt.Errorf("%d options are chosen; at most %d are allowed", n, b.MaxItems)
	}
	return nil
}

// PatternIgnored reports whether the pattern cannot be read here, and so is not checked.
func (b Bounds) PatternIgnored() bool { return b.Pattern != "" && b.pattern() == nil }

func characters(n int) string {
	if n == 1 {
		return "1 character"
	}
	return strconv.Itoa(n) + " characters"
}

// decimal writes a number without an exponent where it is short that way.
func decimal(n float64) string {
	text := strconv.FormatFloat(n, 'f', -1, 64)
	if len(text) > 20 {
		return strconv.FormatFloat(n, 'g', -1, 64)
	}
	return text
}

// scalar is a JSON string as it is, and any other JSON as written.
func scalar(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && !isNull(value) {
		return text
	}
	return string(value)
}

func isNull(value json.RawMessage) bool {
	trimmed := strings.TrimSpace(string(value))
	return trimmed == "" || trimmed == "null"
}

func same(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// quote is a text as JSON. What is not UTF-8 in it becomes the replacement character.
func quote(text string) json.RawMessage { return encode(strings.ToValidUTF8(text, "\uFFFD")) }

// quoteAll is a list of texts as JSON.
func quoteAll(texts []string) json.RawMessage {
	valid := make([]string, len(texts))
	for i, text := range texts {
		valid[i] = strings.ToValidUTF8(text, "\uFFFD")
	}
	return encode(valid)
}

// encode writes strings, numbers and lists of them, which can always be written.
func encode(value any) json.RawMessage {
	body, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return body
}
