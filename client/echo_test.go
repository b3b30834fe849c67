package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canaryMark is how storage signs: nothing in it tells that it is a secret.
const canaryMark = "CANARY0123456789abcdef"

// echoes are texts in which a service or what stands before it repeats a request, or a link that it has handed out.
func echoes(r *http.Request) []string {
	auth := r.Header.Get("Authorization")
	return []string{
		"refused: " + auth, "Authorization: " + auth, "headers=map[Authorization:[" + auth + "]]", "key " + canaryKey + ".",
		"cannot read https://storage.example/f?X-Amz-Expires=9&X-Amz-Signature=" + canaryMark, "GET /f?expires=1&signature=" + canaryMark + "&b=c",
		"wss://h/stage?token=" + canaryKey, "at " + url.QueryEscape("https://h/f?sig="+canaryMark),
		`{"policy":"` + canaryMark + `","x-amz-signature":"` + canaryMark + `"}`, "x-amz-security-token: " + canaryMark,
	}
}

// speak sends a text raw, so that net/http itself quotes it.
func speak(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
}

// shapes puts a text into everything that a failure can be answered with.
func shapes(text string) map[string]http.HandlerFunc {
	quoted, _ := json.Marshal(text)
	q := string(quoted)
	out := map[string]http.HandlerFunc{
		"flat": answer(422, `{"code":"X","message":`+q+`,"upgrade_url":`+q+`,"details":{"a":[{"b":`+q+`}],`+q+`:1}}`),
		"code": answer(422, `{"code":`+q+`}`), "wrapped": answer(402, `{"detail":{"code":"X","message":`+q+`}}`), "text": answer(400, `{"detail":`+q+`}`),
		"list": answer(422, `{"detail":[{"loc":["body"],"msg":`+q+`}]}`), "html": answer(502, "<html>"+text+"</html>"), "error": answer(500, `{"error":{"message":`+q+`}}`),
		"cut": answer(500, `{"message":`+q), "escaped": answer(400, `{"message":"`+escaped(text)+`"}`), "status line": speak("HTTP/1.1 " + text + "\r\n\r\n"),
		"first line": speak(text + "\r\n\r\n"), "header": speak("HTTP/1.1 200 OK\r\n" + strings.ReplaceAll(text, ":", " ") + "\r\n\r\n"),
		"length":   speak("HTTP/1.1 200 OK\r\nContent-Length: " + text + "\r\n\r\n"),
		"location": answer(302, ``, "Location", "http://[bad?"+url.QueryEscape(text)), "location of another kind": answer(307, ``, "Location", "%zz"+text),
		"number": answer(200, `{"progress":`+q+`,"jobId":"j"}`), "time": answer(200, `{"createdAt":`+q+`}`), "large": answer(500, text+strings.Repeat(" "+text, errorLimit/len(text))),
	}
	return out
}

// escaped is a text as JSON may write it, too.
func escaped(text string) string {
	var out strings.Builder
	for _, r := range text {
		fmt.Fprintf(&out, `\u%04x`, r)
	}
	return out.String()
}

// Services, and gateways before them, answer with what they were sent. Of that nothing that lets somebody in goes on.
func TestNoEchoShowsASecret(t *testing.T) {
	request, err := http.NewRequest(http.MethodGet, "/", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+canaryKey)
	for _, text := range echoes(request) {
		for name, handler := range shapes(text) {
			a := newAPI(t, handler)
			c, err := New(a.URL, canaryKey, WithMaxRetries(0))
			require.NoError(t, err)
			_, err = c.Convert.Retrieve(t.Context(), "j")
			if err != nil {
				assert.NotContains(t, printings(err), "CANARY", "%s: %s", name, text)
				var refusal *APIError
				if errors.As(err, &refusal) {
					assert.NotContains(t, string(refusal.RawBody), "CANARY", "%s: %s", name, text)
				}
			}
			c.CloseIdleConnections()
		}
	}
}

