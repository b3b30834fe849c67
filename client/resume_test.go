package client

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// stock serves one content, counts what it sends, and hangs up where it is told to.
type stock struct {
	*httptest.Server
	ctx            context.Context
	content        []byte
	etag           string
	cutAfter       int  // bytes of the reply; negative for never
	ignoresRange   bool // sends all, whatever is asked for
	ignoresIfRange bool // sends the range of whatever it has now
	digest         bool // tells the SHA-256 of what it has now
	served         int64
	replied        chan int64 // bytes of each reply
}

func newStock(tb testing.TB) *stock {
	tb.Helper()
	s := &stock{ctx: tb.Context(), cutAfter: -1, replied: make(chan int64, 1)}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(s.Close)
	return s
}

func (s *stock) serve(w http.ResponseWriter, r *http.Request) {
	if s.ignoresRange {
		r.Header.Del("Range")
	}
	if s.ignoresIfRange {
		r.Header.Del("If-Range")
	}
	w.Header().Set("ETag", s.etag)
	if s.digest {
		w.Header().Set("Repr-Digest", "sha-256=:"+base64Sum(string(s.content))+":")
	}
	out := &countedReply{ResponseWriter: w, left: s.cutAfter}
	defer func() { s.replied <- out.sent }()
	http.ServeContent(out, r, "", time.Time{}, bytes.NewReader(s.content))
}

// countedReply counts a reply's bytes; after so many it drops the connection.
type countedReply struct {
	http.ResponseWriter
	sent int64
	left int
}

func (w *countedReply) Write(p []byte) (int, error) {
	n := len(p)
	if w.left >= 0 {
		n = min(n, w.left)
		w.left -= n
	}
	_, err := w.ResponseWriter.Write(p[:n])
	w.sent += int64(n)
	if n < len(p) {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// fetch is one attempt; the stock is only touched between two.
func (s *stock) fetch(c *Client, part string) (*Downloaded, error) {
	file := ResultFile{Filename: "a", Size: int64(len(s.content)), URL: PresignedURL(s.URL + "/r")}
	got, err := c.Convert.Fetch(s.ctx, file, FetchOptions{PartPath: part})
	s.served += <-s.replied
	return got, err
}

func (s *stock) client(t *testing.T) *Client {
	t.Helper()
	return (&uploads{Server: s.Server}).client(t)
}

func (s *stock) renew(size int, seed uint64) {
	s.content = make([]byte, size)
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(size)
	_, _ = rand.NewChaCha8(key).Read(s.content)
	s.etag = `"` + sum(string(s.content)) + `"`
}

const resumedUpTo = 3*recordEvery + 1000

// However often and wherever a download is cut, no byte is sent twice.
func TestOnlyWhatIsMissingIsFetched(t *testing.T) {
	s := newStock(t)
	c, dir, n := s.client(t), t.TempDir(), 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		s.renew(rapid.IntRange(1, resumedUpTo).Draw(r, "size"), rapid.Uint64().Draw(r, "seed"))
		s.served = 0
		part := filepath.Join(dir, fmt.Sprint(n))
		for _, cut := range rapid.SliceOfN(rapid.IntRange(0, resumedUpTo), 0, 5).Draw(r, "cuts") {
			s.cutAfter = cut
			if _, err := s.fetch(c, part); err == nil {
				s.served-- // all was there: the next attempt asks for the last byte once more
			}
		}
		s.cutAfter = -1
		got, err := s.fetch(c, part)
		if err != nil || got.SHA256 != sum(string(s.content)) {
			r.Fatalf("%v %v", got, err)
		}
		if s.served != int64(len(s.content)) {
			r.Fatalf("%d bytes were sent of a file of %d", s.served, len(s.content))
		}
		_ = RemovePart(part)
	})
}

