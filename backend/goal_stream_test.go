package backend_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// dial opens an event stream; header is pairs of names and values in place of the key.
func dial(t *testing.T, s *testkit.Service, query string, header ...string) (*websocket.Conn, int) {
	t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	conn, response, err := websocket.DefaultDialer.DialContext(t.Context(), s.EventsURL()+query, h)
	if response != nil {
		defer response.Body.Close()
	}
	if err != nil {
		require.NotNil(t, response, "%v", err)
		return nil, response.StatusCode
	}
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	return conn, response.StatusCode
}

func listen(t *testing.T, s *testkit.Service, id string) *websocket.Conn {
	t.Helper()
	conn, _ := dial(t, s, "", "Authorization", "Bearer "+s.Key())
	require.NotNil(t, conn)
	require.NoError(t, conn.WriteJSON(client.WireSubscribe{Action: client.ActionSubscribe, JobSpecID: id}))
	return conn
}

func next(t *testing.T, conn *websocket.Conn) client.WireEvent {
	t.Helper()
	var event client.WireEvent
	kind, data, err := conn.ReadMessage()
	require.NoError(t, err)
	assert.Equal(t, websocket.TextMessage, kind)
	require.NoError(t, json.Unmarshal(data, &event))
	return event
}

// told is a stream in short: type and data, up to the end of the connection.
func told(t *testing.T, conn *websocket.Conn) (out []string, seqs []int, end error) {
	t.Helper()
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			return out, seqs, err
		}
		event := decode[client.WireEvent](t, string(data))
		out, seqs = append(out, string(event.Type)+" "+string(event.Data)), append(seqs, event.Seq)
	}
}

// letterToTheEnd takes a letter that was started with all its answers to its end, while conn listens.
func letterToTheEnd(t *testing.T, s *testkit.Service) *websocket.Conn {
	t.Helper()
	id := start(t, s, `{"workflowId":"letter","fileIds":[],"slotAnswers":[`+formal+`]}`).JobSpecID
	until(t, s, id, client.GoalReady)
	conn := listen(t, s, id)
	event := next(t, conn)
	assert.Equal(t, client.EventStatus, event.Type)
	assert.Equal(t, []any{1, 2, id, s.Clock.Now()}, []any{event.Seq, event.SchemaVersion, event.JobSpecID, event.EmittedAt})
	assert.JSONEq(t, `{"status":"ready","message":""}`, string(event.Data))
	require.Equal(t, 202, act(t, s, id, "confirm", "").Status)
	until(t, s, id, client.GoalSlotsPending)
	require.Equal(t, 200, fill(t, s, id, `{"slotId":"approve","value":true}`).Status)
	until(t, s, id, client.GoalCompleted)
	return conn
}

func TestAStreamTellsTheWholeStory(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	conn := letterToTheEnd(t, s)
	events, seqs, end := told(t, conn)
	require.True(t, websocket.IsCloseError(end, websocket.CloseNormalClosure), "%v", end)
	require.NotEmpty(t, events)
	assert.Regexp(t, `^completed \{"result":\{"artifacts":\[\{"artifactId":"art_[0-9a-f]+","fileName":"final.txt"\},.*"status":"completed"\}$`, events[len(events)-1])
	assert.Equal(t, []string{
		`status {"status":"queued","message":""}`,
		`status {"status":"executing","message":""}`,
		`agent_step_started {"name":"drafting"}`,
		`progress {"progress":10}`,
		`agent_step_finished {"name":"drafting"}`,
		`agent_step_started {"name":"approving"}`,
		`progress {"progress":60}`,
		`agent_step_finished {"name":"approving"}`,
		`status {"status":"slots_pending","message":""}`,
		`slot_needed {"slotId":"approve","slotType":"boolean","question":"Is the draft good?","checkpointId":"approve"}`,
		`status {"status":"executing","message":""}`,
		`agent_step_started {"name":"drafting"}`,
		`agent_step_finished {"name":"drafting"}`,
		`agent_step_started {"name":"approving"}`,
		`agent_step_finished {"name":"approving"}`,
		`agent_step_started {"name":"printing"}`,
		`progress {"progress":80}`,
		`agent_step_finished {"name":"printing"}`,
		`progress {"progress":100}`,
		`status {"status":"completed","message":""}`,
	}, events[:len(events)-1])
	for i, seq := range seqs {
		assert.Equal(t, i+2, seq, "consecutive")
	}
	require.Eventually(t, func() bool { return s.Subscribers() == 0 }, testkit.Patience, time.Millisecond)
}

