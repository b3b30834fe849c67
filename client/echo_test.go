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
		t.Run(name, func(t *testing.T) {
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
		})
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
func TestClean_leavesOrdinaryTextAlone(t *testing.T) {
	for _, text := range []string{
		"This key is not accepted; send Authorization: Bearer ck_...", "The signature does not match.", "policy: one file per request", "unexpected token: x",
		"see https://convilyn.example/help?topic=quota&lang=en", "Signature: missing", "page=3", "a secret of 3 characters",
		// what documents are about
		"Policy: HH-4711-2026-0008-DK", "Policy: POL20260008123456", "policy=HH-4711-2026-0008-DK", `{"policy":"HH-4711-2026-0008-DK"}`, "Policy: DE89370400440532013000",
		"Policy No: 550e8400-e29b-41d4-a716-446655440000", "policy: retention-policy-2026-final-version", "Policy: Haftpflichtversicherung", "token=identifier", "token: unexpected-end-of-document",
		"Signature: Karl-Theodor Müller-Lüdenscheidt", "Signature: (unterschrieben am 2026-11-30)", "Signature: Dr.Annegret.Kramp-Karrenbauer", "sig=none", "Authorization: Geschäftsführer-Vertretung",
		"Authorization: Prokura-Nr-2026-000471-HRB", "Credential=Facharzt-Urkunde-2026", "Bearer bonds are payable to the bearer of the instrument", "the bearer Inhaberschuldverschreibung-2026",
		"IBAN DE89 3704 0044 0532 0130 00 and GB29NWBK60161331926819", "Order 2026-11-0004711-A is not found", "Auftrag AB-2026-000815 / Kunde K10023345",
		"sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 does not match", "md5: 9e107d9d372bb6826bd81d3542a419d6", "commit d70924c5f0e1a2b3c4d5e6f708192a3b4c5d6e7f",
		"job 550e8400-e29b-41d4-a716-446655440000 is unknown", "file_9a77b1c2d3e4f5061728 has expired", "The file ck_report_2026_final.docx is empty", "ck_editor_settings.json: no route", "ck_internationalization.md",
		"cvl_Lebenslauf_Anna_Schmidt_2026.pdf", "C:\\Users\\anna\\Unterschrift_2026-11-30.png", "/srv/scans/2026/11/30/policy=all/report.pdf",
		"Die Datei „Übergrößenträger_Prüfbericht_2026.docx“ enthält keine Tabelle.", "Unterschrift: fehlt; Vollmacht: liegt vor", "署名: 山田太郎（二〇二六年十一月三十日）", "契約番号：HH-4711-2026-0008-DK のファイルが見つかりません",
		"キー: トークン=なし、ポリシー=標準", "x-height: 12 and x-amount: 4711", "passwords must have 12 characters", "the document is protected by a password", "the key: signature of the second page",
		"Rechnung Nr. RE2026110012345678 über 1.234,56 €", "ISBN 978-3-16-148410-0, DOI 10.1000/xyz123456789", "https://example.org/policy/HH-4711-2026-0008-DK?page=2",
	} {
		t.Run(text, func(t *testing.T) {
			assert.Equal(t, text, secrets{canaryKey}.clean(text))
			reply, err := json.Marshal(map[string]string{"message": text})
			require.NoError(t, err)
			assert.Equal(t, text, decodeAPIError(400, http.Header{}, secrets{canaryKey}.cleanReply(reply)).Message)
		})
	}
	big := []byte(`{"n": 12345678901234567890, "detail": [1]}`)
	assert.Equal(t, string(big), string(secrets{canaryKey}.cleanReply(big)), "a reply without secrets is as it came")
}

// Secrets of others are known by their shapes.
func TestClean_hidesWhatOnlySecretsLookLike(t *testing.T) {
	const (
		hex    = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
		base64 = "bWq2s1WEIj+Ydj0vQ697zp+IXMU="
		policy = "eyJleHBpcmF0aW9uIjoiMjAyNi0xMS0zMFQxMjowMDowMFoiLCJjb25kaXRpb25zIjpbXX0="
		jwt    = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
	)
	for text, secret := range map[string]string{
		"key ck_live_4eC39HqLyjWDarjtT1zdp7dc.":                            "4eC39HqLyjWDarjtT1zdp7dc",
		"ck_local_9f86d081884c7d659a2feaa0c55ad015 is refused":             "9f86d081884c7d659a2feaa0c55ad015",
		"cvl_Zm9vYmFyMTIzNDU2 and cvi_QUJDREVGMTIzNDU2":                    "Zm9vYmFyMTIzNDU2",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw":                           "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"GET /f?X-Amz-Expires=900&X-Amz-Signature=" + hex + "&x=1":         hex,
		"at https%3A%2F%2Fh%2Ff%3FX-Amz-Signature%3D" + hex:                hex,
		"X-Goog-Signature=" + hex:                                          hex,
		"/f?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=" + base64:       base64,
		"/f?sig=" + hex + "&se=2026":                                       hex,
		"x-amz-security-token: FwoGZXIvYXdzEBYaDH":                         "FwoGZXIvYXdzEBYaDH",
		"Authorization: Bearer " + jwt:                                     "dozjgNryP4J3jVmNHl0w5N",
		"Authorization: Basic dXNlcjpzZWNyZXRwYXNz":                        "dXNlcjpzZWNyZXRwYXNz",
		"map[Authorization:[Bearer sk0123456789abcdefghij]]":               "sk0123456789abcdefghij",
		"we were sent bearer 0123456789abcdef0123":                         "0123456789abcdef0123",
		"the token " + jwt + " has expired":                                "eyJzdWIiOiIxMjM0NTY3ODkwIn0",
		`{"policy":"` + policy + `"}`:                                      policy,
		"Policy: " + policy:                                                policy,
		`{\"policy\":\"` + policy + `\"}`:                                  policy,
		`{"signature":"` + base64 + `"}`:                                   base64,
		"signature: " + hex:                                                hex,
		"token=9f86d081884c7d659a2feaa0c55ad015":                           "9f86d081884c7d659a2feaa0c55ad015",
		"AKIAIOSFODNN7EXAMPLE is disabled, and so is ASIAIOSFODNN7EXAMPLE": "IOSFODNN7EXAMPLE",
		"aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY":   "wJalrXUtnFEMI",
		`{"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}`:  "wJalrXUtnFEMI",
		"api_key=abc&password=hunter2":                                     "hunter2",
		"AIzaSyA1234567890abcdefghijklmnopqrstuv is restricted":            "SyA1234567890",
	} {
		t.Run(text, func(t *testing.T) {
			assert.NotContains(t, secrets(nil).clean(text), secret)
			reply, err := json.Marshal(map[string]string{"message": text})
			require.NoError(t, err)
			assert.NotContains(t, string(secrets(nil).cleanReply(reply)), secret)
			assert.NotContains(t, string(secrets(nil).cleanReply([]byte("<html>"+text))), secret)
		})
	}
}
