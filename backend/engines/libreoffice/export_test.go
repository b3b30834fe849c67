package libreoffice

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
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

// LockedBy is a document that LibreOffice has made of another and locked.
func LockedBy(tb testing.TB, content []byte, source, target, filterName, password string) []byte {
	tb.Helper()
	home := tb.TempDir()
	place := &scratch.Place{Home: home, Input: filepath.Join(home, "input."+source), Output: filepath.Join(home, "out", "input."+target)}
	if err := os.WriteFile(place.Input, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	lines := []string{
		"Sub Main",
		`Dim opening(0) As New com.sun.star.beans.PropertyValue`,
		`opening(0).Name = "Hidden"`,
		`opening(0).Value = True`,
		`document = StarDesktop.loadComponentFromURL(` + literal(fileURL(place.Input)) + `, "_blank", 0, opening())`,
		`Dim saving(1) As New com.sun.star.beans.PropertyValue`,
		`saving(0).Name = "FilterName"`,
		`saving(0).Value = ` + literal(filterName),
		`saving(1).Name = "Password"`,
		`saving(1).Value = ` + literal(password),
		`document.storeToURL(` + literal(fileURL(place.Output)) + `, saving())`,
		`document.close(True)`,
		`StarDesktop.terminate()`,
		"End Sub",
	}
	if _, err := callMacro(tb.Context(), place, func(string) string { return strings.Join(lines, "\n") }); err != nil {
		tb.Fatal(err)
	}
	data, err := os.ReadFile(place.Output)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