func TestStreamsOfJobsThatEndOtherwise(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	id := startToy(t, s, "letter").JobSpecID
	until(t, s, id, client.GoalSlotsPending)
	conn := listen(t, s, id)
	next(t, conn)
	assert.Equal(t, 1, s.Subscribers())
	require.Equal(t, 202, act(t, s, id, "cancel", "").Status)
	events, _, end := told(t, conn)
	assert.Equal(t, []string{`status {"status":"cancelled","message":""}`, `failed {"code":"CANCELLED","message":"The job was cancelled."}`}, events)
	require.True(t, websocket.IsCloseError(end, websocket.CloseNormalClosure), "%v", end)
	events, _, end = told(t, listen(t, s, id))
	assert.Len(t, events, 2, "who comes late is told how it ended")
	require.True(t, websocket.IsCloseError(end, websocket.CloseNormalClosure), "%v", end)

	partial := start(t, s, `{"workflowId":"letter","fileIds":[],"slotAnswers":[`+formal+`,{"slotId":"approve","value":false}]}`).JobSpecID
	until(t, s, partial, client.GoalReady)
	conn = listen(t, s, partial)
	next(t, conn)
	require.Equal(t, 202, act(t, s, partial, "confirm", "").Status)
	events, _, _ = told(t, conn)
	assert.Contains(t, events[len(events)-1], `"status":"partial"`)
	assert.Contains(t, events[len(events)-2], `{"status":"partial","message":"the approval"}`)
}

func TestStreamsThatAreRefused(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)), func(c *backend.Config) { c.Keys = []string{"ck_one", "ck_two"} })
	id := startToy(t, s, "letter").JobSpecID
	for name, header := range map[string][]string{"no key": {}, "another key": {"Authorization", "Bearer ck_three"}, "another scheme": {"Authorization", "Basic ck_one"}} {
		t.Run(name, func(t *testing.T) {
			_, status := dial(t, s, "", header...)
			assert.Equal(t, 401, status, name)
		})
	}
	_, status := dial(t, s, "?token=ck_three")
	assert.Equal(t, 401, status)
	_, status = dial(t, s, "", "Authorization", "Bearer ck_one", "Origin", "https://elsewhere.example")
	assert.Equal(t, 403, status, "a page of somebody else's")
	got := call[client.WireError](t, s, "GET", client.PathEvents, "")
	assert.Equal(t, 400, got.Status, got.Text)
	assert.Equal(t, "BAD_REQUEST", got.Error.Code)

	conn, _ := dial(t, s, "?token=ck_one")
	require.NotNil(t, conn)
	require.NoError(t, conn.WriteJSON(client.WireSubscribe{Action: client.ActionSubscribe, JobSpecID: id}))
	next(t, conn)
	for frame, key := range map[string]string{
		`{"action":"subscribe","jobSpecId":"job_1"}`:                                "ck_one",
		`{"action":"subscribe","jobSpecId":"{` + id + `}"}`:                         "ck_one",
		`{"action":"subscribe","jobSpecId":"00000000-0000-4000-8000-000000000000"}`: "ck_one",
		`{"action":"subscribe","jobSpecId":"` + id + `"}`:                           "ck_two",
		`{"action":"listen","jobSpecId":"` + id + `"}`:                              "ck_one",
		`hello`: "ck_one",
	} {
		t.Run(frame, func(t *testing.T) {
			conn, _ := dial(t, s, "", "Authorization", "Bearer "+key)
			require.NotNil(t, conn)
			require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(frame)))
			_, _, err := conn.ReadMessage()
			assert.True(t, websocket.IsCloseError(err, websocket.ClosePolicyViolation), "%s: %v", frame, err)
		})
	}
	conn, _ = dial(t, s, "?token=ck_one")
	err := conn.WriteMessage(websocket.TextMessage, make([]byte, 8<<10)) // the service may hang up before it has all
	if err == nil {
		_, _, err = conn.ReadMessage()
	}
	require.Error(t, err, "a frame may not be as large as it likes")
}

func TestStreamsEndWithTheService(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	id := startToy(t, s, "letter").JobSpecID
	until(t, s, id, client.GoalSlotsPending)
	conn := listen(t, s, id)
	next(t, conn)
	s.Restart()
	_, _, end := told(t, conn)
	require.True(t, websocket.IsCloseError(end, websocket.CloseGoingAway), "%v", end)
	conn = listen(t, s, id)
	assert.JSONEq(t, `{"status":"slots_pending","message":""}`, string(next(t, conn).Data))
	conn.Close()
	require.Eventually(t, func() bool { return s.Subscribers() == 0 }, testkit.Patience, time.Millisecond, "a peer that has gone is noticed")
}

