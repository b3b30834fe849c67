package vips

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// strippers take what a picture says of itself out of a file, and leave pixels and colours as they are. libvips 8.14 leaves out the
// colour profile with the rest, and nothing of a WebP. They hold a piece of the file at a time: this is the service's own process.
var strippers = map[string]func(*bufio.Reader, io.Writer) error{"jpg": stripJPEG, "png": stripPNG, "webp": stripWebP}

// strippable reports whether metadata can be left out of a format without its colour profile.
func strippable(format string) bool { return strippers[format] != nil }

// strip leaves out what a picture says of itself.
func strip(path, format string) error {
	take := strippers[format]
	if take == nil {
		return nil
	}
	from, err := os.Open(path) //nolint:gosec // paths of our own
	if err != nil {
		return nil //nolint:nilerr // nothing was made, which is told elsewhere
	}
	made := path + ".stripped"
	err = errors.Join(stripInto(made, from, take, format), from.Close())
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return fmt.Errorf("write the picture without its metadata: %w", err)
	}
	return nil
}

func stripInto(path string, from io.Reader, take func(*bufio.Reader, io.Writer) error, format string) (err error) {
	to, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // paths of our own
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()

	in, out := bufio.NewReader(from), bufio.NewWriter(to)
	if err := take(in, out); err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil { // what follows is pixels, or of no known kind
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if format == "webp" {
		return patchRIFF(to)
	}
	return nil
}

// stripJPEG keeps of the segments before the picture those that say how it is coded, and its colour profile.
func stripJPEG(in *bufio.Reader, out io.Writer) error {
	const start, head, longestName, startOfScan = 2, 4, 11, 0xDA
	const firstApp, lastApp, comment = 0xE0, 0xEF, 0xFE
	if err := pass(in, out, start); err != nil {
		return err
	}
	for {
		seen, _ := in.Peek(head + longestName)
		if len(seen) < head || seen[0] != 0xFF || seen[1] == startOfScan {
			return nil
		}
		kind, body := seen[1], seen[head:]
		drop := kind == comment
		if kind >= firstApp && kind <= lastApp {
			drop = !bytes.HasPrefix(body, []byte("JFIF")) && !bytes.HasPrefix(body, []byte("ICC_PROFILE")) && !bytes.HasPrefix(body, []byte("Adobe"))
		}
		if err := pass(in, kept(out, !drop), 2+int64(binary.BigEndian.Uint16(seen[2:]))); err != nil {
			return err
		}
	}
}

func stripPNG(in *bufio.Reader, out io.Writer) error {
	const signature, head, around = 8, 8, 12 // length and type, and a checksum
	if err := pass(in, out, signature); err != nil {
		return err
	}
	for {
		seen, _ := in.Peek(head)
		if len(seen) < head {
			return nil
		}
		drop := slices.Contains([]string{"eXIf", "tEXt", "zTXt", "iTXt", "tIME"}, string(seen[4:]))
		if err := pass(in, kept(out, !drop), around+int64(binary.BigEndian.Uint32(seen))); err != nil {
			return err
		}
	}
}

const riffHead = 12 // RIFF, the length of what follows the first eight bytes, WEBP

func stripWebP(in *bufio.Reader, out io.Writer) error {
	const head, flags = 8, 8
	const saysMetadata = 0x08 | 0x04 // EXIF, XMP
	if err := pass(in, out, riffHead); err != nil {
		return err
	}
	for {
		seen, _ := in.Peek(head + 1)
		if len(seen) < head {
			return nil
		}
		kind, size := string(seen[:4]), int64(binary.LittleEndian.Uint32(seen[4:]))
		if kind == "VP8X" && size > 0 && len(seen) > flags {
			seen[flags] &^= saysMetadata // in the reader's own buffer, from which it is passed on
		}
		if err := pass(in, kept(out, kind != "EXIF" && kind != "XMP "), head+size+size%2); err != nil {
			return err
		}
	}
}

// patchRIFF sets the length that a WebP tells of itself.
func patchRIFF(file *os.File) error {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end < riffHead {
		return err
	}
	_, err = file.WriteAt(binary.LittleEndian.AppendUint32(nil, uint32(end-8)), 4) //nolint:gosec // shorter than what it was read from
	return err
}

func kept(out io.Writer, keep bool) io.Writer {
	if keep {
		return out
	}
	return io.Discard
}

// pass copies so many bytes, or those that there are.
func pass(in io.Reader, out io.Writer, n int64) error {
	if _, err := io.CopyN(out, in, n); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
