package manifest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const partsFolder = "parts"

// WritePart writes a part of a report, whole. Repeating it writes the same part.
func WritePart(folder, name string, entries []Entry) error {
	folder = filepath.Join(folder, partsFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // as readable as the outputs
		return fmt.Errorf("make the folder of the report: %w", err)
	}
	out, err := createLines(filepath.Join(folder, name+".jsonl"))
	if err != nil {
		return err
	}
	for i := range entries {
		if err := out.write(entries[i]); err != nil {
			return removeTemp(err, out)
		}
	}
	return out.commit()
}

// parts are the files of the parts, oldest first.
func parts(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(folder, partsFolder))
	if notThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the parts of the report: %w", err)
	}
	var out []string
	for _, entry := range entries { // sorted by name
		if name := entry.Name(); strings.HasSuffix(name, ".jsonl") && !strings.HasPrefix(name, ".") {
			out = append(out, filepath.Join(folder, partsFolder, name))
		}
	}
	return out, nil
}

// lineAt is where a line is.
type lineAt struct {
	file   int
	offset int64
}

const nowhere = -1 // instead of a file

// shelf reads single lines of many files and keeps few of them open: a batch of a million files has thousands of parts.
type shelf struct {
	paths []string
	open  map[int]*os.File
	used  []int // the open ones, the one that was used last at the end
}

const shelfOpen = 16

func (s *shelf) read(at lineAt, into any) error {
	file, err := s.file(at.file)
	if err != nil {
		return fmt.Errorf("read a part of the report: %w", err)
	}
	if err := json.NewDecoder(io.NewSectionReader(file, at.offset, maxOwnLine)).Decode(into); err != nil {
		return fmt.Errorf("read %s: %w", s.paths[at.file], err)
	}
	return nil
}

func (s *shelf) file(i int) (*os.File, error) {
	if at := slices.Index(s.used, i); at >= 0 {
		s.used = append(slices.Delete(s.used, at, at+1), i)
		return s.open[i], nil
	}
	if len(s.used) == shelfOpen {
		_ = s.open[s.used[0]].Close()
		delete(s.open, s.used[0])
		s.used = slices.Delete(s.used, 0, 1)
	}
	file, err := os.Open(s.paths[i])
	if err != nil {
		return nil, err
	}
	if s.open == nil {
		s.open = map[int]*os.File{}
	}
	s.open[i], s.used = file, append(s.used, i)
	return file, nil
}

func (s *shelf) close() {
	for _, file := range s.open {
		_ = file.Close()
	}
}
