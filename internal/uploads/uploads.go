// Package uploads keeps files that came through the inbox for as long as a run may need them: while it is open and has an
// answer that names them. It keeps beside each file which runs that are.
package uploads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/manifest"
)

// notes in the folder of an upload holds one empty file for each run, named by its id.
const notes = ".runs"

// grace is how old an upload is before a run that knows nothing of it counts: its answer may still be on its way.
const grace = time.Hour

// folderOf is the folder of an upload that an answer names; empty where it names none of root.
func folderOf(root string, value json.RawMessage) string {
	var text string
	if root == "" || json.Unmarshal(value, &text) != nil {
		return ""
	}
	root, err := filepath.Abs(root)
	at, parseErr := url.Parse(text)
	if err != nil || parseErr != nil || at.Scheme != "file" {
		return ""
	}
	folder := filepath.Dir(filepath.FromSlash(at.Path))
	if filepath.Dir(folder) != root {
		return ""
	}
	return folder
}

func noteOf(folder, id string) string { return filepath.Join(folder, notes, url.PathEscape(id)) }

// Note remembers that runs are about to be given an answer. An answer that names no upload of root is nobody's.
func Note(root string, value json.RawMessage, ids ...string) error {
	folder := folderOf(root, value)
	if folder == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(folder, notes), 0o700); err != nil {
		return fmt.Errorf("note what an upload is for: %w", err)
	}
	for _, id := range ids {
		if err := os.WriteFile(noteOf(folder, id), nil, 0o600); err != nil {
			return fmt.Errorf("note what an upload is for: %w", err)
		}
	}
	return nil
}

// Refused removes an upload whose answer a run has not taken, unless another run may have.
func Refused(root string, value json.RawMessage, id string) {
	if folder := folderOf(root, value); folder != "" && os.Remove(noteOf(folder, id)) == nil {
		removeUnnoted(folder)
	}
}

func removeUnnoted(folder string) {
	if os.Remove(filepath.Join(folder, notes)) == nil { // it was empty
		_ = os.RemoveAll(folder)
	}
}

// Upload is one that nobody needs any more.
type Upload struct {
	Folder string
	Bytes  int64
}

// Remove removes it.
func (u Upload) Remove() error { return os.RemoveAll(u.Folder) }

// Unneeded looks for uploads that no run needs any more. One whose runs are not known, or cannot be asked, may be needed.
func Unneeded(ctx context.Context, c *runs.Client, root string, now time.Time) ([]Upload, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for uploads: %w", err)
	}
	var found []Upload
	for _, entry := range entries {
		folder := filepath.Join(root, entry.Name())
		info, err := entry.Info()
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < grace {
			continue
		}
		ids, err := os.ReadDir(filepath.Join(folder, notes))
		if err != nil {
			continue
		}
		needed := false
		for _, noted := range ids {
			id, err := url.PathUnescape(noted.Name())
			needed = needed || err != nil || needs(ctx, c, id, entry.Name())
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !needed {
			found = append(found, Upload{Folder: folder, Bytes: manifest.SizeOf(folder)})
		}
	}
	return found, nil
}

// needs reports whether a run may still read an upload.
func needs(ctx context.Context, c *runs.Client, id, name string) bool {
	d, err := c.Describe(ctx, id)
	switch {
	case errors.Is(err, runs.ErrNoSuchRun):
		return false
	case err != nil:
		return true
	case !d.Open():
		return false
	}
	ledger, err := c.Answers(ctx, id)
	if err != nil {
		return true
	}
	for _, receipt := range ledger {
		if strings.Contains(string(receipt.Value), "/"+name+"/") {
			return true
		}
	}
	return false
}
