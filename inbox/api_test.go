package inbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

func TestTheAPI(t *testing.T) {
	b := newBench(t, withToken)
	b.add("w", toneRun("Letter"))
	b.add("ended", ended(&runstest.Run{Goal: "g"}))
	quiet := toneRun("Quiet")
	quiet.Silent = true
	b.add("quiet", quiet)
	b.add("rated", &runstest.Run{Goal: "g", Questions: []questions.Question{{Slot: slot.Slot{SlotID: "stars", Type: slot.Rating, Text: "How good?"}}}})
	answer := func(slot, value, id string) string {
		return fmt.Sprintf(`{"slot_id":%q,"value":%s,"answer_id":%q,"answered_by":"erp"}`, slot, value, id)
	}
	big := `{"slot_id":"tone","value":"` + strings.Repeat("a", maxBody) + `"}`
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		key, want                string
	}{
		{"list", "GET", "/api/questions", "", 200, "questions", "Which tone?"},
		{"list, filtered", "GET", "/api/questions?goal=none", "", 200, "questions", "[]"},
		{"limit", "GET", "/api/questions?limit=0", "", 400, "code", "BAD_LIMIT"},
		{"questions", "GET", "/api/runs/w/questions", "", 200, "questions", "Label formal"},
		{"no such run", "GET", "/api/runs/none/questions", "", 404, "code", "NO_SUCH_RUN"},
		{"no worker", "GET", "/api/runs/quiet/questions", "", 503, "code", "NO_WORKER"},
		{"refused", "POST", "/api/runs/w/answers", answer("tone", `"rude"`, "1"), 422, "options", "Label formal"},
		{"a rating's question", "GET", "/api/runs/rated/questions", "", 200, "questions", "type:rating"},
		{"rating out of bounds", "POST", "/api/runs/rated/answers", answer("stars", `6`, "1"), 422, "message", "6 is not from 1 to 5"},
		{"rating", "POST", "/api/runs/rated/answers", answer("stars", `4`, "2"), 200, "verdict", "accepted"},
		{"local file", "POST", "/api/runs/w/answers", answer("tone", `"file:///etc/passwd"`, "1"), 422, "code", "LOCAL_FILE"},
		{"accepted", "POST", "/api/runs/w/answers", answer("tone", `"casual"`, "2"), 200, "verdict", "accepted"},
		{"repeated", "POST", "/api/runs/w/answers", answer("tone", `"casual"`, "2"), 200, "verdict", "accepted"},
		{"conflict", "POST", "/api/runs/w/answers", answer("tone", `"formal"`, "3"), 409, "code", "ANSWER_CONFLICT"},
		{"unknown", "POST", "/api/runs/w/answers", answer("later", `1`, "4"), 422, "message", `this run does not ask "later"`},
		{"early", "POST", "/api/runs/w/answers", `{"slot_id":"later","value":1,"early":true}`, 200, "verdict", "early"},
		{"ledger", "GET", "/api/runs/w/answers", "", 200, "answers", "erp"},
		{"kept", "POST", "/api/runs/quiet/answers", answer("tone", `"casual"`, "5"), 202, "kept", "true"},
		{"ended", "POST", "/api/runs/ended/answers", answer("tone", `"x"`, "6"), 410, "code", "RUN_ENDED"},
		{"nowhere", "POST", "/api/runs/none/answers", answer("tone", `"x"`, "7"), 404, "code", "NO_SUCH_RUN"},
		{"no such address", "GET", "/api/nothing", "", 404, "message", "there is no GET /api/nothing here"},
		{"no such method", "DELETE", "/api/runs/w/answers", "", 404, "code", "NOT_FOUND"},
		{"no JSON", "POST", "/api/runs/w/answers", "slot_id=tone", 400, "code", "BAD_REQUEST"},
		{"no value", "POST", "/api/runs/w/answers", `{"slot_id":"tone"}`, 400, "code", "BAD_REQUEST"},
		{"too large", "POST", "/api/runs/w/answers", big, 413, "code", "TOO_LARGE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out := b.api(c.method, c.path, c.body, "the-token")
			require.Equal(t, c.code, code, "%v", out)
			require.Contains(t, fmt.Sprint(out[c.key]), c.want)
		})
	}
	code, out := b.api("POST", "/api/runs/quiet/answers", answer("tone", `"casual"`, "5"), "the-token")
	require.Equal(t, 202, code)
	require.Contains(t, out, "verdict")
	require.Nil(t, out["verdict"])
	code, _ = b.api("GET", "/api/questions", "", "wrong")
	require.Equal(t, 401, code)
	code, _ = b.api("GET", "/api/questions", "", "")
	require.Equal(t, 401, code)
	open := newBench(t)
	code, _ = open.api("GET", "/api/questions", "", "")
	require.Equal(t, 200, code, "this machine needs no token where there is none")
}
