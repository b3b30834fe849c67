package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func base64Sum(data string) string {
	hash := sha256.Sum256([]byte(data))
	return base64.StdEncoding.EncodeToString(hash[:])
}

func TestPromisesThatARepliesHeadersMake(t *testing.T) {
	good, other := base64Sum("good"), base64Sum("other")
	repr := func(lines ...string) http.Header { return http.Header{"Repr-Digest": lines} }
	s3 := func(sum, kind string) http.Header {
		return http.Header{"X-Amz-Checksum-Sha256": {sum}, "X-Amz-Checksum-Type": {kind}}
	}
	for _, test := range []struct {
		header http.Header
		status int
		want   []string // base64
	}{
		{http.Header{}, 200, nil},
		{repr("sha-256=:" + good + ":"), 200, []string{good}},
		{repr("sha-256=:" + good + ":"), 206, []string{good}},
		{repr("sha-512=:AAAA:,  sha-256=:" + good + ":;v=1 , unixsum=:AA==:"), 200, []string{good}},
		{repr("sha-512=:AAAA:", "sha-256=:"+good+":"), 200, []string{good}},
		{repr("sha-256=:" + other + ":, sha-256=:" + good + ":"), 200, []string{good}},
		{repr("sha-512=:" + good + ":"), 200, nil},
		{repr("sha-256=" + good), 200, nil},
		{repr("sha-256=:" + good), 200, nil},
		{repr("sha-256=:" + strings.TrimRight(good, "=") + ":"), 200, nil},
		{repr("sha-256=:AAAA:"), 200, nil},
		{repr("sha-256=::"), 200, nil},
		{repr("sha-256"), 200, nil},
		{repr("SHA-256=:" + good + ":"), 200, nil}, // keys of dictionaries are in lower case
		{repr("x-sha-256=:" + good + ":"), 200, nil},
		{repr("?", "\x00", ",,,"), 200, nil},
		{s3(good, ""), 200, []string{good}},
		{s3(good, "FULL_OBJECT"), 200, []string{good}},
		{s3(good, "COMPOSITE"), 200, nil},
		{s3(good+"-3", "COMPOSITE"), 200, nil},
		{s3(good+"-3", ""), 200, nil},
		{s3(good, ""), 206, nil},
		{http.Header{"Repr-Digest": {"sha-256=:" + good + ":"}, "X-Amz-Checksum-Sha256": {other}}, 200, []string{good, other}},
	} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			var got []string
			for _, sum := range promised(&http.Response{StatusCode: test.status, Header: test.header}) {
				got = append(got, base64.StdEncoding.EncodeToString(sum))
			}
			assert.Equal(t, test.want, got, "%v", test.header)
		})
	}
}

func TestFetchOfAnotherContentThanAnnounced(t *testing.T) {
	const right, wrong = "the right content", "the wrong content"
	for name, header := range map[string]http.Header{
		"Repr-Digest": {"Repr-Digest": {"sha-256=:" + base64Sum(right) + ":"}},
		"S3":          {"X-Amz-Checksum-Sha256": {base64Sum(right)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, wrong)
			s.header = header
			c, part := s.client(t), filepath.Join(t.TempDir(), "p.part")
			_, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
			require.ErrorIs(t, err, ErrMismatch, name)
			var network *TransportError
			require.ErrorAs(t, err, &network, name)
			assert.Contains(t, err.Error(), "SHA-256 "+sum(right)[:12]+"… and sent "+sum(wrong)[:12]+"…", name)
			assert.Equal(t, []string{"p.part"}, filesIn(t, filepath.Dir(part)), "no notes vouch for it")
			info, err := os.Stat(part)
			require.NoError(t, err)
			assert.Zero(t, info.Size(), name)

			s.content = []byte(right)
			got, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
			require.NoError(t, err, name)
			assert.Equal(t, sum(right), got.SHA256)
			assert.Equal(t, []string{"", ""}, s.ranges, "all of it is fetched again")
		})
	}
}

