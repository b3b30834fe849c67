package libreoffice

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// NewWatched is the engine, with a look at the office of an owner that rests; nil where none does.
func NewWatched(step engines.Step) (engines.Engine, func(owner string) *office) {
	e := newEngine(step)
	return e.asEngine(), func(owner string) *office {
		one, ok := e.offices.Take(owner)
		if !ok {
			return nil
		}
		e.offices.Put(owner, one)
		return one
	}
}

// Busy reports whether it has a document at hand.
func (o *office) Busy() bool {
	_, err := os.Stat(filepath.Join(o.Home, "work", "made"))
	return err == nil
}

// FinalPart is a part of a document with its changes accepted, and the notes of a pdf.
func FinalPart(part []byte) ([]byte, []string, error) {
	final, found, err := finalPart(part)
	return final, found.notes("pdf"), err
}

// Unseen are the notes on what is left out without a word.
func Unseen(tb testing.TB, document []byte, source, target string, math bool) []string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "document")
	if err := os.WriteFile(path, document, 0o600); err != nil {
		tb.Fatal(err)
	}
	return look(path, source).notes(target, math)
}

// Accept rewrites a document, of whose parts so many bytes are held at once, and tells whether marks of changes stay.
func Accept(document, source string, most int) (kept bool, err error) {
	found, err := acceptUpTo(document, source, most)
	return found.kept, err
}
