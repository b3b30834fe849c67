package libreoffice

import (
	"encoding/binary"
	"io"
	"os"

	"github.com/richardlehane/mscfb"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// whyLocked is why a document could not be read, where a password is the reason: the program says the same of damaged ones.
func whyLocked(path string, in engines.Request, otherwise error) error {
	switch {
	case !isLocked(path):
		return otherwise
	case in.Options[option.NamePassword] == "":
		return scratch.Locked()
	}
	return scratch.WrongPassword()
}

// isLocked reports whether a document of Office before 2007 is encrypted.
func isLocked(path string) (locked bool) {
	defer func() {
		if recover() != nil { // a library that gives up on what is damaged
			locked = false
		}
	}()
	file, err := os.Open(path) //nolint:gosec // paths of our own
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // read only
	streams, err := mscfb.New(file)
	if err != nil {
		return false
	}
	for entry, err := streams.Next(); err == nil; entry, err = streams.Next() {
		head := make([]byte, 1024)
		n, _ := io.ReadFull(entry, head)
		head = head[:n]
		switch entry.Name {
		case "WordDocument":
			const encrypted = 0x0100
			return n > 12 && binary.LittleEndian.Uint16(head[10:])&encrypted != 0
		case "Workbook", "Book":
			return hasFilePass(head)
		case "EncryptedSummary", "EncryptedPackage":
			return true
		case "Current User":
			const encrypted = 0xF3D1C4DF
			if n >= 16 && binary.LittleEndian.Uint32(head[12:]) == encrypted {
				return true
			}
		}
	}
	return false
}

// hasFilePass looks for the record of how a workbook is encrypted. It is among the first.
func hasFilePass(head []byte) bool {
	const filePass = 0x002F
	for len(head) >= 4 {
		kind, size := binary.LittleEndian.Uint16(head), int(binary.LittleEndian.Uint16(head[2:]))
		if kind == filePass {
			return true
		}
		if len(head) < 4+size {
			return false
		}
		head = head[4+size:]
	}
	return false
}
