package option

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// inFile begins the value of a secret that names the file which holds it.
const inFile = "@"

// InFile is the value that stands for a secret in a file, wherever values are kept.
func InFile(path string) string { return inFile + path }

// FileOf is the file that a value names; false for a secret in clear.
func FileOf(value string) (path string, ok bool) { return strings.CutPrefix(value, inFile) }

// secrets are the names of options that are secrets.
var secrets = func() []string {
	var out []string
	for _, o := range known {
		if o.Type == Secret {
			out = append(out, o.Name)
		}
	}
	return out
}()

// Split divides values into those that may be shown and kept, and secrets. Either may be nil.
func (v Values) Split() (open, secret Values) {
	for name, value := range v {
		into := &open
		if slices.Contains(secrets, name) {
			into = &secret
		}
		if *into == nil {
			*into = Values{}
		}
		(*into)[name] = value
	}
	return open, secret
}

// InFiles refuses secrets in clear: what goes into histories, plans and command lines names files instead. Each name goes
// through resolve, which makes the path absolute, and reports what is wrong with the file.
func InFiles(given Values, resolve func(path string) (string, error)) (Values, error) {
	_, secret := given.Split()
	if len(secret) == 0 {
		return given, nil
	}
	out := maps.Clone(given)
	var faults []error
	for _, name := range secret.Names() {
		path, ok := FileOf(secret[name])
		if !ok || path == "" {
			faults = append(faults, fmt.Errorf("option %s: a password is not given in clear; %s=@FILE names a file that holds it", name, name))
			continue
		}
		path, err := resolve(path)
		if err != nil {
			faults = append(faults, fmt.Errorf("option %s: %w", name, err))
			continue
		}
		out[name] = InFile(path)
	}
	return out, errors.Join(faults...)
}

// ReadSecret reads the secret of a file: its first line, and there is no other. Errors do not repeat it.
func ReadSecret(file io.Reader) (string, error) {
	const most = 4*longestText + 2 // bytes, with the end of the line
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return "", fmt.Errorf("it cannot be read: %w", err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	return checkText(Option{Max: longestText}, text)
}
