package locks

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // what the format has
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

// manifest is META-INF/manifest.xml, as far as it says how parts are encrypted.
type manifest struct {
	Entries []struct {
		Path   string     `xml:"full-path,attr"`
		Locked *encrypted `xml:"encryption-data"`
	} `xml:"file-entry"`
}

type encrypted struct {
	Checksum     string `xml:"checksum,attr"`
	ChecksumType string `xml:"checksum-type,attr"`
	Algorithm    struct {
		Name string `xml:"algorithm-name,attr"`
		IV   string `xml:"initialisation-vector,attr"`
	} `xml:"algorithm"`
	Derivation struct {
		Name       string `xml:"key-derivation-name,attr"`
		Size       int    `xml:"key-size,attr"`
		Iterations int    `xml:"iteration-count,attr"`
		Salt       string `xml:"salt,attr"`
	} `xml:"key-derivation"`
	Start struct {
		Name string `xml:"start-key-generation-name,attr"`
	} `xml:"start-key-generation"`
}

// maxIterations bounds how long a stranger's document has us compute.
const maxIterations = 5_000_000

var encryptionData = regexp.MustCompile(`(?s)<(?:\w+:)?encryption-data\b.*?</(?:\w+:)?encryption-data\s*>`)

// openOpenDocument decrypts the parts of a package by AES, as LibreOffice has written them since 2011.
func openOpenDocument(ctx context.Context, in engines.Request, password, to string) error {
	if password == "" {
		return scratch.Locked()
	}
	source, err := zip.OpenReader(in.InputPath)
	if err != nil {
		return damaged()
	}
	defer source.Close() //nolint:errcheck // read only
	text, err := partOf(&source.Reader, scratch.ManifestPart)
	if err != nil {
		return damaged()
	}
	var parts manifest
	if err := xml.Unmarshal(text, &parts); err != nil {
		return damaged()
	}
	locked := map[string]*encrypted{}
	for _, entry := range parts.Entries {
		locked[entry.Path] = entry.Locked
	}

	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in the folder of the call
	if err != nil {
		return fmt.Errorf("write an opened document: %w", err)
	}
	defer out.Close() //nolint:errcheck // closed below
	plain := zip.NewWriter(out)
	left := int64(4 * maxBytes)
	for _, file := range source.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := openPart(file, locked[file.Name], password)
		if err != nil {
			return err
		}
		if left -= int64(len(data)); left < 0 {
			return engines.Errorf(engines.CodeUnsupportedInput, "the parts of the document unpack to more than %d MB", 4*maxBytes>>20)
		}
		if err := writePart(plain, file.Name, data); err != nil {
			return fmt.Errorf("write an opened document: %w", err)
		}
	}
	if err := plain.Close(); err != nil {
		return fmt.Errorf("write an opened document: %w", err)
	}
	return out.Close()
}

// openPart is a part as it is without a password.
func openPart(file *zip.File, how *encrypted, password string) ([]byte, error) {
	data, err := readPart(file)
	switch {
	case err != nil:
		return nil, damaged()
	case how != nil:
		return how.open(data, password)
	case file.Name == scratch.ManifestPart:
		return encryptionData.ReplaceAll(data, nil), nil
	}
	return data, nil
}

func writePart(to *zip.Writer, name string, data []byte) error {
	method := zip.Deflate
	if name == "mimetype" { // readers look for it at the start of the file
		method = zip.Store
	}
	part, err := to.CreateHeader(&zip.FileHeader{Name: name, Method: method})
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	return err
}

func partOf(source *zip.Reader, name string) ([]byte, error) {
	for _, file := range source.File {
		if file.Name == name {
			return readPart(file)
		}
	}
	return nil, os.ErrNotExist
}

func readPart(file *zip.File) ([]byte, error) {
	part, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer part.Close() //nolint:errcheck // read only
	return readAll(part)
}

// open decrypts a part, and unpacks it.
func (e *encrypted) open(data []byte, password string) ([]byte, error) {
	if !strings.HasSuffix(e.Algorithm.Name, "#aes256-cbc") || !strings.HasSuffix(e.Derivation.Name, "PBKDF2") {
		return nil, &engines.Error{
			Code: engines.CodeUnsupportedInput, Reason: "ENCRYPTED",
			Message: fmt.Sprintf("the document is locked by %.60q, which is not known here; save it without a password", e.Algorithm.Name),
		}
	}
	iv, ivErr := base64.StdEncoding.DecodeString(e.Algorithm.IV)
	salt, saltErr := base64.StdEncoding.DecodeString(e.Derivation.Salt)
	sum, sumErr := base64.StdEncoding.DecodeString(e.Checksum)
	if ivErr != nil || saltErr != nil || sumErr != nil || len(iv) != aes.BlockSize || len(data) == 0 || len(data)%aes.BlockSize != 0 ||
		e.Derivation.Iterations < 1 || e.Derivation.Iterations > maxIterations {
		return nil, damaged()
	}

	key, err := pbkdf2.Key(sha1.New, string(e.start(password)), salt, e.Derivation.Iterations, 32)
	if err != nil {
		return nil, damaged()
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, damaged()
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
	padding := int(data[len(data)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, scratch.WrongPassword()
	}
	data = data[:len(data)-padding]

	if !bytes.Equal(e.checksum(data[:min(len(data), 1024)]), sum) {
		return nil, scratch.WrongPassword()
	}
	plain, err := readAll(flate.NewReader(bytes.NewReader(data)))
	if err != nil {
		return nil, damaged()
	}
	return plain, nil
}

// start is what the key is derived from.
func (e *encrypted) start(password string) []byte {
	if strings.HasSuffix(e.Start.Name, "#sha256") {
		sum := sha256.Sum256([]byte(password))
		return sum[:]
	}
	sum := sha1.Sum([]byte(password)) //nolint:gosec // what the format has
	return sum[:]
}

// checksum is by the hash that the document names.
func (e *encrypted) checksum(data []byte) []byte {
	if strings.Contains(strings.ToLower(e.ChecksumType), "sha256") {
		sum := sha256.Sum256(data)
		return sum[:]
	}
	sum := sha1.Sum(data) //nolint:gosec // what the format has
	return sum[:]
}
