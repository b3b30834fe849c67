package api

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/store"
)

var fuzzSigner = signer{secret: []byte("a secret of this test")}

// FuzzGrant: what was signed reads back, and nothing else is taken, however little of it has changed.
func FuzzGrant(f *testing.F) {
	now := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	f.Add("input/file_1/a.pdf", "file_1", int64(7), "policy", "eyJ9")
	f.Add("k", "f", int64(-1), "x-amz-signature", "")
	f.Add("../\x00", "\xff", int64(1<<62), "key", "../other")
	f.Fuzz(func(t *testing.T, key, fileID string, size int64, field, forged string) {
		if !utf8.ValidString(key) || !utf8.ValidString(fileID) {
			return // presign refuses them
		}
		made := grant{Key: key, FileID: fileID, MaxSize: size, Expires: now.Add(time.Minute)}
		fields, err := fuzzSigner.fields(made, "text/plain")
		require.NoError(t, err)
		read, err := fuzzSigner.grantOf(fields, now)
		require.NoError(t, err)
		require.Equal(t, made, read)
		_, err = fuzzSigner.grantOf(fields, now.Add(2*time.Minute))
		require.ErrorIs(t, err, errExpired)
		if _, known := fields[field]; !known || field == "Content-Type" || fields[field] == forged {
			return
		}
		fields[field] = forged
		_, err = fuzzSigner.grantOf(fields, now)
		require.ErrorIs(t, err, errForged, "%s = %q", field, forged)
	})
}

// FuzzPolicy: a policy that nobody has signed is never read, and one that is signed is read without harm.
func FuzzPolicy(f *testing.F) {
	good, err := json.Marshal(grant{Key: "k", FileID: "f", MaxSize: 1})
	require.NoError(f, err)
	f.Add(base64.StdEncoding.EncodeToString(good), "00")
	f.Add("!", "")
	f.Add(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("[", 5000))), "ab")
	f.Fuzz(func(t *testing.T, policy, signature string) {
		_, err := fuzzSigner.grantOf(map[string]string{"key": "k", "policy": policy, "x-amz-signature": signature}, time.Time{})
		require.ErrorIs(t, err, errForged)
		_, _ = fuzzSigner.grantOf(map[string]string{"key": "k", "policy": policy, "x-amz-signature": fuzzSigner.sign("upload " + policy)}, time.Time{})
	})
}

// FuzzResultLink: a link leads to the path that it was made for until it expires, and no other link leads anywhere.
func FuzzResultLink(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	f.Add("job_1", 0, "/storage/results/job_1/1", "1900000000")
	f.Add("job_1", 3, "/storage/goals/job_1/0", "99999999999999999999")
	f.Fuzz(func(t *testing.T, job string, index int, path, until string) {
		link, err := url.Parse(fuzzSigner.resultLink("http://h", url.PathEscape(job), index, now.Add(time.Minute)))
		if err != nil || link.Path != link.EscapedPath() {
			return // ids of ours need no escapes
		}
		require.NoError(t, fuzzSigner.checkResultLink(link, now))
		require.ErrorIs(t, fuzzSigner.checkResultLink(link, now.Add(time.Hour)), errExpired)
		forged := *link
		if forged.Path != path {
			forged.Path = path
			require.ErrorIs(t, fuzzSigner.checkResultLink(&forged, now), errForged)
		}
		query := link.Query()
		if query.Get("expires") != until {
			query.Set("expires", until)
			link.RawQuery = query.Encode()
			require.ErrorIs(t, fuzzSigner.checkResultLink(link, now), errForged)
		}
	})
}

// FuzzFileName: a name that comes with an upload never gets out of its place: not in keys, stems or headers.
func FuzzFileName(f *testing.F) {
	for _, seed := range []string{"a.pdf", "../../etc/passwd", "/abs", `C:\x`, "CON", "a\r\nSet-Cookie: x", "\u202efdp.exe", strings.Repeat("ä", 127), "-rf", ".", "..", ".hidden", "trailing ", "\x00", "\x7f\u0085", "a\u2028b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || len(name) > maxNameBytes || !utf8.ValidString(name) {
			return // presign refuses them
		}
		for _, made := range []string{store.SafeName(name), store.Stem(name)} {
			require.NotContains(t, made, "/")
			require.NotContains(t, made, "\x00")
			require.True(t, utf8.ValidString(made))
		}
		out := store.Stem(name) + ".pdf"
		require.True(t, filepath.IsLocal(out), "%q", out)
		header := attachment(out)
		for _, r := range header {
			require.True(t, r >= ' ' && r < 0x7F, "%q", header)
		}
		_, params, err := mime.ParseMediaType(header)
		require.NoError(t, err)
		require.Equal(t, out, params["filename"], "%q", header)
	})
}
