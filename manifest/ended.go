package manifest

import (
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// EndedPlan is the folder of a plan whose report is written.
type EndedPlan struct {
	Folder string
	Bytes  int64
}

// Ended finds what batches have left that are over: in a place of state, and beside outputs. Both may be empty.
func Ended(state string, outputs []string, now time.Time) []EndedPlan {
	var patterns []string
	if state != "" {
		patterns = append(patterns, filepath.Join(escapeGlob(state), stateFolder, "*", "*", "*", endedFile))
	}
	for _, output := range outputs {
		patterns = append(patterns, filepath.Join(escapeGlob(output), workFolder, "*", "*", endedFile))
	}

	var found []EndedPlan
	for _, pattern := range patterns {
		marks, _ := filepath.Glob(pattern)
		for _, mark := range marks {
			info, err := os.Lstat(mark)
			if err != nil || now.Sub(info.ModTime()) <= pruneAfter {
				continue
			}
			folder := filepath.Dir(mark)
			found = append(found, EndedPlan{Folder: folder, Bytes: SizeOf(folder)})
		}
	}
	return found
}

// RemoveEnded removes the folder of a plan that Ended has found, and those above it that have nothing else.
func RemoveEnded(folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(folder)) // where it was the last of its name
	_ = os.Remove(filepath.Dir(filepath.Dir(folder)))
	return nil
}

// SizeOf adds up the files in a folder.
func SizeOf(folder string) (bytes int64) {
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil
	})
	return bytes
}
