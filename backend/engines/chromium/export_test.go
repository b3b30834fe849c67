package chromium

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// NewWatched is the engine, with a look at the browser of an owner that rests; nil where none does.
func NewWatched() (engines.Engine, func(owner string) *browser) {
	e := newEngine()
	return e.asEngine(), func(owner string) *browser {
		one, ok := e.browsers.Take(owner)
		if !ok {
			return nil
		}
		e.browsers.Put(owner, one)
		return one
	}
}

// Busy reports whether it has a page at hand.
func (b *browser) Busy() bool {
	_, err := os.Stat(filepath.Join(b.Home, "work", "made"))
	return err == nil
}

// Read takes all messages of a browser that says this.
func Read(said []byte) error {
	b := &browser{replies: bufio.NewReader(bytes.NewReader(said))}
	for {
		if _, err := b.next(); err != nil {
			return err
		}
	}
}
