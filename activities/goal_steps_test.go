package activities

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/slot"
)

func TestArtifactsStayInTheirFolderUnderTheirNames(t *testing.T) {
	names := []string{"report.pdf", "Report.PDF", "../../etc/passwd", "..", "", "a/b\\c.txt", "\x00\u202ename.txt", ".hidden", strings.Repeat("ä", 300) + ".pdf"}
	files := make([]client.ResultFile, len(names))
	for i, name := range names {
		files[i].Filename = name
	}
	got := artifactNames(files)
	assert.Equal(t, []string{"report.pdf", "Report-2.PDF", "_.._etc_passwd", "artifact", "artifact-2", "a_b_c.txt", "__name.txt", "hidden"}, got[:8])
	assert.True(t, strings.HasSuffix(got[8], ".pdf"))
}

func FuzzArtifactNames(f *testing.F) {
	for _, name := range []string{"a.txt", "../x", "", "..", "\xff\xfe", strings.Repeat("x", 1000)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := artifactNames([]client.ResultFile{{Filename: name}, {Filename: name}})
		for _, plain := range got {
			require.True(t, oneName(plain), "%q", name)
			require.LessOrEqual(t, len(plain), nameLimit+8)
			require.True(t, utf8.ValidString(plain))
		}
		require.NotEqual(t, got[0], got[1])
	})
}

func TestSameJSON(t *testing.T) {
	same := func(a, b string) bool { return SameJSON(json.RawMessage(a), json.RawMessage(b)) }
	assert.True(t, same(`{"a":1,"b":[1,2]}`, ` {"b":[1,2.0],"a":1}`))
	assert.False(t, same(`[1,2]`, `[2,1]`), "order counts: it may be the answer")
	assert.False(t, same(`"1"`, `1`))
	assert.False(t, same(``, ``))
}

func TestASnapshotIsSmall(t *testing.T) {
	long := json.RawMessage(`"` + strings.Repeat("x", 2*FilledLimit) + `"`)
	s := snapshotOf(&client.GoalJob{
		JobSpecID: "job", FilledSlots: map[string]json.RawMessage{"text": long, "tone": json.RawMessage(`"a"`)},
		AgentMessage:      strings.Repeat("ä", messageLimit),
		PendingSlots:      []client.PendingSlot{{SlotID: "cover", Bounds: slot.Bounds{MaxLength: 80}}},
		PendingInterrupts: []json.RawMessage{json.RawMessage(`{"interruptType":"approval_review","slotId":"cover","artifactId":"art_1","fileName":"c.png","mimeType":"image/png"}`), json.RawMessage(`{"interruptType":"batch_review"}`)},
	})
	assert.Contains(t, s.Filled, "text")
	assert.Nil(t, s.Filled["text"])
	assert.Less(t, len(s.Message), messageLimit+8)
	assert.True(t, utf8.ValidString(s.Message))
	assert.Equal(t, 80, s.Slots[0].Bounds.MaxLength)
	assert.Equal(t, []Preview{{ArtifactID: "art_1", FileName: "c.png", MimeType: "image/png"}}, s.Slots[0].Previews)
}

func TestWhatMayHaveStartedAGoal(t *testing.T) {
	for name, test := range map[string]struct {
		err       error
		ambiguous bool
	}{
		"no connection":  {&client.TransportError{}, false},
		"a lost reply":   {&client.TransportError{Sent: true}, true},
		"500":            {&client.APIError{Status: 500}, true},
		"504":            {&client.APIError{Status: 504}, true},
		"503 says no":    {&client.APIError{Status: 503}, false},
		"429 says no":    {&client.APIError{Status: 429}, false},
		"402 says no":    {&client.APIError{Status: 402}, false},
		"a bad argument": {&client.ArgumentError{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.ambiguous, mayHaveStarted(test.err), name)
		})
	}
}

// A 403 names a file of somebody else, unless its code is about the key: then nothing is wrong with the answer.
func TestRefusals_areNotOfKeys(t *testing.T) {
	sent := []SlotAnswer{{SlotID: "logo"}}
	for code, refused := range map[string]bool{"FORBIDDEN_FILE": true, "HTTP_403": true, "UNAUTHORIZED": false, "AUTH_REQUIRED": false, "free_cost_cap_exceeded": false} {
		t.Run(code, func(t *testing.T) {
			_, is := refusals(&client.APIError{Status: 403, Code: code, Message: "m", Details: map[string]any{}}, sent)
			assert.Equal(t, refused, is)
		})
	}
}
