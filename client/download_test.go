package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// shelf serves one file, with ranges and an ETag, and cuts replies after so many bytes where it is told to.
type shelf struct {
	*httptest.Server
	content []byte
	etag    string
	cutAt   int
	ranges  []string
	header  http.Header // of replies, beside the ETag
}

func newShelf(t *testing.T, content string) *shelf {
	t.Helper()
	s := &shelf{content: []byte(content), etag: `"v1"`}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		w.Header().Set("ETag", s.etag)
		maps.Copy(w.Header(), s.header)
		if s.cutAt > 0 {
			w.Header().Set("Content-Length", fmt.Sprint(len(s.content)))
			_, _ = w.Write(s.content[:s.cutAt])
			_ = http.NewResponseController(w).Flush()
			hangUp(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.content))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shelf) client(t *testing.T) *Client {
	t.Helper()
	return (&uploads{Server: s.Server}).client(t)
}

func (s *shelf) file() ResultFile {
	return ResultFile{Filename: "a.txt", Size: int64(len(s.content)), Mimetype: "text/plain", URL: PresignedURL(s.URL + "/r?sig=hush")}
}

func sum(data string) string {
	hash := sha256.Sum256([]byte(data))
	return hex.EncodeToString(hash[:])
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestDownload(t *testing.T) {
	s := newShelf(t, "the result")
	path := filepath.Join(t.TempDir(), "out.txt")
	var moved int64
	got, err := s.client(t).Convert.Download(t.Context(), s.file(), DownloadOptions{Path: path, OnProgress: func(n int64) { moved = n }})
	require.NoError(t, err)
	assert.Equal(t, &Downloaded{Path: path, Size: 10, SHA256: sum("the result"), Mimetype: "text/plain"}, got)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "the result", string(data))
	assert.EqualValues(t, 10, moved)
	assert.Equal(t, []string{"out.txt"}, filesIn(t, filepath.Dir(path)), "nothing but the output stays")
}

func TestDownloadLeavesWhatIsThere(t *testing.T) {
	s := newShelf(t, "new")
	c := s.client(t)
	dir := t.TempDir()
	there, elsewhere, link := filepath.Join(dir, "there"), filepath.Join(dir, "elsewhere"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(there, []byte("old"), 0o600))
	require.NoError(t, os.WriteFile(elsewhere, []byte("precious"), 0o600))
	require.NoError(t, os.Symlink(elsewhere, link))

	_, err := c.Convert.Download(t.Context(), s.file(), DownloadOptions{Path: there})
	require.ErrorIs(t, err, fs.ErrExist)
	assert.Empty(t, s.ranges, "refused before any request")
	for _, overwrite := range []bool{false, true} {
		_, err = c.Convert.Download(t.Context(), s.file(), DownloadOptions{Path: link, Overwrite: overwrite})
		require.ErrorIs(t, err, ErrSymlinkTarget)
	}
	_, err = c.Convert.Download(t.Context(), s.file(), DownloadOptions{Path: dir, Overwrite: true})
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = c.Convert.Download(t.Context(), s.file(), DownloadOptions{Path: there, Overwrite: true})
	require.NoError(t, err)
	data, _ := os.ReadFile(there)
	assert.Equal(t, "new", string(data))
	data, _ = os.ReadFile(elsewhere)
	assert.Equal(t, "precious", string(data))
}

func TestDownloadWithoutPathOfTheServer(t *testing.T) {
	s := newShelf(t, "x")
	file := s.file()
	file.Filename = "../../etc/passwd"
	path := filepath.Join(t.TempDir(), "mine")
	got, err := s.client(t).Convert.Download(t.Context(), file, DownloadOptions{Path: path})
	require.NoError(t, err)
	assert.Equal(t, path, got.Path)
}

func TestFetchGoesOnWhereItWasCut(t *testing.T) {
	s := newShelf(t, strings.Repeat("0123456789", 1000))
	c := s.client(t)
	part := filepath.Join(t.TempDir(), "p.part")
	s.cutAt = 4000
	_, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
	var e *TransportError
	require.ErrorAs(t, err, &e)
	s.cutAt = 0
	got, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
	require.NoError(t, err)
	assert.Equal(t, sum(string(s.content)), got.SHA256)
	require.Len(t, s.ranges, 2)
	assert.Equal(t, []string{"", "bytes=4000-"}, s.ranges)
	// And a third time, when all is there: the last byte is asked for, so that the ETag is compared.
	_, err = c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
	require.NoError(t, err)
	assert.Equal(t, "bytes=9999-", s.ranges[2])
}

func TestFetchStartsOverWhenTheContentChanged(t *testing.T) {
	s := newShelf(t, strings.Repeat("a", 5000))
	c := s.client(t)
	part := filepath.Join(t.TempDir(), "p.part")
	s.cutAt = 3000
	_, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
	require.Error(t, err)
	s.cutAt, s.content, s.etag = 0, []byte(strings.Repeat("b", 4000)), `"v2"`
	got, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
	require.NoError(t, err)
	assert.Equal(t, sum(string(s.content)), got.SHA256, "no byte of the old content")
}

func TestFetchDoesNotResumeByAWeakETag(t *testing.T) {
	s := newShelf(t, strings.Repeat("a", 5000))
	c := s.client(t)
	part := filepath.Join(t.TempDir(), "p.part")
	s.etag, s.cutAt = `W/"v1"`, 3000
	_, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
	require.Error(t, err)
	s.cutAt = 0
	_, err = c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
	require.NoError(t, err)
	assert.Equal(t, []string{"", ""}, s.ranges)
}

