package client

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// partFile is a file that grows over several attempts, with the hash of what it has.
//
// Notes are kept beside it: the ETag of the content, the SHA-256 that the storage has announced, if any, and then a line for
// each stretch with the size so far and the SHA-256 of it. After a crash or a power cut, only bytes that match the notes are
// used.
type partFile struct {
	file     *os.File
	in       folder
	path     string // in the folder
	size     int64
	etag     string
	promised [][]byte // SHA-256 of the complete file; a reply with a range need not repeat it
	hash     hash.Hash
	notes    *os.File // nil where the content has no ETag to go by
	recorded int64    // bytes that the notes cover
}

const (
	recordEvery = 256 << 10 // bytes: as much is fetched twice after a crash
	notesLimit  = 16 << 20  // bytes of notes that are read: far more than the largest result has
	etagLimit   = 1 << 10   // bytes of an ETag that is kept

	promiseMark = "whole " // begins the lines of what was announced
)

var errPartWrite = errors.New("write the download to disk")

func partError(err error) error { return fmt.Errorf("%w: %w", errPartWrite, err) }

func etagPath(path string) string { return path + ".etag" }

// openPart takes up what an earlier attempt left, if it is known which content it belongs to. A part that is
// as long as the file keeps all but its last byte, so that there is something to ask for by ETag.
func openPart(in folder, path string, fileSize int64) (*partFile, error) {
	file, err := createPart(in, path)
	if err != nil {
		return nil, partError(err)
	}
	p := &partFile{file: file, in: in, path: path, hash: sha256.New()}
	notes, err := in.OpenFile(etagPath(path), os.O_RDWR|noFollow, 0)
	if err != nil {
		return p, nil //nolint:nilerr // without it the part is fetched again
	}
	if info, err := notes.Stat(); err != nil || !isSoleName(info) {
		_ = notes.Close()
		return p, nil //nolint:nilerr // likewise
	}
	p.notes = notes
	if !p.resume(fileSize) {
		p.size, p.etag, p.promised, p.recorded = 0, "", nil, 0
		p.hash.Reset()
	}
	return p, nil
}

// createPart opens a part. One that is some other file by another name, too, is left to that name: a part is cut to
// nothing before it is written.
func createPart(in folder, path string) (*os.File, error) {
	file, err := in.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o666)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, errors.Join(err, file.Close())
	case !info.Mode().IsRegular():
		return nil, errors.Join(fmt.Errorf("%s is not a regular file; remove it", path), file.Close())
	case isSoleName(info):
		return file, nil
	}
	if err := errors.Join(file.Close(), ignoreMissing(in.Remove(path))); err != nil {
		return nil, err
	}
	return in.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|noFollow, 0o666)
}

// isSoleName reports whether a file is regular and has no other hard link.
func isSoleName(info fs.FileInfo) bool {
	stat, known := info.Sys().(*syscall.Stat_t)
	return info.Mode().IsRegular() && (!known || stat.Nlink <= 1)
}

// resume keeps the bytes that match the notes, and reports whether there are any.
func (p *partFile) resume(fileSize int64) bool {
	in := bufio.NewReader(io.LimitReader(p.notes, notesLimit))
	keep := p.readHead(in) // of the notes
	if keep == 0 {
		return false
	}
	var hashed int64
	for {
		line, err := in.ReadString('\n')
		var size int64
		var sum string
		if n, _ := fmt.Sscanf(line, "%d %64s\n", &size, &sum); err != nil || n != 2 || size <= p.size {
			break
		}
		n, err := io.CopyN(p.hash, p.file, size-p.size)
		hashed += n
		if err != nil || hex.EncodeToString(p.hash.Sum(nil)) != sum {
			break
		}
		keep += int64(len(line))
		p.size, p.recorded = size, size
		if fileSize > 0 && size >= fileSize {
			p.size = fileSize - 1
			break
		}
	}
	if p.size == 0 || p.notes.Truncate(keep) != nil {
		return false
	}
	if _, err := p.notes.Seek(keep, io.SeekStart); err != nil {
		return false
	}
	return hashed == p.size || p.rehash()
}

