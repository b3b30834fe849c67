package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/roots"
)

// incomplete has one job, in whose output something is missing.
type incomplete struct {
	Convert
	check client.CheckResult
}

func (l incomplete) Retrieve(context.Context, string, ...client.CallOption) (*client.ConvertJob, error) {
	check := l.check
	return &client.ConvertJob{
		JobID: "job_1", Status: client.JobCompleted, ResultFiles: []client.ResultFile{{Filename: "made.md", Size: 4}},
		Warnings: []string{"best_effort: a note", client.LossPrefix + "1 of 3 words of the source is not in the output: secretword"}, Check: &check,
	}, nil
}

func (l incomplete) Fetch(_ context.Context, _ client.ResultFile, o client.FetchOptions) (*client.Downloaded, error) {
	if err := o.Folder.WriteFile(o.PartPath, []byte("made"), 0o600); err != nil {
		return nil, err
	}
	return &client.Downloaded{Path: o.PartPath, Size: 4, SHA256: sumOf("made"), Mimetype: "text/markdown"}, nil
}

func newIncomplete(losses int) *bench {
	check := client.CheckResult{Words: 3, Missing: 1, Losses: losses, Differences: []client.Difference{{Source: "the secretpassage secretword", Output: "the secretpassage", Missing: []string{"secretword"}}}}
	b := &bench{steps: New(API{Convert: incomplete{check: check}}, 200*time.Millisecond, nil)}
	var suite testsuite.WorkflowTestSuite
	b.env = suite.NewTestActivityEnvironment()
	b.env.RegisterActivity(b.steps)
	return b
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := []string{}
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// held is a folder with an output that waits, as DownloadResults leaves it.
func held(t *testing.T) (*bench, Destination, Held) {
	t.Helper()
	b, dir := newIncomplete(1), t.TempDir()
	to := Destination{Folder: "file://" + dir, Stem: "a", Format: "md"}
	got, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: "job_1", To: to, Part: "7", Hold: true})
	require.NoError(t, err)
	require.NotNil(t, got.Held)
	assert.Empty(t, got.Outputs)
	return b, to, *got.Held
}

func TestDownloadResults_HoldsWhatLacksSomething(t *testing.T) {
	_, to, waits := held(t)
	assert.Equal(t, []string{"1 of 3 words of the source is not in the output: secretword"}, waits.Losses)
	require.Len(t, waits.Files, 1)
	assert.Equal(t, HeldFile{Part: waits.Files[0].Part, Name: "a.md", Size: 4, SHA256: sumOf("made"), Mimetype: "text/markdown"}, waits.Files[0])
	dir := to.Folder[len("file://"):]
	assert.ElementsMatch(t, []string{waits.Files[0].Part, waits.Differences}, filesIn(t, dir))

	result, err := json.Marshal(waits)
	require.NoError(t, err)
	assert.NotContains(t, string(result), "secretpassage", "documents are not for a history")

	for name, test := range map[string]struct {
		hold   bool
		losses int
	}{"nobody is asked": {false, 1}, "nothing is missing": {true, 0}} {
		t.Run(name, func(t *testing.T) {
			b, dir := newIncomplete(test.losses), t.TempDir()
			got, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{
				JobID: "job_1", To: Destination{Folder: "file://" + dir, Stem: "a", Format: "md"}, Hold: test.hold,
			})
			require.NoError(t, err)
			assert.Nil(t, got.Held)
			assert.Equal(t, []string{"a.md"}, filesIn(t, dir))
			assert.Empty(t, got.Check.Differences)
		})
	}
}

// What somebody has put under the name of the differences is not written to.
func TestDownloadResults_WritesDifferencesToAFileOfTheirOwn(t *testing.T) {
	for name, link := range map[string]func(old, name string) error{
		"hard link":     os.Link,
		"symbolic link": func(old, name string) error { return os.Symlink(filepath.Base(old), name) },
	} {
		t.Run(name, func(t *testing.T) {
			b, to, waits := held(t)
			dir := to.Folder[len("file://"):]
			mine, differences := filepath.Join(dir, "mine.txt"), filepath.Join(dir, waits.Differences)
			require.NoError(t, os.WriteFile(mine, []byte("mine"), 0o600))
			require.NoError(t, os.Remove(differences))
			require.NoError(t, link(mine, differences))

			_, err := run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{JobID: "job_1", To: to, Part: "7", Hold: true})

			require.NoError(t, err)
			kept, err := os.ReadFile(mine)
			require.NoError(t, err)
			assert.Equal(t, "mine", string(kept))
			info, err := os.Lstat(differences)
			require.NoError(t, err)
			assert.True(t, info.Mode().IsRegular())
		})
	}
}

func TestLossesOf_CutsToTheRoom(t *testing.T) {
	long := strings.Repeat("é", maxLosses)
	losses := lossesOf([]string{"a note", LossPrefix + "short", LossPrefix + long, LossPrefix + "no room"})
	require.Len(t, losses, 2)
	assert.Equal(t, "short", losses[0])
	assert.True(t, strings.HasPrefix(losses[1], "éé"))
	assert.True(t, strings.HasSuffix(losses[1], "é…"))
	assert.LessOrEqual(t, len(losses[1]), maxLosses)
}

