package uploads

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// upload makes one as the inbox does, and is the answer that names it.
func upload(t *testing.T, root, name string) json.RawMessage {
	t.Helper()
	path := filepath.Join(root, name, "logo.png")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("12345"), 0o600))
	value, err := json.Marshal("file://" + path)
	require.NoError(t, err)
	return value
}

func TestUnneeded(t *testing.T) {
	holds := func(value json.RawMessage) []questions.Receipt {
		return []questions.Receipt{{AnswerID: "a", SlotID: "logo", Verdict: questions.VerdictAccepted, Value: value}}
	}
	for name, c := range map[string]struct {
		run      func(value json.RawMessage) *runstest.Run
		age      time.Duration
		unneeded bool
	}{
		"an open run that has it": {func(v json.RawMessage) *runstest.Run {
			return &runstest.Run{Kind: runs.Goal, ID: "g", Ledger: holds(v)}
		}, 48 * time.Hour, false},
		"an open run that does not answer": {func(v json.RawMessage) *runstest.Run {
			return &runstest.Run{Kind: runs.Goal, ID: "g", Ledger: holds(v), Silent: true}
		}, 48 * time.Hour, false},
		"a run that has ended": {func(v json.RawMessage) *runstest.Run {
			return (&runstest.Run{Kind: runs.Goal, ID: "g", Ledger: holds(v)}).End(nil)
		}, 48 * time.Hour, true},
		"a run that is forgotten": {func(json.RawMessage) *runstest.Run { return &runstest.Run{Kind: runs.Goal, ID: "other"} }, 48 * time.Hour, true},
		"an answer that the service refused": {func(json.RawMessage) *runstest.Run {
			return &runstest.Run{Kind: runs.Goal, ID: "g", Ledger: []questions.Receipt{{AnswerID: "a", Verdict: questions.VerdictInvalid}}}
		}, 48 * time.Hour, true},
		"an answer that is on its way": {func(json.RawMessage) *runstest.Run { return &runstest.Run{Kind: runs.Goal, ID: "g"} }, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			root, temporal := t.TempDir(), runstest.New()
			value := upload(t, root, "U1")
			temporal.Add(c.run(value))
			require.NoError(t, Note(root, value, "g"))

			found, err := Unneeded(t.Context(), &runs.Client{Temporal: temporal}, root, time.Now().Add(c.age))

			require.NoError(t, err)
			if !c.unneeded {
				assert.Empty(t, found)
				return
			}
			require.Equal(t, []Upload{{Folder: filepath.Join(root, "U1"), Bytes: 5}}, found)
			require.NoError(t, found[0].Remove())
			assert.NoDirExists(t, filepath.Join(root, "U1"))
		})
	}
	t.Run("whose runs are not known", func(t *testing.T) {
		root := t.TempDir()
		upload(t, root, "of-an-old-version")

		found, err := Unneeded(t.Context(), &runs.Client{Temporal: runstest.New()}, root, time.Now().Add(48*time.Hour))

		require.NoError(t, err)
		assert.Empty(t, found)
	})
}

func TestRefused(t *testing.T) {
	root := t.TempDir()
	value := upload(t, root, "U1")
	require.NoError(t, Note(root, value, "a/1", "b"))

	Refused(root, value, "a/1")
	assert.FileExists(t, filepath.Join(root, "U1", "logo.png"), "b may have it")
	Refused(root, value, "nobody")
	assert.FileExists(t, filepath.Join(root, "U1", "logo.png"))
	Refused(root, value, "b")
	assert.NoDirExists(t, filepath.Join(root, "U1"))

	for _, elsewhere := range []string{`"file:///etc/passwd"`, `"file_123"`, `7`, `"file://` + root + `/../x/y"`} {
		t.Run(elsewhere, func(t *testing.T) {
			require.NoError(t, Note(root, json.RawMessage(elsewhere), "a"))
			Refused(root, json.RawMessage(elsewhere), "a")
		})
	}
	left, err := os.ReadDir(root)
	require.NoError(t, err)
	assert.Empty(t, left)
}
