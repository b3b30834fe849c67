// Package locks takes the password off a document before it is converted, and puts one on what was made of it. Engines and
// comparisons in between see documents without any.
package locks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// maxBytes bounds a document: the libraries hold it in memory several times.
const maxBytes = 128 << 20

var (
	office       = []string{"docx", "xlsx", "pptx"}
	openDocument = []string{"odt", "ods", "odp"}
)

// Locks opens and locks documents. It may be used by several at once.
type Locks struct {
	// PDF writes a PDF without its password. pdf.Reader has one.
	PDF func(ctx context.Context, from, to, password string) error
}

// Options are those of a pair that this package takes care of.
func Options(source, target string) []option.Option {
	var names []string
	if opens(source) {
		names = append(names, option.NamePassword)
	}
	if target == "pdf" || slices.Contains(office, target) {
		names = append(names, option.NameEncrypt)
	}
	if target == "pdf" {
		names = append(names, option.NameOwner)
	}
	return option.Of(names...)
}

func opens(source string) bool {
	return source == "pdf" || slices.Contains(office, source) || slices.Contains(openDocument, source)
}

// Needed reports whether Open has something to do: a password is given, or a document of Office is locked, perhaps by the
// password that Excel gives by itself.
func Needed(in engines.Request, password string) bool {
	return opens(in.Source) && (password != "" || slices.Contains(office, in.Source) && scratch.IsLocked(in.InputPath))
}

// Open writes the input of a request to a file without its password; false where it had none.
func (l Locks) Open(ctx context.Context, in engines.Request, password, to string) (opened bool, err error) {
	defer func() {
		// The libraries panic on some damaged documents.
		if cause := recover(); cause != nil {
			err = damaged()
		}
	}()
	if err := small(in.InputPath); err != nil {
		return false, err
	}
	switch {
	case in.Source == "pdf":
		return true, l.PDF(ctx, in.InputPath, to, password)
	case !scratch.IsLocked(in.InputPath):
		return false, nil
	case slices.Contains(office, in.Source):
		return true, openOffice(in, password, to)
	default:
		return true, openOpenDocument(ctx, in, password, to)
	}
}

// Lock puts passwords on a file that was made, in its place.
func (l Locks) Lock(ctx context.Context, target, path string, passwords option.Values) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = notLocked(errors.New("the library gave up"))
		}
	}()
	if err := small(path); err != nil {
		return err
	}
	data, err := os.ReadFile(path) //nolint:gosec // in the folder of the call
	if err != nil {
		return fmt.Errorf("read what is to be locked: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}

	if target == "pdf" {
		data, err = lockPDF(data, passwords)
	} else {
		data, err = lockOffice(data, passwords[option.NameEncrypt])
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o600); err != nil { //nolint:gosec // a path of ours
		return fmt.Errorf("write what is locked: %w", err)
	}
	return nil
}

func small(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the document: %w", err)
	}
	if info.Size() > maxBytes {
		return engines.Errorf(engines.CodeConversionFailed, "the document has %d MB; passwords are for those of at most %d", info.Size()>>20, maxBytes>>20)
	}
	return nil
}

func damaged() *engines.Error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_DOCUMENT", Message: "the document is locked and damaged, or locked in a way that is not known here"}
}

func notLocked(err error) *engines.Error {
	return engines.Errorf(engines.CodeConversionFailed, "no password could be put on the output: %v", err)
}

// isZip reports whether data is a package, and cuts off what encryption has added at its end.
func isZip(data []byte) ([]byte, bool) {
	const endSize, commentMax = 22, 65535
	if !bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		return nil, false
	}
	at := bytes.LastIndex(data[max(0, len(data)-endSize-commentMax):], []byte("PK\x05\x06"))
	if at < 0 {
		return nil, false
	}
	at += max(0, len(data)-endSize-commentMax)
	if at+endSize > len(data) {
		return nil, false
	}
	end := at + endSize + int(data[at+20]) + int(data[at+21])<<8
	return data[:min(end, len(data))], true
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		err = errors.New("too large")
	}
	return data, err
}