// damage is what may happen to a part and its notes between two attempts, and to what the service has.
var damage = map[string]func(r *rapid.T, s *stock, part string){
	"nothing": func(*rapid.T, *stock, string) {},
	"the part loses its end": func(r *rapid.T, _ *stock, part string) {
		change(part, func(data []byte) []byte { return data[:rapid.IntRange(0, len(data)).Draw(r, "left")] })
	},
	"the part has garbage at its end": func(r *rapid.T, _ *stock, part string) {
		change(part, func(data []byte) []byte {
			return append(data, bytes.Repeat([]byte{'x'}, rapid.IntRange(1, 2*recordEvery).Draw(r, "garbage"))...)
		})
	},
	"the end of the part was never written": func(r *rapid.T, _ *stock, part string) {
		change(part, func(data []byte) []byte {
			clear(data[rapid.IntRange(0, len(data)).Draw(r, "zeros from"):])
			return data
		})
	},
	"a byte of the part is another": func(r *rapid.T, _ *stock, part string) {
		change(part, func(data []byte) []byte {
			if len(data) > 0 {
				data[rapid.IntRange(0, len(data)-1).Draw(r, "at")] ^= 0x40
			}
			return data
		})
	},
	"the notes lose their end": func(r *rapid.T, _ *stock, part string) {
		change(etagPath(part), func(data []byte) []byte { return data[:rapid.IntRange(0, len(data)).Draw(r, "notes left")] })
	},
	"the notes are zeros": func(_ *rapid.T, _ *stock, part string) {
		change(etagPath(part), func(data []byte) []byte { return make([]byte, len(data)) })
	},
	"the notes are those of a former version": func(_ *rapid.T, s *stock, part string) {
		change(etagPath(part), func([]byte) []byte { return []byte(s.etag) })
	},
	"the notes announce another content": func(r *rapid.T, _ *stock, part string) {
		change(etagPath(part), func(data []byte) []byte {
			etag, stretches, _ := bytes.Cut(data, []byte("\n"))
			whole := rapid.SampledFrom([]string{"", "ab", sum("other"), "x"}).Draw(r, "announced")
			return slices.Concat(etag, []byte("\n"+promiseMark+whole+"\n"), stretches)
		})
	},
	"the notes are gone": func(_ *rapid.T, _ *stock, part string) { _ = os.Remove(etagPath(part)) },
	"the part is gone":   func(_ *rapid.T, _ *stock, part string) { _ = os.Remove(part) },
	"the content changes": func(r *rapid.T, s *stock, _ string) {
		s.renew(rapid.IntRange(1, resumedUpTo).Draw(r, "new size"), rapid.Uint64().Draw(r, "new seed"))
	},
	"the service ignores ranges":   func(_ *rapid.T, s *stock, _ string) { s.ignoresRange = true },
	"the service ignores If-Range": func(_ *rapid.T, s *stock, _ string) { s.ignoresIfRange = true },
}

func change(path string, to func([]byte) []byte) {
	if data, err := os.ReadFile(path); err == nil {
		_ = os.WriteFile(path, to(data), 0o600)
	}
}

// Whatever a crash makes of a part, what comes of it is the content.
func TestATornPartNeverBecomesAnOutput(t *testing.T) {
	names := slices.Sorted(maps.Keys(damage))
	s := newStock(t)
	c, dir, n := s.client(t), t.TempDir(), 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		s.renew(rapid.IntRange(1, resumedUpTo).Draw(r, "size"), rapid.Uint64().Draw(r, "seed"))
		s.ignoresRange, s.ignoresIfRange = false, false
		s.digest = rapid.Bool().Draw(r, "digest")
		part := filepath.Join(dir, fmt.Sprint(n))
		for range rapid.IntRange(1, 3).Draw(r, "crashes") {
			s.cutAfter = rapid.IntRange(0, resumedUpTo).Draw(r, "cut")
			_, _ = s.fetch(c, part)
			damage[rapid.SampledFrom(names).Draw(r, "damage")](r, s, part)
		}
		s.cutAfter = -1
		got, err := s.fetch(c, part)
		if err != nil { // what did not fit is dropped; the next attempt starts from nothing
			got, err = s.fetch(c, part)
		}
		if err != nil {
			r.Fatal(err)
		}
		data, err := os.ReadFile(part)
		if err != nil || !bytes.Equal(data, s.content) || got.SHA256 != sum(string(s.content)) {
			r.Fatalf("%d bytes of another content came of %d: %v", len(data), len(s.content), err)
		}
		_ = RemovePart(part)
	})
}

// A part of a dead process is taken up as far as the notes go: what is fetched twice is bounded.
func TestACrashCostsAStretchAtMost(t *testing.T) {
	s := newStock(t)
	s.renew(resumedUpTo, 1)
	part := filepath.Join(t.TempDir(), "p")
	s.cutAfter = 2*recordEvery + 5000
	_, err := s.fetch(s.client(t), part)
	require.Error(t, err)
	change(etagPath(part), func(data []byte) []byte { // the last line is written when an attempt ends in order
		return data[:bytes.LastIndexByte(data[:len(data)-1], '\n')+1]
	})
	s.cutAfter = -1
	got, err := s.fetch(s.client(t), part)
	require.NoError(t, err)
	assert.Equal(t, sum(string(s.content)), got.SHA256)
	assert.LessOrEqual(t, s.served, int64(len(s.content)+recordEvery+5000))
	assert.Greater(t, s.served, int64(len(s.content)), "or the notes had not lost a line")
}

func TestAnETagThatCannotVouchIsNotKept(t *testing.T) {
	for etag, good := range map[string]bool{
		`"abc"`: true, `""`: true, `W/"abc"`: false, `abc`: false, ``: false, `"`: false, "\"a\x00\"": false, `"a"b"`: false, "\"a\n\"": false,
	} {
		t.Run(etag, func(t *testing.T) {
			assert.Equal(t, good, strongETag(etag), "%q", etag)
		})
	}
}
