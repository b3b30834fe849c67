package cli

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strings"

	"github.com/convilyn/convilyn-temporal/client/slot"
)

// parseValue reads what somebody typed as an answer. Only here can a path become a file: that of a slot of files, and
// @PATH for a slot whose type is not known.
func parseValue(s slot.Slot, text string) (json.RawMessage, error) {
	if s.Type == slot.File || strings.HasPrefix(text, "@") && !s.Type.Known() {
		return fileValue(text)
	}
	return s.Parse(text)
}

// fileIDPrefix begins the service's ids of files.
const fileIDPrefix = "file_"

// fileValue is a file:// URL or a file id, or a list of them where several stand with commas.
func fileValue(text string) (json.RawMessage, error) {
	if _, err := os.Stat(strings.TrimPrefix(text, "@")); err == nil || !strings.Contains(text, ",") {
		one, err := oneFile(text)
		if err != nil {
			return nil, err
		}
		return json.Marshal(one)
	}
	var many []string
	for part := range strings.SplitSeq(text, ",") {
		one, err := oneFile(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		many = append(many, one)
	}
	return json.Marshal(many)
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