// What an attempt that was cut off has brought is held against the digest of the whole with what comes after it.
func TestBytesOfAnEarlierAttemptAreHeldAgainstTheDigest(t *testing.T) {
	const size, cut = 10_000, 4000
	right := strings.Repeat("0123456789", size/10)
	told := http.Header{"Repr-Digest": {"sha-256=:" + base64Sum(right) + ":"}}
	for name, replies := range map[string]struct{ whole, rest http.Header }{
		"told with both":          {told, told},
		"told with the rest":      {nil, told},
		"told at the beginning":   {told, nil},
		"S3 tells it at first":    {http.Header{"X-Amz-Checksum-Sha256": {base64Sum(right)}}, nil},
		"S3 tells of the stretch": {told, http.Header{"X-Amz-Checksum-Sha256": {base64Sum(right[cut:])}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, "X"+right[1:]) // a byte is changed on the way
			c, part := s.client(t), filepath.Join(t.TempDir(), "p.part")
			s.cutAt, s.header = cut, replies.whole
			_, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
			s.cutAt, s.content, s.header = 0, []byte(right), replies.rest
			_, err = c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
			require.ErrorIs(t, err, ErrMismatch, name)
			s.header = told
			got, err := c.Convert.Fetch(t.Context(), s.file(), FetchOptions{PartPath: part})
			require.NoError(t, err, name)
			assert.Equal(t, sum(right), got.SHA256)
			assert.Equal(t, []string{"", "bytes=4000-", ""}, s.ranges, name)
		})
	}
}

// And what was announced at first stands beside the part, for a file that was taken up rightly.
func TestAnAnnouncementOutlivesItsAttempt(t *testing.T) {
	s := newStock(t)
	s.renew(resumedUpTo, 3)
	s.digest = true
	c, part := s.client(t), filepath.Join(t.TempDir(), "p")
	for _, cut := range []int{1000, 2 * recordEvery, 10} {
		t.Run(fmt.Sprintf("cut %v", cut), func(t *testing.T) {
			s.cutAfter = cut
			_, err := s.fetch(c, part)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			notes, err := os.ReadFile(etagPath(part))
			require.NoError(t, err)
			assert.Equal(t, 1, strings.Count(string(notes), promiseMark+sum(string(s.content))+"\n"))
			s.digest = false
		})
	}
	s.cutAfter = -1
	got, err := s.fetch(c, part)
	require.NoError(t, err)
	assert.Equal(t, sum(string(s.content)), got.SHA256)
	assert.Equal(t, int64(len(s.content)), s.served, "no byte was sent twice")
}

func TestOpenEndsInAnErrorWhereTheContentIsAnother(t *testing.T) {
	s := newShelf(t, "the wrong content")
	for want, good := range map[string]bool{"the right content": false, "the wrong content": true} {
		t.Run(want, func(t *testing.T) {
			s.header = http.Header{"Repr-Digest": {"sha-256=:" + base64Sum(want) + ":"}}
			body, err := s.client(t).Convert.Open(t.Context(), s.file())
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, body.Close())
			assert.Equal(t, s.content, data)
			if good {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrMismatch)
			}
		})
	}
}

// FuzzPromised: of whatever headers say, nothing is believed but a SHA-256, and what this package would write is read.
func FuzzPromised(f *testing.F) {
	good := base64Sum("good")
	for _, seed := range []string{"sha-256=:" + good + ":", "sha-512=:AAAA:, sha-256=:" + good + ":;a", good, good + "-2", ",", "sha-256=:=:", "sha-256=:\n:"} {
		f.Add(seed, seed, 200, []byte("good"))
	}
	f.Fuzz(func(t *testing.T, repr, s3 string, status int, content []byte) {
		header := http.Header{"Repr-Digest": {repr}, "X-Amz-Checksum-Sha256": {s3}}
		for _, sum := range promised(&http.Response{StatusCode: status, Header: header}) {
			text := base64.StdEncoding.EncodeToString(sum)
			if len(sum) != sha256.Size || !strings.Contains(repr, "sha-256=:"+text+":") && !strings.Contains(s3, text) {
				t.Fatalf("%q and %q promise %x", repr, s3, sum)
			}
		}
		hash := sha256.Sum256(content)
		header["Repr-Digest"] = []string{repr, "sha-256=:" + base64.StdEncoding.EncodeToString(hash[:]) + ":"}
		sums := promised(&http.Response{StatusCode: http.StatusPartialContent, Header: header})
		if len(sums) != 1 || !bytes.Equal(sums[0], hash[:]) || keeps(sums, hash[:]) != nil || keeps(sums, hash[1:]) == nil {
			t.Fatalf("%q hides the last member: %x", repr, sums)
		}
	})
}
