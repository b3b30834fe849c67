package client

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzRetryAfter: whatever a service asks for, nobody waits less than nothing.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"7", "-1", "1e9", "NaN", "+Inf", "1e400", " 3 ", "Wed, 21 Oct 2026 07:28:00 GMT", "9223372036854775808", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		wait := retryAfter(http.Header{"Retry-After": {text}})
		if wait < 0 {
			t.Fatalf("%q: %s", text, wait)
		}
		if delay, again := retryDelay(1, 3, http.StatusServiceUnavailable, wait, 0.5); again && (delay <= 0 || delay > 2*retryCap) {
			t.Fatalf("%q: %s", text, delay)
		}
	})
}

// FuzzStorageError: what a storage says becomes one bounded error with a code of ours.
func FuzzStorageError(f *testing.F) {
	f.Add(403, []byte("<Error><Code>AccessDenied</Code><Message>no</Message></Error>"))
	f.Add(500, []byte("<Code>\x1b[2J</Code>"))
	f.Add(301, []byte("<Code></Code><Message>"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		err := storageError(&http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body))}, http.MethodPost, routeStorageUpload, codePrefixUpload, nil)
		if (err == nil) != (status < 300) {
			t.Fatalf("%d: %v", status, err)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Fatalf("%d bytes of error", len(err.Error()))
		}
	})
}

// FuzzForm: a name of any kind makes a form of one file, whose length was told before.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"a.pdf", "a\"b\\c.pdf", "a\r\nX-Evil: 1\r\n\r\n.pdf", "\u202efdp.exe", "../x", strings.Repeat("ä", 127), "\x00"} {
		f.Add(seed, "value", "text/plain")
	}
	f.Fuzz(func(t *testing.T, name, value, kind string) {
		const content = "the file"
		made, err := newForm(map[string]string{"key": value, "policy": "p"}, UploadParams{Name: name, Size: int64(len(content)), ContentType: kind})
		if err != nil {
			t.Fatal(err)
		}
		body := string(made.head) + content + string(made.tail)
		if int64(len(body)) != made.length(int64(len(content))) {
			t.Fatal("another length than was told")
		}
		_, params, err := mime.ParseMediaType(made.contentType)
		if err != nil {
			t.Fatal(err)
		}
		reader := multipart.NewReader(strings.NewReader(body), params["boundary"])
		var names []string
		for {
			part, err := reader.NextRawPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			data, err := io.ReadAll(part)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, part.FormName())
			if part.FormName() == "file" && string(data) != content || part.FormName() == "key" && string(data) != value {
				t.Fatalf("%s is %q", part.FormName(), data)
			}
		}
		if strings.Join(names, " ") != "key policy file" {
			t.Fatalf("%q made %q", name, names)
		}
	})
}

// FuzzSecretURL: of a presigned URL, nothing that is secret is printed, and a storage URL that passes leads to no
// place inside.
func FuzzSecretURL(f *testing.F) {
	for _, seed := range []string{"https://h.example/p?signature=s3cret", "https://u:s3cret@h/", "https://h/#s3cret", "%zz?s3cret", "https://127.0.0.1/?s3cret", "https://[::1]/", "file:///etc/passwd", "https://h.internal"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		shown := RedactURL(raw)
		for _, mark := range []string{"?", "#"} {
			if open, secret, found := strings.Cut(raw, mark+"s3cret"); found && !strings.Contains(open, "s3cret") && strings.Contains(shown, "s3cret"+secret) {
				t.Fatalf("%q shows as %q", raw, shown)
			}
		}
		c, err := New("https://api.example.org", "ck_test")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.checkStorageURL(PresignedURL(raw)); err == nil && !strings.HasPrefix(strings.ToLower(raw), "https://") {
			t.Fatalf("%q passes", raw)
		}
	})
}

// FuzzFields: numbers, times and texts of any spelling are read, bounded, or are faults.
func FuzzFields(f *testing.F) {
	f.Add([]byte(`{"n":1e999,"t":"2026-06-01T08:00:00","s":"\ud800"}`))
	f.Add([]byte(`{"n":"-0","t":7,"s":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fields := parseFields(data)
		fields.whole("n")
		at := fields.time("t")
		if at != (time.Time{}) && at.Location() != time.UTC {
			t.Fatalf("%v", at)
		}
		if text := fields.text("s"); !utf8.ValidString(text) {
			t.Fatalf("%q", text)
		}
	})
}
