package manifest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// lines writes JSON lines under another name, and takes the final one when all are written.
type lines struct {
	path string
	file *os.File
	out  *bufio.Writer
	at   int64 // bytes so far
}

func createLines(path string) (*lines, error) { return createLinesIn(filepath.Dir(path), path) }

// createLinesIn writes in a folder of the batch what is to stand elsewhere: what a process that dies leaves of it is
// cleared away with the folder.
func createLinesIn(folder, path string) (*lines, error) {
	file, err := os.CreateTemp(folder, ".new-*")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &lines{path: path, file: file, out: bufio.NewWriterSize(file, 64<<10)}, nil
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

// commit puts the file in place, whole and on the disk.
func (l *lines) commit() error {
	err := errors.Join(l.out.Flush(), l.file.Chmod(0o644), l.file.Sync(), l.file.Close())
	if err == nil {
		err = os.Rename(l.file.Name(), l.path)
	}
	if err != nil {
		_ = os.Remove(l.file.Name())
		return fmt.Errorf("write %s: %w", l.path, err)
	}
	return nil
}

// discard forgets a file that was not committed; it may be nil.
func (l *lines) discard() {
	if l != nil {
		_ = l.file.Close()
		_ = os.Remove(l.file.Name())
	}
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

// readLine reads a line with its end and tells its length; of one that is too long only the length.
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

// ReadPage reads items of a plan between two offsets, as many as limit at most, and tells where the next page begins.
func ReadPage(planPath string, offset, end int64, limit int) (items []Item, next int64, err error) {
	file, err := os.Open(planPath) //nolint:gosec // a file of the batch
	if err != nil {
		return nil, offset, err
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
