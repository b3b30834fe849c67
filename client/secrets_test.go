package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The canaries: a key, and the query of a presigned URL.
const (
	canaryKey   = "ck_live_CANARYKEY"
	canaryQuery = "CANARYSIGNATURE"
	canaryURL   = "https://storage.example/in/file?X-Amz-Signature=" + canaryQuery + "#" + canaryQuery
)

// printings is everything that people do with a value when they print or log it.
func printings(value any) string {
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		fmt.Fprintf(&out, verb+"\n", value)
	}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zap.DebugLevel))
	log.Info("v", zap.Any("value", value), zap.String("text", fmt.Sprint(value)))
	if err, ok := value.(error); ok {
		log.Error("e", zap.Error(err))
		for at := err; at != nil; at = errors.Unwrap(at) {
			fmt.Fprintf(&out, "%+v\n", at)
		}
	}
	if s, ok := value.(fmt.Stringer); ok {
		log.Info("s", zap.Stringer("value", s))
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("v", "value", fmt.Sprint(value))
	return out.String()
}

func TestNothingPrintsASecret(t *testing.T) {
	c, err := New("https://api.example.org", canaryKey)
	require.NoError(t, err)
	link := PresignedURL(canaryURL)
	values := map[string]any{
		"key": c.key, "URL": link, "URL pointer": &link,
		"grant": WirePresignReply{UploadURL: link, FileID: "file_1"}, "wire result": WireResultFile{URL: link},
	}
	for name, value := range values {
		text := printings(value)
		if name == "grant" || name == "wire result" {
			// Logged as JSON a model is data; printed, it is not.
			text = fmt.Sprintf("%v %+v %#v", value, value, value)
		}
		assert.NotContains(t, text, "CANARY", name)
	}
	assert.Equal(t, "https://storage.example/in/file?(redacted)", link.String())
	assert.Equal(t, "(unparsable URL)", PresignedURL("http://[bad?"+canaryQuery).String())
	assert.Equal(t, "https://h/p?(redacted)", RedactURL("https://user:"+canaryKey+"@h/p"))
}

// Every way in which a call can fail, against servers that fail in that way.
func TestNoErrorShowsASecret(t *testing.T) {
	tricky := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = json.NewEncoder(w).Encode(WirePresignReply{UploadURL: PresignedURL("http://" + r.Host + "/storage?sig=" + canaryQuery), Fields: map[string]string{"policy": canaryQuery}, FileID: "f"})
	}
	replies := map[string][]http.HandlerFunc{
		"refused":          {answer(401, `{"code":"AUTH_REQUIRED","message":"no"}`)},
		"down":             {answer(503, ``)},
		"lost":             {hangUp},
		"garbage":          {answer(200, `{"uploadUrl":"`+canaryURL+`"`)},
		"redirect":         {answer(302, ``, "Location", canaryURL)},
		"bad URL":          {answer(200, `{"uploadUrl":"http://[bad?`+canaryQuery+`","fileId":"f"}`)},
		"private URL":      {answer(200, `{"uploadUrl":"https://x.internal/?`+canaryQuery+`","fileId":"f"}`)},
		"http URL":         {answer(200, `{"uploadUrl":"http://x.example/?`+canaryQuery+`","fileId":"f"}`)},
		"storage lost":     {tricky, hangUp},
		"storage refuses":  {tricky, answer(403, `<Error><Code>SignatureDoesNotMatch</Code><Message>m</Message><StringToSign>`+canaryQuery+`</StringToSign></Error>`)},
		"storage redirect": {tricky, answer(307, ``, "Location", canaryURL)},
		"confirm lost":     {tricky, answer(204, ``), hangUp},
		"confirm refused":  {tricky, answer(204, ``), answer(422, `{"detail":[{"msg":"no"}]}`)},
	}
	for name, script := range replies {
		a := newAPI(t, script...)
		c, err := New(a.URL, canaryKey, WithMaxRetries(0))
		require.NoError(t, err)
		_, err = c.Files.Upload(t.Context(), UploadParams{Name: "a", Size: 1, Body: strings.NewReader("x")})
		require.Error(t, err, name)
		assert.NotContains(t, printings(err), "CANARY", "upload, %s", name)
		_, err = c.Convert.Create(t.Context(), aConversion)
		if err != nil {
			assert.NotContains(t, printings(err), "CANARY", "create, %s", name)
		}
		for _, link := range []string{a.URL + "/r?sig=" + canaryQuery, canaryURL, "https://127.0.0.1:1/?" + canaryQuery, "http://[bad?" + canaryQuery, "https://nowhere.invalid/?" + canaryQuery} {
			_, err = c.Convert.Fetch(t.Context(), ResultFile{URL: PresignedURL(link), Size: 3}, FetchOptions{PartPath: filepath.Join(t.TempDir(), "p")})
			require.Error(t, err, "%s %s", name, link)
			assert.NotContains(t, printings(err), "CANARY", "fetch, %s", name)
		}
		c.CloseIdleConnections()
	}
}
