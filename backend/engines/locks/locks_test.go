package locks_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/locks"
	"github.com/convilyn/convilyn-temporal/backend/engines/pdf"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func newLocks(t *testing.T) locks.Locks {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	reader := pdf.NewReader(filepath.Join(cache, "convilyn"))
	t.Cleanup(func() { assert.NoError(t, reader.Close()) })
	return locks.Locks{PDF: reader.Unlock}
}

// opened is a document without its password.
func opened(t *testing.T, l locks.Locks, source string, content []byte, password string) ([]byte, error) {
	t.Helper()
	in, to := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.WriteFile(in, content, 0o600))
	done, err := l.Open(t.Context(), engines.Request{Source: source, InputPath: in}, password, to)
	if err != nil {
		return nil, err
	}
	if !done {
		return content, nil
	}
	return os.ReadFile(to)
}

func locked(t *testing.T, l locks.Locks, target string, content []byte, passwords option.Values) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	require.NoError(t, l.Lock(t.Context(), target, path, passwords))
	out, err := os.ReadFile(path)
	require.NoError(t, err)
	return out
}

func codeOf(t *testing.T, err error) (code, reason string) {
	t.Helper()
	known, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	return known.Code, known.Reason
}

// What is locked is opened again by its password, as it was, and by no other.
func TestLocks_ThereAndBack(t *testing.T) {
	l := newLocks(t)
	for source, test := range map[string]struct{ content, part []byte }{
		"docx": {content: testkit.Examples(t, "letter.docx"), part: []byte("word/document.xml")},
		"xlsx": {content: testkit.Examples(t, "budget.xlsx"), part: []byte("xl/workbook.xml")},
		"pdf":  {content: testkit.Examples(t, "brochure.pdf"), part: []byte("%PDF")},
		"odt":  {content: openDocument(t, "ä b"), part: []byte("content.xml")},
	} {
		t.Run(source, func(t *testing.T) {
			closed := test.content
			if source != "odt" {
				closed = locked(t, l, source, test.content, option.Values{"encrypt": "ä b"})
			}
			plain, err := opened(t, l, source, closed, "ä b")
			require.NoError(t, err)
			assert.Contains(t, string(plain), string(test.part))

			_, err = opened(t, l, source, closed, "wrong")
			code, _ := codeOf(t, err)
			assert.Equal(t, engines.CodeWrongPassword, code)
			assert.NotContains(t, err.Error(), "wrong\"")

			again, err := opened(t, l, source, plain, "not needed")
			require.NoError(t, err)
			assert.NotEmpty(t, again)
		})
	}
}

// Of two passwords of a PDF the one of the owner opens it too, and without one for readers it is open with bounds.
func TestLock_ForTheOwnerAlone(t *testing.T) {
	l := newLocks(t)
	bound := locked(t, l, "pdf", testkit.Examples(t, "brochure.pdf"), option.Values{"owner": "o"})
	assert.Contains(t, string(bound), "/Encrypt")
	assert.NotEmpty(t, testkit.PDFText(t, testkit.PDF(t), bound))
	both := locked(t, l, "pdf", testkit.Examples(t, "brochure.pdf"), option.Values{"owner": "o", "encrypt": "e"})
	for _, password := range []string{"o", "e"} {
		_, err := opened(t, l, "pdf", both, password)
		require.NoError(t, err)
	}
}

// Excel opens what it has locked by its own password without asking, and so do we.
func TestOpen_ByExcelsOwnPassword(t *testing.T) {
	l := newLocks(t)
	closed, err := excelize.Encrypt(testkit.Examples(t, "budget.xlsx"), &excelize.Options{Password: "VelvetSweatshop"})
	require.NoError(t, err)
	plain, err := opened(t, l, "xlsx", closed, "")
	require.NoError(t, err)
	_, err = excelize.OpenReader(bytes.NewReader(plain))
	require.NoError(t, err)

	asks := locked(t, l, "xlsx", testkit.Examples(t, "budget.xlsx"), option.Values{"encrypt": "x"})
	_, err = opened(t, l, "xlsx", asks, "")
	_, reason := codeOf(t, err)
	assert.Equal(t, engines.ReasonEncrypted, reason)
}

// What the libraries cannot read is damaged, and ends nothing.
func TestOpen_WhatIsDamaged(t *testing.T) {
	l := newLocks(t)
	whole := locked(t, l, "docx", testkit.Examples(t, "letter.docx"), option.Values{"encrypt": "x"})
	for cut := len(whole) / 10; cut < len(whole); cut += len(whole) / 10 {
		_, err := opened(t, l, "docx", whole[:cut], "x")
		if err != nil {
			codeOf(t, err)
		}
	}
}

// openDocument is a package with one part that is encrypted as LibreOffice does it.
func openDocument(t *testing.T, password string) []byte {
	t.Helper()
	var packed bytes.Buffer
	deflate, err := flate.NewWriter(&packed, flate.DefaultCompression)
	require.NoError(t, err)
	_, _ = io.WriteString(deflate, "<office:document-content/>")
	require.NoError(t, deflate.Close())
	sum := sha256.Sum256(packed.Bytes()[:min(packed.Len(), 1024)])

	salt, iv := []byte("sixteen salt byt"), []byte("sixteen byte ivs")
	begin := sha256.Sum256([]byte(password))
	key, err := pbkdf2.Key(sha1.New, string(begin[:]), salt, 1000, 32)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	padding := aes.BlockSize - packed.Len()%aes.BlockSize
	data := append(packed.Bytes(), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)

	encode := base64.StdEncoding.EncodeToString
	manifest := fmt.Sprintf(`<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml" manifest:size="26">
<manifest:encryption-data manifest:checksum-type="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0#sha256-1k" manifest:checksum=%q>
<manifest:algorithm manifest:algorithm-name="http://www.w3.org/2001/04/xmlenc#aes256-cbc" manifest:initialisation-vector=%q/>
<manifest:key-derivation manifest:key-derivation-name="PBKDF2" manifest:key-size="32" manifest:iteration-count="1000" manifest:salt=%q/>
<manifest:start-key-generation manifest:start-key-generation-name="http://www.w3.org/2000/09/xmldsig#sha256" manifest:key-size="32"/>
</manifest:encryption-data></manifest:file-entry></manifest:manifest>`, encode(sum[:]), encode(iv), encode(salt))
	var out bytes.Buffer
	parts := zip.NewWriter(&out)
	for _, part := range []struct{ name, content string }{
		{"mimetype", "application/vnd.oasis.opendocument.text"}, {"content.xml", string(data)}, {"META-INF/manifest.xml", manifest},
	} {
		w, err := parts.CreateHeader(&zip.FileHeader{Name: part.name, Method: zip.Store})
		require.NoError(t, err)
		_, _ = io.WriteString(w, part.content)
	}
	require.NoError(t, parts.Close())
	return out.Bytes()
}
