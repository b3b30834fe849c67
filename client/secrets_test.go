package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
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
		t.Run(name, func(t *testing.T) {
			text := printings(value)
			if name == "grant" || name == "wire result" {
				// Logged as JSON a model is data; printed, it is not.
				text = fmt.Sprintf("%v %+v %#v", value, value, value)
			}
			assert.NotContains(t, text, "CANARY", name)
		})
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
		t.Run(name, func(t *testing.T) {
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
		})
	}
}

// Streams carry the key in a header or in their URL, and anything in their frames.
func TestNoFeedShowsASecret(t *testing.T) {
	poison := session(0, func(_ *gateway, ws *websocket.Conn) { send1(ws, "{"+canaryQuery) })
	echo := func(*gateway) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			answer(403, canaryKey+r.URL.RawQuery, "Location", "/?"+r.URL.RawQuery)(w, r)
		}
	}
	for name, opts := range map[string][]Option{"header": nil, "URL": {WithTokenInURL()}} {
		t.Run(name, func(t *testing.T) {
			for _, play := range []func(*gateway) http.HandlerFunc{poison, echo, refuse(404)} {
				for _, url := range []string{"", "wss://nowhere.invalid", "ws://127.0.0.1:1/stage"} {
					g := newGateway(t, play)
					if url == "" {
						url = "ws" + strings.TrimPrefix(g.URL, "http") + PathEvents
					}
					told := ""
					opts := append([]Option{
						WithMaxRetries(0), WithEventsURL(url), WithObserver(func(i RequestInfo) { told += printings(i) }),
						withSleep(func(ctx context.Context, _ time.Duration) error { g.set(`{"` + canaryQuery + `":`); return ctx.Err() }),
					}, opts...)
					c, err := New(g.URL, canaryKey, opts...)
					require.NoError(t, err)
					var last error
					for event, err := range c.Goals.Events(t.Context(), "g/1", EventOptions{}) {
						told += printings(event)
						last = err
					}
					require.Error(t, last, name)
					assert.NotContains(t, told+printings(last)+printings(c.key), "CANARY", "%s %s", name, url)
					c.CloseIdleConnections()
				}
			}
		})
	}
}

func TestNoGoalCallShowsASecret(t *testing.T) {
	for name, reply := range map[string]http.HandlerFunc{
		"refused": answer(401, `{"code":"AUTH_REQUIRED","message":"no"}`), "lost": hangUp, "redirect": answer(302, ``, "Location", canaryURL),
		"garbage": answer(200, `{"downloadUrl":"`+canaryURL+`"`), "bad link": answer(200, `{"downloadUrl":"http://[bad?`+canaryQuery+`"}`),
		"private link": answer(200, `{"downloadUrl":"https://x.internal/?`+canaryQuery+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, reply)
			c, err := New(a.URL, canaryKey, WithMaxRetries(0))
			require.NoError(t, err)
			_, err = c.Goals.Download(t.Context(), "g", Artifact{ArtifactID: "a", DownloadURL: canaryURL}, DownloadOptions{Path: filepath.Join(t.TempDir(), "x")})
			require.Error(t, err, name)
			assert.NotContains(t, printings(err), "CANARY", name)
			_, err = c.Goals.Start(t.Context(), StartParams{WorkflowID: "w"})
			require.Error(t, err, name)
			assert.NotContains(t, printings(err), "CANARY", name)
			c.CloseIdleConnections()
		})
	}
}
