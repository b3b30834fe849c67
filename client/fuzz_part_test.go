package client

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzTakeUp: whatever stands in a part and in the notes beside it, what is taken up are bytes that the notes vouch for
// under their ETag, the hash is of those, and what is noted from then on is taken up again.
func FuzzTakeUp(f *testing.F) {
	note := func(content string) string {
		return fmt.Sprintf("%d %x\n", len(content), sha256.Sum256([]byte(content)))
	}
	const etag = "\"v1\"\n"
	f.Add([]byte("content"), etag+note("cont")+note("content"), int64(7))
	f.Add([]byte("content"), etag+note("cont")+note("contenx"), int64(0))
	f.Add([]byte("content, and more"), etag+note("content"), int64(3))
	f.Add([]byte("cont"), etag+note("content"), int64(7))
	f.Add([]byte("content"), strings.TrimSpace(etag+note("content")), int64(7))
	f.Add([]byte("content"), "W/"+etag+note("content"), int64(7))
	f.Add([]byte("content"), etag+note("content")+note("cont"), int64(-1))
	f.Add([]byte("content"), etag+"-3 x\n9223372036854775807 y\n", int64(7))
	f.Add([]byte(""), etag+note(""), int64(0))
	f.Add([]byte("content"), etag+strings.Replace(note("content"), " ", "  ", 1), int64(7))
	f.Add([]byte("content"), etag+strings.ToUpper(note("content")), int64(7))
	f.Add([]byte("content"), "\"\x00\xff\"\n"+note("content"), int64(1))
	f.Fuzz(func(t *testing.T, content []byte, notes string, fileSize int64) {
		path := filepath.Join(t.TempDir(), "part")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		require.NoError(t, os.WriteFile(etagPath(path), []byte(notes), 0o600))
		p, err := openPart(paths{}, path, fileSize)
		require.NoError(t, err)
		defer p.close()
		if p.size == 0 {
			require.Empty(t, p.etag, "nothing is taken up, and yet of some content")
			return
		}
		require.LessOrEqual(t, p.size, int64(len(content)))
		require.True(t, fileSize <= 0 || p.size < fileSize, "nothing is left to ask for")
		require.Equal(t, sha256.Sum256(content[:p.size]), [32]byte(p.hash.Sum(nil)), "the hash is of other bytes")
		require.True(t, strings.HasPrefix(notes, p.etag+"\n") && strongETag(p.etag))
		recorded := false
		for size := p.size; size <= int64(len(content)); size++ { // of a part that is whole, or too long, less is kept than is recorded for
			recorded = recorded || strings.Contains(notes, fmt.Sprintf("%x", sha256.Sum256(content[:size])))
		}
		require.True(t, recorded, "nothing vouches for %d bytes", p.size)

		etag, rest := p.etag, string(content[p.size:])+"more" // the same content, as the ETag says
		require.NoError(t, p.copy(strings.NewReader(rest), func(int64) {}))
		require.NoError(t, p.sync())
		p.close()
		again, err := openPart(paths{}, path, 0)
		require.NoError(t, err)
		defer again.close()
		require.Equal(t, int64(len(content))+4, again.size, "what was noted down is not taken up")
		require.Equal(t, etag, again.etag)
	})
}