func TestEventFaults(t *testing.T) {
	faults := func(rule string) testkit.Option { return testkit.WithFaults(t, "rules: ["+rule+"]") }
	seqsWith := func(rule string) ([]int, error) {
		s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)), faults(rule))
		_, seqs, end := told(t, letterToTheEnd(t, s))
		return seqs, end
	}
	seqs, end := seqsWith(`{events: progress, nth: 1, answer: {drop: true}}`)
	assert.Equal(t, []int{2, 3, 4, 6, 7}, seqs[:5])
	require.True(t, websocket.IsCloseError(end, websocket.CloseNormalClosure), "%v", end)
	seqs, _ = seqsWith(`{events: progress, count: 1, answer: {duplicate: true}}`)
	assert.Equal(t, []int{2, 3, 4, 5, 5, 6, 7}, seqs[:7])
	seqs, _ = seqsWith(`{events: progress, count: 1, answer: {reorder: true}}`)
	assert.Equal(t, []int{2, 3, 4, 6, 5, 7}, seqs[:6])
	seqs, end = seqsWith(`{events: completed, count: 1, answer: {reorder: true}}`)
	assert.Equal(t, 22, seqs[len(seqs)-1], "there is nothing to overtake the last one")
	require.True(t, websocket.IsCloseError(end, websocket.CloseNormalClosure), "%v", end)
	seqs, end = seqsWith(`{events: "*", nth: 4, answer: {disconnect: true}}`)
	assert.Equal(t, []int{2, 3}, seqs)
	require.True(t, websocket.IsUnexpectedCloseError(end), "%v", end)

	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)),
		faults(`{route: GET /ws, count: 1, answer: {status: 503}}, {route: GET /ws, count: 1, answer: {lose_reply: true}}, {route: GET /ws, count: 1, answer: {cut_body: true}}`))
	_, status := dial(t, s, "?token="+s.Key())
	assert.Equal(t, 503, status)
	for _, fault := range []string{"lose_reply", "cut_body"} {
		t.Run(fault, func(t *testing.T) {
			_, _, err := websocket.DefaultDialer.DialContext(t.Context(), s.EventsURL()+"?token="+s.Key(), nil)
			require.Error(t, err, fault)
		})
	}
	conn, _ := dial(t, s, "?token="+s.Key())
	require.NotNil(t, conn)
}

func TestAConnectionThatSaysNothingDoesNotKeepTheService(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter)))
	conn, _ := dial(t, s, "?token="+s.Key())
	require.NotNil(t, conn)
	s.Restart()
	_, _, err := conn.ReadMessage()
	require.Error(t, err)
}

func TestFaultsOfGoalRoutesAndSlots(t *testing.T) {
	s := testkit.StartService(t, testkit.WithGoals(toy("letter", letter), toy("questionnaire", questionnaire)), testkit.WithFaults(t, `
rules:
  - {slot: tone, nth: 1, answer: {fill: casual}}
  - {slot: tone, nth: 2, answer: {fill: rude}}
  - {slot: date, count: 1, answer: {fill: 2026-02-28, after: 1ms}}
  - {slot: several, count: 1, answer: {fill: [b]}}
  - {route: "POST /api/v1/jobs/goal/*/confirm", count: 1, answer: {status: 409}}
  - {route: "PATCH /api/v1/jobs/goal/*/slots", nth: 2, answer: {status: 409, code: VERSION_CONFLICT}}
`))
	id := startToy(t, s, "letter").JobSpecID
	job := until(t, s, id, client.GoalReady)
	assert.JSONEq(t, `"casual"`, string(job.FilledSlots["tone"]), "nobody of us has answered")
	assert.Equal(t, "CONFLICT", act(t, s, id, "confirm", "").Error.Code)
	assert.Equal(t, client.GoalReady, goalJob(t, s, id).Status)
	require.Equal(t, 202, act(t, s, id, "confirm", "").Status)

	id = startToy(t, s, "questionnaire").JobSpecID
	require.Eventually(t, func() bool {
		status, _, text := raw(t, s, "GET", client.PathGoal(id), "")
		return status == 200 && len(decode[client.WireGoalJob](t, text).FilledSlots) == 2
	}, testkit.Patience, time.Millisecond)
	job = goalJob(t, s, id)
	assert.JSONEq(t, `"2026-02-28"`, string(job.FilledSlots["date"]))
	assert.JSONEq(t, `["b"]`, string(job.FilledSlots["several"]))
	require.Equal(t, 200, fill(t, s, id, formal).Status, "what was filled wrongly from elsewhere is still asked")
	assert.Equal(t, "VERSION_CONFLICT", fill(t, s, id, `{"slotId":"yes","value":true}`).Error.Code)
	require.Equal(t, 200, fill(t, s, id, `{"slotId":"yes","value":true}`).Status)
}
