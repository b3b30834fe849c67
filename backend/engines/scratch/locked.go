package scratch

import (
	"bytes"
	"io"
	"os"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// encryptedStream is the name of the stream that holds an encrypted document in the container that Office puts around it,
// in UTF-16.
var encryptedStream = []byte(strings.Join(strings.Split("EncryptedPackage", ""), "\x00"))

// IsLocked reports whether a file is a document of Office (docx, xlsx, pptx) that is protected by a password.
func IsLocked(path string) bool {
	file, err := os.Open(path) //nolint:gosec // paths of our own
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // read only

	const block, most = 1 << 20, 512 << 20
	reader := io.LimitReader(file, most)
	data := make([]byte, 0, block+len(encryptedStream))
	for first := true; ; first = false {
		n, err := io.ReadFull(reader, data[len(data):len(data)+block])
		data = data[:len(data)+n]
		if first && !bytes.HasPrefix(data, []byte("\xD0\xCF\x11\xE0")) {
			return false
		}
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
		Code: engines.CodeUnsupportedInput, Reason: "ENCRYPTED", Message: "the document is protected by a password; save it without one",
	}
}
