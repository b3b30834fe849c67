package goals

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// What steps leave in their folders for later passes, and the words that goals have in common.

func readLine(path string) string {
	data, err := os.ReadFile(path) //nolint:gosec // inside the job's own folder
	if err != nil {
		return ""
	}
	return string(data)
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from) //nolint:gosec // a stored upload
	if err != nil {
		return fmt.Errorf("read an input: %w", err)
	}
	return os.WriteFile(to, data, 0o600) //nolint:gosec // inside the job's own folder
}

const warningsFile = "warnings"

// keepWarnings keeps what a conversion lost beside its result, a line each.
func keepWarnings(dir, name string, warnings []string) error {
	if len(warnings) == 0 {
		return nil
	}
	lines := strings.Join(prefixed(name, warnings), "\n")
	return os.WriteFile(filepath.Join(dir, warningsFile), []byte(lines), 0o600)
}

// warn tells what a step has lost.
func (t *Task) warn(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, warningsFile)) //nolint:gosec // inside the job's own folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what a step has lost: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		t.Warnings = append(t.Warnings, strings.TrimSpace(line))
	}
	return nil
}

// stem is a file's name without its extension.
func stem(name string) string {
	if s := strings.TrimSuffix(name, filepath.Ext(name)); s != "" {
		return s
	}
	return name
}

// fileName makes a text one that every file system takes as a name; otherwise where nothing of it is left.
func fileName(text, otherwise string) string {
	text = strings.Trim(strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || strings.ContainsRune(`/\:*?"<>|`, r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)), " "), ". ")
	if runes := []rune(text); len(runes) > maxFileName {
		text = strings.TrimSpace(string(runes[:maxFileName]))
	}
	if text == "" {
		return otherwise
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("keep what a step has made: %w", err)
	}
	return os.WriteFile(path, data, 0o600)
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path) //nolint:gosec // inside the job's own folder
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("read what a step has made: %w", err)
	}
	return nil
}

// named puts a file's name into what was lost of it.
func prefixed(name string, warnings []string) []string {
	var out []string
	for _, w := range warnings {
		kind, said, found := strings.Cut(w, ": ")
		if !found {
			kind, said = "best_effort", w
		}
		out = append(out, kind+": "+name+": "+said)
	}
	return out
}

const maxFileName = 80
