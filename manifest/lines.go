package manifest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

// lines writes JSON lines to a temporary file, which takes its final name when all are written.
type lines struct {
	path string
	in   *folder
	file *renameio.PendingFile
	out  *bufio.Writer
	at   int64 // bytes so far
}

// createLines makes a file that is as readable as the folder that it is in.
func createLines(in *folder, name string) (*lines, error) {
	path := filepath.Join(in.path, name)
	info, err := in.stat(".")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	file, err := renameio.NewPendingFile(name, renameio.WithRoot(in.root), renameio.WithStaticPermissions(0o600|info.Mode().Perm()&0o044))
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, in.located(err))
	}
	return &lines{path: path, in: in, file: file, out: bufio.NewWriterSize(file, 64<<10)}, nil
}

func (l *lines) write(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a line of %s: %w", l.path, err)
	}
	n, err := l.out.Write(append(data, '\n'))
	l.at += int64(n)
	if err != nil {
		return fmt.Errorf("write %s: %w", l.path, err)
	}
	return nil
}

// commit gives the file its name, complete and on the disk.
func (l *lines) commit() error {
	err := l.out.Flush()
	if err == nil {
		err = l.in.located(l.file.CloseAtomicallyReplace())
	}
	if err != nil {
		l.discard()
		return fmt.Errorf("write %s: %w", l.path, err)
	}
	return nil
}

// discard removes a file that was not committed; it may be nil.
func (l *lines) discard() {
	if l != nil {
		_ = l.file.Cleanup()
	}
}

// removeTemp is for files whose writer has failed.
func removeTemp(err error, l *lines) error {
	if err != nil {
		l.discard()
	}
	return err
}

// Bounds of a line of what is read, in bytes.
const (
	maxLine    = 1 << 20  // of a manifest
	maxOwnLine = 64 << 20 // of plans and reports: a document may have very many pages, one output each
)

func errLongLine(limit int) error { return fmt.Errorf("it is longer than %d bytes", limit) }

// eachLine reads a file line by line with the offset of each. A line of more than limit bytes is passed over and told
// as a fault; what do is given is good until it returns.
func eachLine(r io.Reader, limit int, do func(number int, offset int64, line []byte, fault error) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	var offset int64
	for number := 1; ; number++ {
		length, err := readLine(in, limit, &line)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if length > 0 {
			var fault error
			if length > int64(limit) {
				fault = errLongLine(limit)
			}
			if doErr := do(number, offset, line, fault); doErr != nil {
				return doErr
			}
		}
		offset += length
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// readLine reads a line with its end and returns its length; a line that is too long is skipped.
func readLine(in *bufio.Reader, limit int, line *[]byte) (length int64, err error) {
	*line = (*line)[:0]
	for {
		chunk, err := in.ReadSlice('\n')
		length += int64(len(chunk))
		if length <= int64(limit) {
			*line = append(*line, chunk...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return length, err
		}
	}
}

// readLines decodes every line of a file of ours.
func readLines[T any](path string, yield func(offset int64, value T) error) error {
	file, err := os.Open(path) //nolint:gosec // a file of the batch
	if err != nil {
		return err
	}
	return readAll(file, path, yield)
}

// readAll closes the file.
func readAll[T any](file *os.File, path string, yield func(offset int64, value T) error) error {
	defer file.Close() //nolint:errcheck // read only
	return eachLine(file, maxOwnLine, func(number int, offset int64, line []byte, fault error) error {
		var value T
		if fault == nil {
			fault = json.Unmarshal(line, &value)
		}
		if fault != nil {
			return fmt.Errorf("%s line %d cannot be read: %w", path, number, fault)
		}
		return yield(offset, value)
	})
}

// Lines reads a whole report.
func Lines(path string, yield func(Line) error) error {
	return readLines(path, func(_ int64, line Line) error { return yield(line) })
}

// ReadPage reads items of a plan between two offsets, as many as limit at most, and returns the offset of the next page.
func (d Disk) ReadPage(planPath string, offset, end int64, limit int) (items []Item, next int64, err error) {
	in, name, err := d.batchFolder(planPath)
	if err != nil {
		return nil, offset, err
	}
	defer in.close()
	file, err := in.open(name)
	if err != nil {
		return nil, offset, planGone(err, planPath)
	}
	defer file.Close() //nolint:errcheck // read only
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, offset, fmt.Errorf("read %s: %w", planPath, err)
	}
	items, next = []Item{}, offset
	err = eachLine(file, maxOwnLine, func(_ int, at int64, line []byte, fault error) error {
		if len(items) == limit || offset+at >= end {
			return errEnough
		}
		var item Item
		if fault == nil {
			fault = json.Unmarshal(line, &item)
		}
		if fault != nil {
			return fmt.Errorf("%s cannot be read at byte %d: %w", planPath, offset+at, fault)
		}
		items = append(items, item)
		next = offset + at + int64(len(line))
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return items, next, err
}

var errEnough = errors.New("enough")

// pull reads values one by one; nil after the last, and where there is no file.
func pull[T any](in *folder, name string) (next func() (*T, error), stop func()) {
	file, err := in.open(name)
	if notThere(err) {
		return func() (*T, error) { return nil, nil }, func() {}
	}
	if err != nil {
		return func() (*T, error) { return nil, err }, func() {}
	}
	decoder := json.NewDecoder(file)
	return func() (*T, error) {
		if !decoder.More() {
			return nil, nil
		}
		var value T
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Join(in.path, name), err)
		}
		return &value, nil
	}, func() { _ = file.Close() }
}

// lineAt is where a line is.
type lineAt struct {
	file   int
	offset int64
}

const nowhere = -1 // instead of a file

// shelf reads single lines of many files and keeps few of them open: a batch of a million files has thousands of parts.
type shelf struct {
	in    *folder // nil where there are no files
	names []string
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
		return fmt.Errorf("read %s: %w", s.names[at.file], err)
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
	file, err := s.in.open(s.names[i])
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
	if s.in != nil {
		s.in.close()
	}
}

// planGone tells by an error of the file system whether the plan is there no more.
func planGone(err error, path string) error {
	if notThere(err) && !exists(path) {
		return fmt.Errorf("%w: %s was removed", ErrPlanMissing, filepath.Dir(path))
	}
	return err
}

// ErrPlanMissing reports that the plan of a batch has been removed under it, and with it the parts of its report.
var ErrPlanMissing = errors.New("the batch's plan is gone")