func TestPlaceHeld(t *testing.T) {
	for name, test := range map[string]struct {
		before func(t *testing.T, dir string, in *PlaceHeldInput)
		code   string // of the failure
	}{
		"in its place": {},
		"by an attempt that died": {before: func(t *testing.T, dir string, in *PlaceHeldInput) {
			t.Helper()
			require.NoError(t, os.Rename(filepath.Join(dir, in.Held.Files[0].Part), filepath.Join(dir, "a.md")))
		}},
		"gone": {code: CodeHeldGone, before: func(t *testing.T, dir string, in *PlaceHeldInput) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(dir, in.Held.Files[0].Part)))
		}},
		"edited": {code: CodeHeldGone, before: func(t *testing.T, dir string, in *PlaceHeldInput) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(dir, in.Held.Files[0].Part), []byte("maDe"), 0o600))
		}},
		"cut": {code: CodeHeldGone, before: func(t *testing.T, dir string, in *PlaceHeldInput) {
			t.Helper()
			require.NoError(t, os.Truncate(filepath.Join(dir, in.Held.Files[0].Part), 2))
		}},
		"a link": {code: CodeHeldGone, before: func(t *testing.T, dir string, in *PlaceHeldInput) {
			t.Helper()
			part := filepath.Join(dir, in.Held.Files[0].Part)
			require.NoError(t, os.Rename(part, filepath.Join(dir, "mine.md")))
			require.NoError(t, os.Symlink("mine.md", part))
		}},
		"in its place, and a part that has changed": {before: func(t *testing.T, dir string, in *PlaceHeldInput) {
			t.Helper()
			in.To.OnExist = OnExistOverwrite
			require.NoError(t, os.WriteFile(filepath.Join(dir, "a.md"), []byte("made"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, in.Held.Files[0].Part), []byte("else"), 0o600))
		}},
		"something else is there": {code: CodeOutputExists, before: func(t *testing.T, dir string, _ *PlaceHeldInput) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "a.md"), []byte("else"), 0o600))
		}},
		"something else gives way": {before: func(t *testing.T, dir string, in *PlaceHeldInput) {
			t.Helper()
			in.To.OnExist = OnExistOverwrite
			require.NoError(t, os.WriteFile(filepath.Join(dir, "a.md"), []byte("else"), 0o600))
		}},
		"a part that is no part": {code: CodeBadArgument, before: func(_ *testing.T, _ string, in *PlaceHeldInput) {
			in.Held.Files[0].Part = "letter.docx"
		}},
		"a part elsewhere": {code: CodeBadArgument, before: func(_ *testing.T, _ string, in *PlaceHeldInput) {
			in.Held.Files[0].Part = "../.convilyn-x.part"
		}},
		"a place elsewhere": {code: CodeBadArgument, before: func(_ *testing.T, _ string, in *PlaceHeldInput) {
			in.Held.Files[0].Name = "../a.md"
		}},
		"differences elsewhere": {code: CodeBadArgument, before: func(_ *testing.T, _ string, in *PlaceHeldInput) {
			in.Held.Differences = "/etc/passwd"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b, to, waits := held(t)
			dir, in := to.Folder[len("file://"):], PlaceHeldInput{To: to, Held: waits}
			if test.before != nil {
				test.before(t, dir, &in)
			}
			got, err := run[PlaceHeldResult](t, b, b.steps.PlaceHeld, in)
			if test.code != "" {
				detail, known := FailureOf(err)
				require.True(t, known, "%v", err)
				assert.Equal(t, test.code, detail.Code)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []Output{{Path: filepath.Join(dir, "a.md"), Size: 4, SHA256: sumOf("made"), Mimetype: "text/markdown"}}, got.Outputs)
			assert.Equal(t, []string{"a.md"}, filesIn(t, dir))
			placed, err := os.ReadFile(filepath.Join(dir, "a.md"))
			require.NoError(t, err)
			assert.Equal(t, "made", string(placed))
		})
	}
}

func TestDiscardParts_RemovesWhatIsHeld(t *testing.T) {
	b, to, waits := held(t)
	dir := to.Folder[len("file://"):]
	mine := filepath.Join(dir, "mine.txt")
	require.NoError(t, os.WriteFile(mine, nil, 0o600))

	// The run that has fetched it had another id, as one that has continued as new.
	_, err := b.env.ExecuteActivity(b.steps.DiscardParts, DiscardPartsInput{Folder: to.Folder, Part: "other", Held: &waits})
	require.NoError(t, err)
	assert.Equal(t, []string{"mine.txt"}, filesIn(t, dir))

	waits.Files[0].Part = "mine.txt"
	_, err = b.env.ExecuteActivity(b.steps.DiscardParts, DiscardPartsInput{Folder: to.Folder, Part: "other", Held: &waits})
	require.NoError(t, err)
	assert.FileExists(t, mine)
}

func TestDocuments(t *testing.T) {
	_, to, waits := held(t)
	dir, elsewhere := to.Folder[len("file://"):], t.TempDir()
	source, secret := filepath.Join(dir, "source.docx"), filepath.Join(elsewhere, ".convilyn-secret.part")
	require.NoError(t, os.WriteFile(source, []byte("source"), 0o600))
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	link := filepath.Join(dir, ".convilyn-link.part")
	require.NoError(t, os.Symlink(secret, link))
	documents := NewDocuments(roots.New([]string{dir}, nil))

	for name, test := range map[string]struct {
		path string
		held bool
		want string // empty where it is refused
	}{
		"source":                   {source, false, "source"},
		"held":                     {filepath.Join(dir, waits.Files[0].Part), true, "made"},
		"no part":                  {source, true, ""},
		"outside of the roots":     {secret, true, ""},
		"a source outside":         {secret, false, ""},
		"a link out of the roots":  {link, true, ""},
		"a source by such a link":  {link, false, ""},
		"a source that is missing": {filepath.Join(dir, "none"), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := documents.Open(test.path, test.held)
			if test.want == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			defer func() { _ = file.Close() }()
			data, err := io.ReadAll(file)
			require.NoError(t, err)
			assert.Equal(t, test.want, string(data))
		})
	}
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
