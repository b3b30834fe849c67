package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// parseValue reads what somebody typed as an answer to a question.
func parseValue(q questions.Question, text string) (json.RawMessage, error) {
	switch client.SlotType(q.Type) {
	case client.SlotChoice:
		return asJSON(choose(q, text))
	case client.SlotMultiChoice:
		return asJSON(chooseSeveral(q, text))
	case client.SlotNumber:
		n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fmt.Errorf("%q is not a number", text)
		}
		return asJSON(n, nil)
	case client.SlotBoolean:
		return asJSON(yesOrNo(text))
	case client.SlotDate:
		day, err := time.Parse(time.DateOnly, strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%q is not a date as YYYY-MM-DD", text)
		}
		return asJSON(day.Format(time.DateOnly), nil)
	case client.SlotFile:
		return fileValue(text)
	case client.SlotText:
		if q.Required && strings.TrimSpace(text) == "" {
			return nil, errors.New("the text is empty")
		}
		return asJSON(text, nil)
	}
	return looseValue(text)
}

func asJSON(value any, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("write the value: %w", err)
	}
	return data, nil
}

// looseValue reads a value of unknown type: @PATH is a file, what parses as JSON is JSON, the rest is a text.
func looseValue(text string) (json.RawMessage, error) {
	if strings.HasPrefix(text, "@") {
		return fileValue(text)
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return asJSON(text, nil)
}

// choose finds an option by value, label or number, in this order.
func choose(q questions.Question, text string) (string, error) {
	trimmed := strings.TrimSpace(text)
	for _, same := range []func(o activities.Option) bool{
		func(o activities.Option) bool { return o.Value == trimmed },
		func(o activities.Option) bool { return strings.EqualFold(o.Label, trimmed) },
		func(o activities.Option) bool { return strings.EqualFold(o.Value, trimmed) },
	} {
		if at := slices.IndexFunc(q.Options, same); at >= 0 {
			return q.Options[at].Value, nil
		}
	}
	if n, err := strconv.Atoi(trimmed); err == nil && n >= 1 && n <= len(q.Options) {
		return q.Options[n-1].Value, nil
	}
	if trimmed != "" && (q.FreeText != "" || len(q.Options) == 0) {
		return trimmed, nil
	}
	return "", fmt.Errorf("%q is not one of %s", text, optionList(q))
}

func optionList(q questions.Question) string {
	var values []string
	for i, option := range q.Options {
		if i == 20 {
			values = append(values, fmt.Sprintf("... (%d in all)", len(q.Options)))
			break
		}
		values = append(values, typable(q, option.Value))
	}
	if q.FreeText != "" {
		values = append(values, q.FreeText)
	}
	return strings.Join(values, ", ")
}

// typable is the shortest thing to type for an option: its label where that is one word and the option's alone, as
// file names are, and its value otherwise.
func typable(q questions.Question, value string) string {
	label, same := value, 0
	for _, option := range q.Options {
		if option.Value == value {
			label = option.Label
		}
	}
	for _, option := range q.Options {
		if option.Label == label {
			same++
		}
	}
	if same != 1 || strings.EqualFold(label, value) || label == "" || strings.ContainsAny(label, " ,\t\n") || len(label) > len(value) {
		return value
	}
	return label
}

func chooseSeveral(q questions.Question, text string) ([]string, error) {
	if one, err := choose(questions.Question{Options: q.Options, FreeText: ""}, text); err == nil && len(q.Options) > 0 {
		return []string{one}, nil
	}
	var parts []string
	if json.Unmarshal([]byte(text), &parts) != nil {
		parts = strings.Split(text, ",")
	}
	chosen := []string{}
	for _, part := range parts {
		if strings.TrimSpace(part) == "" {
			continue
		}
		value, err := choose(q, part)
		if err != nil {
			return nil, err
		}
		if slices.Contains(chosen, value) {
			return nil, fmt.Errorf("%q is chosen twice", value)
		}
		chosen = append(chosen, value)
	}
	if q.Required && len(chosen) == 0 {
		return nil, fmt.Errorf("choose at least one of %s", optionList(q))
	}
	return chosen, nil
}

func yesOrNo(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "yes", "y", "true", "on", "1":
		return true, nil
	case "no", "n", "false", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is not yes or no", text)
}

// fileIDPrefix begins the service's ids of files.
const fileIDPrefix = "file_"

// fileValue is a file:// URL or a file id, or a list of them where several stand with commas.
func fileValue(text string) (json.RawMessage, error) {
	if _, err := os.Stat(strings.TrimPrefix(text, "@")); err == nil || !strings.Contains(text, ",") {
		return asJSON(oneFile(text))
	}
	var many []string
	for part := range strings.SplitSeq(text, ",") {
		one, err := oneFile(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		many = append(many, one)
	}
	return asJSON(many, nil)
}

func oneFile(text string) (string, error) {
	path := strings.TrimPrefix(text, "@")
	if at, err := url.Parse(path); err == nil && at.Scheme == "file" {
		path = at.Path
	}
	if path == "" {
		return "", errors.New("no file is named")
	}
	absolute, err := readableFile(path)
	if err == nil {
		return fileURL(absolute), nil
	}
	if path == text && strings.HasPrefix(text, fileIDPrefix) && !strings.ContainsAny(text, "/.") {
		return text, nil
	}
	return "", err
}
