package scratch

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// encryptedStream is the name of the stream that holds an encrypted document in the container that Office puts around it,
// in UTF-16.
var encryptedStream = []byte(strings.Join(strings.Split("EncryptedPackage", ""), "\x00"))

// ManifestPart is the part of an OpenDocument that says how the others are encrypted.
const ManifestPart = "META-INF/manifest.xml"

// IsLocked reports whether a file is a document of Office (docx, xlsx, pptx) or an OpenDocument that is protected by a password.
func IsLocked(path string) bool {
	file, err := os.Open(path) //nolint:gosec // paths of our own
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // read only

	head := make([]byte, 4)
	if _, err := io.ReadFull(file, head); err != nil {
		return false
	}
	switch string(head) {
	case "PK\x03\x04":
		return hasEncryptedParts(file)
	case "\xD0\xCF\x11\xE0":
		return hasEncryptedStream(io.LimitReader(file, 512<<20))
	}
	return false
}

// hasEncryptedParts looks into an OpenDocument alone: it says what it is at its start.
func hasEncryptedParts(file *os.File) bool {
	head := make([]byte, 120)
	n, _ := file.ReadAt(head, 0)
	if !bytes.Contains(head[:n], []byte("mimetypeapplication/vnd.oasis.opendocument")) {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		return false
	}
	parts, err := zip.NewReader(file, info.Size())
	if err != nil {
		return false
	}
	manifest, err := parts.Open(ManifestPart)
	if err != nil {
		return false
	}
	defer manifest.Close() //nolint:errcheck // read only
	text, _ := io.ReadAll(io.LimitReader(manifest, 4<<20))
	return bytes.Contains(text, []byte("encryption-data"))
}

func hasEncryptedStream(reader io.Reader) bool {
	const block = 1 << 20
	data := make([]byte, 0, block+len(encryptedStream))
	for {
		n, err := io.ReadFull(reader, data[len(data):len(data)+block])
		data = data[:len(data)+n]
		if bytes.Contains(data, encryptedStream) {
			return true
		}
		if err != nil {
			return false
		}
		kept := copy(data, data[len(data)-len(encryptedStream):]) // the name may lie across two blocks
		data = data[:kept]
	}
}

// Locked refuses a document for its password.
func Locked() *engines.Error {
	return &engines.Error{
		Code: engines.CodeUnsupportedInput, Reason: engines.ReasonEncrypted,
		Message: "the document is protected by a password, which is an option (--password-file FILE)",
	}
}

// WrongPassword refuses a document for the password that was given.
func WrongPassword() *engines.Error {
	return engines.Errorf(engines.CodeWrongPassword, "the password does not open the document; the option password (--password-file FILE) needs another one")
}
