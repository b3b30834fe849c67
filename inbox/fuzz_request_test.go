package inbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// FuzzAPIAnswer: an answer of a program is taken as it was sent, or refused by name, and its repeat counts once.
func FuzzAPIAnswer(f *testing.F) {
	b := newBench(f)
	for _, seed := range []string{
		`{"slot_id":"tone","value":"casual","answer_id":"1","answered_by":"erp","note":"n"}`, `{"slot_id":"tone","value":"rude"}`,
		`{"slot_id":"later","value":[1,{"a":null}],"answer_id":"2"}`, `{"slot_id":"tone","value":null}`, `{"slot_id":"tone"}`, `{}`, `null`, `[]`, ``, `7`,
		`{"slot_id":"tone","value":"file:///etc/passwd"}`, `{"slot_id":"tone","value":["\u0066ile:///etc/passwd"]}`, `{"slot_id":"tone","value":{"a":"FILE:x"}}`,
		`{"slot_id":"tone","value":"casual"}{}`, `{"slot_id":"tone","value":"casual","channel":"policy"}`, `{"SLOT_ID":"tone","Value":"casual","value":"formal"}`,
		`{"slot_id":"\u0000\ud800","value":1e999,"answered_by":"a\r\nb"}`, `{"slot_id":"` + strings.Repeat("s", 300) + `","value":"` + strings.Repeat("ä", 3000) + `"}`,
		strings.Repeat(`{"value":`, 11_000), `{"slot_id":"tone","value":"casual","answer_id":"` + strings.Repeat("i", 201) + `"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		temporal := b.fresh(t, map[string]*runstest.Run{"w": toneRun("Letter")})
		send := func() (int, string) {
			w := b.do(httptest.NewRequest(http.MethodPost, "/api/runs/w/answers", bytes.NewReader(body)))
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			return w.Code, whole(t, w)
		}
		code, said := send()
		if len(temporal.Given()) == 0 {
			var fault apiFault
			require.NoError(t, json.Unmarshal([]byte(said), &fault))
			require.NotEmpty(t, fault.Code)
			require.NotEmpty(t, fault.Message)
			require.Contains(t, []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, code)
			return
		}
		given := temporal.Given()[0]
		bounded(t, given)
		require.False(t, readsDisk(given.Value), "%s", given.Value)
		var sent apiBody
		require.NoError(t, json.Unmarshal(body, &sent))
		require.Equal(t, read(t, sent.Value), read(t, given.Value))
		require.NotEmpty(t, given.AnswerID)
		require.Equal(t, []string{sent.SlotID, cmp.Or(sent.AnswerID, given.AnswerID), "http"}, []string{given.SlotID, given.AnswerID, given.Channel})
		if code == http.StatusOK && sent.AnswerID != "" {
			again, saidAgain := send()
			require.Equal(t, code, again)
			require.JSONEq(t, said, saidAgain)
			require.Len(t, b.run("w").Ledger, 1)
		}
	})
}

var inboxMethods = []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodOptions}

// FuzzKnock: whatever is asked, the answer is no failure of the inbox, and nothing is done or told without the token, a
// login or a link.
func FuzzKnock(f *testing.F) {
	b := newBench(f, withToken)
	b.hub.look = func(context.Context) (versions, error) { return nil, context.Canceled } // at its own times, which are none of a request's
	const form, multi = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
	part := "--b\r\nContent-Disposition: form-data; name=\"v:tone\"\r\n\r\ncasual\r\n--b--\r\n"
	good := linkTo(toneRun("").Questions[0])
	for who := range byte(4) {
		for _, path := range []string{"/", "/runs/w", "/groups/key-tone", "/previews/w/a", "/live", "/login", "/static/inbox.js", "/api/questions", "/api/runs/w/questions", "/api/runs/w/answers", "/nowhere", good, good + "x"} {
			f.Add(byte(0), who, path, "next=//zq&said=x.y&limit=7&q=<zq>", "", "")
		}
		f.Add(byte(1), who, "/runs/w/answers", "", form, "v%3Atone=casual&note=n")
		f.Add(byte(1), who, "/runs/b/steering", "", form, "signal=set-concurrency&concurrency=7&note=n")
		f.Add(byte(1), who, "/runs/b/steering", "", form, "signal=retry-failed&code=A&code=%00")
		f.Add(byte(1), who, "/groups/key-tone/answers", "", multi, part)
		f.Add(byte(1), who, "/login", "", form, "token=guess&name=a%0D%0Ab&next=%2F%5Czq")
		f.Add(byte(1), who, "/login", "", form, "token=the-token&name=%FF&next=%2F..%2F%2Fzq%3Fa")
		f.Add(byte(1), who, "/logout", "", "", "")
		f.Add(byte(1), who, "/api/runs/w/answers", "", "application/json", `{"slot_id":"tone","value":"casual"}`)
		f.Add(byte(1), who, good, "", multi, part)
	}
	f.Add(byte(0), byte(0), "/runs/%2e%2e%2f", "%zz&;", "multipart/form-data; boundary=\"\"", "\x00")
	f.Add(byte(1), byte(2), "/runs/w/answers", "", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file:tone\"; filename=\"../x\"\r\n\r\n")
	login := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader("token=the-token&name=Ada"))
	login.Header.Set("Content-Type", form)
	cookies := b.do(login).Result().Cookies()
	f.Fuzz(func(t *testing.T, method, who byte, path, query, kind, body string) {
		if strings.IndexFunc(query, unicode.IsControl) >= 0 {
			t.Skip("net/http takes no such request")
		}
		temporal := b.fresh(t, map[string]*runstest.Run{"w": toneRun("Letter"), "b": docsBatch()})
		r := httptest.NewRequest(inboxMethods[int(method)%len(inboxMethods)], "/", strings.NewReader(body))
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header.Set("Content-Type", kind)
		program, person := who%4 == 1, who%4 == 2
		switch who % 4 {
		case 1:
			r.Header.Set("Authorization", "Bearer the-token")
		case 2:
			b.jar = cookies
		case 3:
			r.Header.Set("Authorization", "Bearer "+query)
			b.jar = []*http.Cookie{{Name: cookies[0].Name, Value: query}}
		}
		said := whole(t, b.do(r))
		require.NotContains(t, said, "the-token")
		if path == good {
			require.Empty(t, b.run("b").Signals)
			return
		}
		api := strings.HasPrefix(path, "/api/")
		if allowed := program && api || person && !api; !allowed {
			require.Zero(t, temporal.Calls(), "%s was let in", path)
			require.NotContains(t, said, "Which tone?")
		}
		for _, signal := range b.run("b").Signals {
			s := signal.Steering
			require.True(t, s.Concurrency >= 0 && s.Concurrency <= batch.MaxConcurrency)
			require.LessOrEqual(t, len(s.Note), maxNote+len("…"))
		}
		for _, a := range temporal.Given() {
			bounded(t, a)
		}
	})
}
