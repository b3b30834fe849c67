package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"regexp"
	"strings"
)

const (
	headerReprDigest = "Repr-Digest"           // RFC 9530: of the whole file, whatever range was asked for
	headerS3Checksum = "X-Amz-Checksum-Sha256" // of the whole object, in replies that hold all of it
	headerS3Kind     = "X-Amz-Checksum-Type"
)

// digestMember is sha-256 among the members of a dictionary (RFC 8941): a byte sequence, and parameters that mean nothing
// to us. Members of Repr-Digest have no commas in them.
var digestMember = regexp.MustCompile(`^[ \t]*sha-256=:([A-Za-z0-9+/=]*):[ \t]*(;.*)?$`)

// promised is the SHA-256 of the whole file, as far as the headers of a reply tell; what cannot be read tells nothing.
// A storage that names two has to keep both.
func promised(response *http.Response) [][]byte {
	var sums [][]byte
	if sum := reprDigest(response.Header.Values(headerReprDigest)); sum != nil {
		sums = append(sums, sum)
	}
	// S3 sends none with a range. Others might mean the range.
	whole := response.StatusCode == http.StatusOK
	kind := response.Header.Get(headerS3Kind)
	if whole && (kind == "" || strings.EqualFold(kind, "FULL_OBJECT")) {
		// One of an object that was stored in parts ends in their number and is none of its bytes; so it is no SHA-256.
		if sum := sha256Of(response.Header.Get(headerS3Checksum)); sum != nil {
			sums = append(sums, sum)
		}
	}
	return sums
}

// reprDigest reads the dictionary, whose lines belong together; of a key that comes twice the last counts.
func reprDigest(lines []string) (sum []byte) {
	for member := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		if match := digestMember.FindStringSubmatch(member); match != nil {
			sum = sha256Of(match[1])
		}
	}
	return sum
}

func sha256Of(text string) []byte {
	text = strings.TrimSpace(text)
	sum, err := base64.StdEncoding.DecodeString(text)
	// What decodes may be written in another way: with line ends, or with bits beyond its bytes.
	if err != nil || len(sum) != sha256.Size || base64.StdEncoding.EncodeToString(sum) != text {
		return nil
	}
	return sum
}

// keeps compares what came with what was promised of it.
func keeps(promised [][]byte, sum []byte) error {
	for _, want := range promised {
		if !bytes.Equal(want, sum) {
			const shown = 6 // bytes; enough to tell two contents apart
			return fmt.Errorf("%w: the service announced SHA-256 %x… and sent %x…", ErrMismatch, want[:shown], sum[:shown])
		}
	}
	return nil
}

// checkedBody is a reply's body that ends in an error where it is not what was promised.
type checkedBody struct {
	io.ReadCloser
	promised [][]byte
	hash     hash.Hash
}

func newCheckedBody(body io.ReadCloser, promised [][]byte) io.ReadCloser {
	return &checkedBody{ReadCloser: body, promised: promised, hash: sha256.New()}
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if fault := keeps(b.promised, b.hash.Sum(nil)); fault != nil {
			return n, &TransportError{Method: http.MethodGet, Route: routeStorageDownload, Sent: true, Err: fault}
		}
	}
	return n, err
}