// readHead reads what the notes say before the stretches, and how many bytes that is; 0 where there is no ETag to go by.
func (p *partFile) readHead(in *bufio.Reader) (length int64) {
	line, err := in.ReadString('\n')
	etag := strings.TrimSuffix(line, "\n")
	if err != nil || !strongETag(etag) {
		return 0
	}
	p.etag, length = etag, int64(len(line))
	for {
		if mark, _ := in.Peek(len(promiseMark)); string(mark) != promiseMark {
			return length
		}
		line, _ := in.ReadString('\n')
		length += int64(len(line))
		if whole, err := hex.DecodeString(strings.TrimSuffix(line[len(promiseMark):], "\n")); err == nil && len(whole) == sha256.Size {
			p.promised = append(p.promised, whole)
		}
	}
}

// rehash hashes what is kept once more, after more than that was looked at.
func (p *partFile) rehash() bool {
	p.hash.Reset()
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return false
	}
	_, err := io.CopyN(p.hash, p.file, p.size)
	return err == nil
}

// strongETag reports whether an ETag is a strong one that can be sent back as it came.
func strongETag(etag string) bool {
	inner, opened := strings.CutPrefix(etag, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	return opened && closed && len(etag) <= etagLimit && strings.IndexFunc(inner, func(r rune) bool { return r <= ' ' || r == '"' || r == 0x7f }) < 0
}

func (p *partFile) close() {
	_ = p.file.Close()
	p.dropNotes()
}

func (p *partFile) dropNotes() {
	if p.notes != nil {
		_ = p.notes.Close()
		p.notes = nil
	}
}

// restart begins again at byte 0 with content of this ETag. A weak ETag does not identify bytes and is not kept.
func (p *partFile) restart(etag string, promised [][]byte) error {
	p.size, p.etag, p.promised, p.recorded = 0, "", promised, 0
	p.hash.Reset()
	p.dropNotes()
	if err := p.file.Truncate(0); err != nil {
		return partError(err)
	}
	if !strongETag(etag) {
		return ignoreMissing(p.in.Remove(etagPath(p.path)))
	}
	// A file of its own in the place of what is there, and never through a link that somebody has put there.
	if err := ignoreMissing(p.in.Remove(etagPath(p.path))); err != nil {
		return partError(err)
	}
	notes, err := p.in.OpenFile(etagPath(p.path), os.O_RDWR|os.O_CREATE|os.O_EXCL|noFollow, 0o600)
	if err != nil {
		return partError(err)
	}
	p.notes, p.etag = notes, etag
	head := etag + "\n"
	for _, whole := range promised {
		head += promiseMark + hex.EncodeToString(whole) + "\n"
	}
	if _, err := notes.WriteString(head); err != nil {
		return partError(err)
	}
	return nil
}

// record notes down what the part has.
func (p *partFile) record() error {
	if p.notes == nil || p.size <= p.recorded {
		return nil
	}
	if _, err := fmt.Fprintf(p.notes, "%d %x\n", p.size, p.hash.Sum(nil)); err != nil {
		return partError(err)
	}
	p.recorded = p.size
	return nil
}

// reject drops the part, so that the next attempt starts from nothing.
func (p *partFile) reject(why error) error {
	_ = p.restart("", nil)
	return &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Sent: true, Err: why}
}

func (p *partFile) copy(from io.Reader, moved func(size int64)) error {
	if _, err := p.file.Seek(p.size, io.SeekStart); err != nil {
		return partError(err)
	}
	buffer := make([]byte, 64<<10)
	for {
		n, readErr := from.Read(buffer)
		if n > 0 {
			if _, err := p.file.Write(buffer[:n]); err != nil {
				return partError(err)
			}
			p.hash.Write(buffer[:n])
			p.size += int64(n)
			moved(p.size)
		}
		if p.size-p.recorded >= recordEvery || readErr != nil {
			if err := p.record(); err != nil {
				return err
			}
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

// sync cuts what a longer part may have held, and reaches the disk.
func (p *partFile) sync() error {
	if err := errors.Join(p.file.Truncate(p.size), p.file.Sync()); err != nil {
		return partError(err)
	}
	return nil
}