// Whatever is cut and how often, the part ends as the content, or the call as an error.
func TestFetchProperty(t *testing.T) {
	s := newShelf(t, "")
	c := s.client(t)
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		part := filepath.Join(dir, fmt.Sprintf("%d.part", n))
		s.content = rapid.SliceOfN(rapid.Byte(), 1, 3000).Draw(r, "content")
		s.etag = fmt.Sprintf(`"%d"`, n)
		cuts := rapid.SliceOfN(rapid.IntRange(0, 3000), 0, 3).Draw(r, "cuts")
		for _, cut := range cuts {
			s.cutAt = min(cut, len(s.content)-1)
			_, _ = c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
			if rapid.Bool().Draw(r, "changes") {
				s.content = append(s.content, 'x')
				s.etag = fmt.Sprintf(`"%d-%d"`, n, len(s.content))
			}
		}
		s.cutAt = 0
		got, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
		if err != nil { // a part that did not fit is dropped; the next attempt is clean
			got, err = c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
		}
		if err != nil {
			r.Fatal(err)
		}
		data, _ := os.ReadFile(part)
		if !bytes.Equal(data, s.content) || got.SHA256 != sum(string(s.content)) {
			r.Fatalf("got %d bytes, want %d", len(data), len(s.content))
		}
	})
}

func TestFetchCaps(t *testing.T) {
	s := newShelf(t, strings.Repeat("a", 5000))
	c := s.client(t)
	part := filepath.Join(t.TempDir(), "p.part")
	_, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part, MaxBytes: 4999})
	require.ErrorIs(t, err, ErrTooLarge)
	assert.Empty(t, s.ranges, "what is announced as too large is not even asked for")
	unsized := s.file()
	unsized.Size = 0
	_, err = c.Convert.Fetch(t.Context(), unsized, FetchOptions{PartPath: part, MaxBytes: 4999})
	require.ErrorIs(t, err, ErrTooLarge)
	info, err := os.Stat(part)
	require.NoError(t, err)
	assert.Zero(t, info.Size())
	_, err = c.Convert.Fetch(t.Context(), unsized, FetchOptions{PartPath: part, MaxBytes: 5000})
	require.NoError(t, err)
}

func TestFetchOfAnotherSizeThanAnnounced(t *testing.T) {
	s := newShelf(t, "12345")
	file := s.file()
	file.Size = 6
	_, err := s.client(t).Convert.Fetch(t.Context(), file, FetchOptions{PartPath: filepath.Join(t.TempDir(), "p")})
	require.ErrorContains(t, err, "announced 6 bytes and sent 5")
}

func TestFetchThroughASymlinkedPart(t *testing.T) {
	s := newShelf(t, "12345")
	dir := t.TempDir()
	victim, part := filepath.Join(dir, "victim"), filepath.Join(dir, "p.part")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	require.NoError(t, os.Symlink(victim, part))
	_, err := s.client(t).Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
	require.Error(t, err)
	data, _ := os.ReadFile(victim)
	assert.Equal(t, "precious", string(data))
}

func TestFetchWritesThroughNoLinkBesideAPart(t *testing.T) {
	for name, link := range map[string]func(victim, part string) error{
		"a symlink for the etag": func(victim, part string) error { return os.Symlink(victim, part+".etag") },
		"a hard link":            os.Link,
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, "12345")
			dir := t.TempDir()
			victim, part := filepath.Join(dir, "victim"), filepath.Join(dir, "p.part")
			require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
			require.NoError(t, link(victim, part))
			_, _ = s.client(t).Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
			data, err := os.ReadFile(victim)
			require.NoError(t, err)
			assert.Equal(t, "precious", string(data), name)
		})
	}
}

func TestFetchRefusals(t *testing.T) {
	for status, code := range map[int]string{403: "DOWNLOAD_HTTP_403", 404: "DOWNLOAD_HTTP_404", 503: "DOWNLOAD_HTTP_503"} {
		t.Run(fmt.Sprintf("status %v", status), func(t *testing.T) {
			a := newAPI(t, answer(status, `<Error><Code>X</Code><Message>m</Message></Error>`, "Retry-After", "2"))
			c, _ := newTestClient(t, a)
			_, err := c.Convert.Fetch(t.Context(), ResultFile{URL: PresignedURL(a.URL + "/r?sig=hush")}, FetchOptions{PartPath: filepath.Join(t.TempDir(), "p")})
			var e *APIError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, code, e.Code)
			assert.Equal(t, 2*time.Second, e.RetryAfter)
			assert.NotContains(t, err.Error(), "hush")
			assert.Len(t, a.requests(), 1, "transfers are not repeated in here")
		})
	}
}

func TestPlaceNeverLosesARace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	const contenders = 8
	for i := range contenders {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("p", i)), []byte(fmt.Sprint(i)), 0o600))
	}
	results := make(chan error, contenders)
	for i := range contenders {
		go func() { results <- Place(filepath.Join(dir, fmt.Sprint("p", i)), path, false) }()
	}
	won := 0
	for range contenders {
		err := <-results
		if err == nil {
			won++
		} else if !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	}
	assert.Equal(t, 1, won)
}

func TestPlaceIntoAFolderThatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	part := filepath.Join(dir, "p")
	require.NoError(t, os.WriteFile(part, []byte("x"), 0o600))
	require.ErrorIs(t, Place(part, filepath.Join(dir, "no", "out"), false), fs.ErrNotExist)
	assert.Equal(t, []string{"p"}, filesIn(t, dir), "the part stays for the next attempt")
}

func TestRemovePart(t *testing.T) {
	part := filepath.Join(t.TempDir(), "p")
	require.NoError(t, RemovePart(part))
	require.NoError(t, errors.Join(os.WriteFile(part, nil, 0o600), os.WriteFile(etagPath(part), nil, 0o600)))
	require.NoError(t, RemovePart(part))
	assert.Empty(t, filesIn(t, filepath.Dir(part)))
}
