package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

// stdio names standard input, or standard output.
const stdio = "-"

// spoolFor is how long what came from standard input is kept for a run that nobody follows: longer than a run is tried.
const spoolFor = 8 * 24 * time.Hour

// spool is the folder where a conversion finds what came from standard input, and leaves what goes to standard output:
// workers read and write files. Its names are made of the content, so that the same command finds the same run. Nil is none.
type spool struct {
	root  string
	input string // what came from standard input; empty where nothing is read from there
	pour  bool
	made  []string // folders of outputs
}

// keepInput keeps what is read under a name made of its content.
func keepInput(root string, from io.Reader, format string) (path string, err error) {
	kept, err := os.CreateTemp(root, ".reading-*")
	if err != nil {
		return "", Usagef("keep standard input for the run: %w", err)
	}
	defer func() {
		_ = kept.Close()
		_ = os.Remove(kept.Name()) // it is at its place by now, or of no use
	}()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(kept, hash), io.LimitReader(from, client.MaxUploadBytes+1))
	switch {
	case err != nil:
		return "", Usagef("read standard input: %w", err)
	case n == 0:
		return "", Usagef("standard input is empty; there is nothing to convert")
	case n > client.MaxUploadBytes:
		return "", Usagef("standard input has more than %s, which is all that the API takes", term.Bytes(client.MaxUploadBytes))
	}
	path = filepath.Join(root, hex.EncodeToString(hash.Sum(nil)[:12]), "stdin."+format)
	err = errors.Join(kept.Sync(), os.MkdirAll(filepath.Dir(path), 0o700))
	if err == nil {
		err = os.Rename(kept.Name(), path)
	}
	if err != nil {
		return "", Usagef("keep standard input for the run: %w", err)
	}
	return path, nil
}

// oldSpools are what runs that nobody followed have left.
func oldSpools(root string, now time.Time) (found []string) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > spoolFor {
			found = append(found, filepath.Join(root, entry.Name()))
		}
	}
	return found
}

// source is the file of an input.
func (s *spool) source(path string) string {
	if s != nil && path == stdio {
		return s.input
	}
	return path
}

// pours reports whether the result goes to standard output.
func (s *spool) pours() bool { return s != nil && s.pour }

// outputs is the folder for what goes to standard output.
func (s *spool) outputs(source, format string) string {
	sum := sha256.Sum256([]byte(source))
	folder := filepath.Join(s.root, hex.EncodeToString(sum[:12])+"-"+format)
	s.made = append(s.made, folder)
	return folder
}
