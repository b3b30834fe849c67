// Package sealing encrypts what Temporal keeps of a run: inputs, results, signals, memos, heartbeats and failures.
package sealing

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
)

const (
	keySize     = 32      // bytes: AES-256
	maxFile     = 1 << 20 // bytes of a key file
	privateMode = 0o077   // what others may do
)

var keyID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Keys seal and open payloads. The first seals, all open. Nil and the zero Keys seal nothing and open nothing.
type Keys struct {
	ids   []string // in the order of the file
	aeads map[string]cipher.AEAD
	path  string
}

// Format keeps keys out of whatever prints.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "(keys)") }

// Sealer is the id of the key that seals; empty where payloads stay plain.
func (k *Keys) Sealer() string {
	if k == nil || len(k.ids) == 0 {
		return ""
	}
	return k.ids[0]
}

// Others are the ids of the keys that only open.
func (k *Keys) Others() []string {
	if k == nil || len(k.ids) == 0 {
		return nil
	}
	return k.ids[1:]
}

// Path is the file that the keys came from.
func (k *Keys) Path() string {
	if k == nil {
		return ""
	}
	return k.path
}

// Load reads a key file: one key a line, "ID BASE64", the first of which seals. Empty lines and those that begin with #
// say nothing. Its errors name the line, never what stands there.
func Load(path string) (*Keys, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name a file of keys", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&privateMode != 0 {
		return nil, fmt.Errorf("%s is open to others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB; it is not a key file", path)
	}
	keys, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	keys.path = path
	return keys, nil
}

func parse(data []byte) (*Keys, error) {
	keys := &Keys{aeads: map[string]cipher.AEAD{}}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxFile+1)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := keys.add(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys.ids) == 0 {
		return nil, errors.New(`it holds no key; make one with: echo "k1 $(head -c32 /dev/urandom | base64)"`)
	}
	return keys, nil
}

func (k *Keys) add(fields []string) error {
	if len(fields) != 2 {
		return errors.New("it is not of the form ID BASE64")
	}
	id := fields[0]
	if !keyID.MatchString(id) {
		return errors.New("its id is not of 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first")
	}
	if k.aeads[id] != nil {
		return fmt.Errorf("key id %s is there twice; an id must name one key for ever", id)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(fields[1])
	if err != nil { // which would show where
		return fmt.Errorf("the key of %s is not base64", id)
	}
	if len(key) != keySize {
		return fmt.Errorf("the key of %s has %d bytes; %d are needed", id, len(key), keySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("the key of %s: %w", id, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return fmt.Errorf("the key of %s: %w", id, err)
	}
	k.ids, k.aeads[id] = append(k.ids, id), aead
	return nil
}