// Storage is told its secrets by link and form, and echoes them without saying what they are.
func TestNoStorageEchoShowsASecret(t *testing.T) {
	grant := func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(WirePresignReply{
			UploadURL: PresignedURL("http://" + r.Host + "/storage?" + canaryMark), FileID: "f",
			Fields: map[string]string{"key": "input/f", "policy": canaryMark + "==", "x-amz-signature": canaryMark},
		})
	}
	message := "<Error><Code>SignatureDoesNotMatch</Code><Message>got " + canaryMark + ", want another</Message></Error>"
	for name, refusal := range map[string]http.HandlerFunc{
		"xml": answer(403, message), "line": speak("broken " + canaryMark + "\r\n\r\n"), "location": answer(301, ``, "Location", "http://[bad?"+canaryMark),
	} {
		a := newAPI(t, grant, refusal)
		c, err := New(a.URL, canaryKey, WithMaxRetries(0))
		require.NoError(t, err)
		_, err = c.Files.Upload(t.Context(), UploadParams{Name: "a", Size: 1, Body: strings.NewReader("x")})
		require.Error(t, err, name)
		assert.NotContains(t, printings(err), "CANARY", "up, %s", name)
		c.CloseIdleConnections()
		a = newAPI(t, refusal)
		c, err = New(a.URL, canaryKey, WithMaxRetries(0))
		require.NoError(t, err)
		for _, query := range []string{"expires=1&signature=" + canaryMark, canaryMark} {
			_, err = c.Convert.Fetch(t.Context(), ResultFile{URL: PresignedURL(a.URL + "/r?" + query)}, FetchOptions{PartPath: filepath.Join(t.TempDir(), "p")})
			require.Error(t, err, name)
		}
		if name == "xml" {
			assert.Contains(t, err.Error(), "SignatureDoesNotMatch: got (redacted), want another", "what is no secret is said")
		}
		c.CloseIdleConnections()
	}
}

// What a job says goes into histories and reports, as errors do.
func TestNoJobTellsASecret(t *testing.T) {
	request := &http.Request{Header: http.Header{"Authorization": {"Bearer " + canaryKey}}}
	for _, text := range echoes(request) {
		q, _ := json.Marshal(text)
		convert := fmt.Sprintf(`{"jobId":"j","status":"failed","progressMessage":%s,"warnings":[%s],"error":{"code":"X","message":%s,"detail":{"reason":%s}}}`, q, q, q, q)
		goal := fmt.Sprintf(`{"jobSpecId":"g","status":"failed","agentMessage":%s,"errorCode":"X","errorMessage":%s,"errorDetail":{"reason":%s},`+
			`"pendingSlots":[{"slotId":"s","question":%s,"options":[{"value":"v","label":%s}]}]}`, q, q, q, q, q)
		a := newAPI(t, answer(200, convert), answer(200, goal))
		c, err := New(a.URL, canaryKey)
		require.NoError(t, err)
		job, err := c.Convert.Retrieve(t.Context(), "j")
		require.NoError(t, err)
		told, _ := json.Marshal(job)
		assert.NotContains(t, string(told), "CANARY", text)
		spec, err := c.Goals.Retrieve(t.Context(), "g")
		require.NoError(t, err)
		told, _ = json.Marshal(spec)
		assert.NotContains(t, string(told), "CANARY", text)
		c.CloseIdleConnections()

		event := fmt.Sprintf(`{"type":"progress","seq":1,"data":{"message":%s}}`, q)
		g := newGateway(t, session(0, func(_ *gateway, ws *websocket.Conn) { send1(ws, event) }))
		c, err = New(g.URL, canaryKey, WithMaxRetries(0), WithEventsURL("ws"+strings.TrimPrefix(g.URL, "http")+PathEvents))
		require.NoError(t, err)
		for event, err := range c.Goals.Events(t.Context(), "g/1", EventOptions{}) {
			if err == nil && event.Type == EventProgress {
				assert.NotContains(t, string(event.Data), "CANARY", text)
				break
			}
		}
		c.CloseIdleConnections()
	}
}

// Prose that is no secret stays as it is.
func TestOrdinaryTextIsLeftAlone(t *testing.T) {
	for _, text := range []string{
		"This key is not accepted; send Authorization: Bearer ck_...", "The signature does not match.", "policy: one file per request", "unexpected token: x",
		"see https://convilyn.example/help?topic=quota&lang=en", "Signature: missing", "page=3", "a secret of 3 characters",
	} {
		assert.Equal(t, text, secrets{canaryKey}.clean(text))
		assert.Equal(t, text, decodeAPIError(400, http.Header{}, secrets{canaryKey}.cleanReply(fmt.Appendf(nil, `{"message":%q}`, text))).Message)
	}
	big := []byte(`{"n": 12345678901234567890, "detail": [1]}`)
	assert.Equal(t, string(big), string(secrets{canaryKey}.cleanReply(big)), "a reply without secrets is as it came")
}
