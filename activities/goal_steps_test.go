package activities

import (
	"encoding/json"
	"path/filepath"
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
	paths := artifactPaths("/out", files)
	assert.Equal(t, []string{"/out/report.pdf", "/out/Report-2.PDF", "/out/_.._etc_passwd", "/out/artifact", "/out/artifact-2", "/out/a_b_c.txt", "/out/__name.txt", "/out/hidden"}, paths[:8])
	assert.True(t, strings.HasSuffix(paths[8], ".pdf"))
}

func FuzzArtifactNames(f *testing.F) {
	for _, name := range []string{"a.txt", "../x", "", "..", "\xff\xfe", strings.Repeat("x", 1000)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		paths := artifactPaths("/out", []client.ResultFile{{Filename: name}, {Filename: name}})
		for _, path := range paths {
			require.Equal(t, "/out", filepath.Dir(path), "%q", name)
			require.LessOrEqual(t, len(filepath.Base(path)), nameLimit+8)
			require.True(t, utf8.ValidString(path))
		}
		require.NotEqual(t, paths[0], paths[1])
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
		assert.Equal(t, test.ambiguous, mayHaveStarted(test.err), name)
	}
}
