package goals_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/images"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// job runs the passes of a goal the way the service does, with a new Task each time; and once more in a folder of
// their own in a child process, which must come to the same.
type job struct {
	tb        testing.TB
	goal      goals.Goal
	inChild   goals.Goal
	other     string // the folder of the passes in the child
	inputs    []goals.Input
	dir       string
	answers   map[string]json.RawMessage
	confirmed bool
	registry  *engines.Registry
	pdf       engines.Engine

	last *goals.Task
}

func start(tb testing.TB, id string, inputs ...goals.Input) *job {
	tb.Helper()
	index := slices.IndexFunc(goals.All(), func(g goals.Goal) bool { return g.ID == id })
	require.GreaterOrEqual(tb, index, 0, id)
	pdf, goal := testkit.PDF(tb), goals.All()[index]
	return &job{
		tb: tb, goal: goal, inChild: goal.In(children(tb), time.Hour), other: tb.TempDir(), inputs: inputs, dir: tb.TempDir(), answers: map[string]json.RawMessage{}, pdf: pdf,
		registry: engines.NewRegistry(tb.Context(), text.New(), tables.New(), images.New(), pdf),
	}
}

// input is an upload; its file's name says nothing, as in the service.
func input(tb testing.TB, name string, data []byte) goals.Input {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "content")
	require.NoError(tb, os.WriteFile(path, data, 0o600))
	format, _ := client.FormatOf(name)
	return goals.Input{FileID: "file_" + strings.ReplaceAll(name, ".", "_"), Name: name, Format: format, Path: path, Size: int64(len(data))}
}

func example(tb testing.TB, name string) goals.Input {
	tb.Helper()
	return input(tb, name, testkit.Examples(tb, name))
}

func (j *job) convert(ctx context.Context, in goals.Input, target, dir string) ([]goals.File, []string, error) {
	engine, _, err := j.registry.Find(in.Format, target)
	if err != nil {
		return nil, nil, err
	}
	stem := strings.TrimSuffix(in.Name, filepath.Ext(in.Name))
	result, err := engine.Convert(ctx, engines.Request{
		Source: in.Format, Target: target, InputPath: in.Path, OutDir: dir, Stem: stem, Progress: func(int, string) {},
	})
	var files []goals.File
	for _, f := range result.Files {
		files = append(files, goals.File{Path: f.Path, Name: f.Filename, Mime: f.Mimetype})
	}
	return files, result.Warnings, err
}

func (j *job) task(dir string) *goals.Task {
	return &goals.Task{
		Inputs: j.inputs, Dir: dir, Answers: j.answers, Confirmed: j.confirmed, Convert: j.convert,
		Report: func(percent int, message string) {
			assert.True(j.tb, percent >= 0 && percent <= 100 && message != "", "%d %q", percent, message)
		},
	}
}

func (j *job) once() error {
	j.tb.Helper()
	j.last = j.task(j.dir)
	err := j.goal.Run(j.tb.Context(), j.last)
	for _, asked := range j.last.Pending {
		assert.Contains(j.tb, j.goal.Slots, asked.SlotID, "what is asked is said beforehand")
	}
	other := j.task(j.other)
	errInChild := j.inChild.Run(j.tb.Context(), other)
	assert.Equal(j.tb, fmt.Sprint(err), fmt.Sprint(errInChild))
	for _, pause := range []error{goals.ErrWaiting, goals.ErrReady, goals.ErrAgain} {
		assert.Equal(j.tb, errors.Is(err, pause), errors.Is(errInChild, pause))
	}
	assert.Equal(j.tb, lowerHalf(j.tb, j.last), lowerHalf(j.tb, other), "a pass in a child")
	for i, file := range other.Files {
		j.same(j.last.Files[i].Path, file.Path)
	}
	return err
}

// lowerHalf is what a pass came to, with paths as they are below the job's folder.
func lowerHalf(tb testing.TB, t *goals.Task) string {
	tb.Helper()
	raw, err := json.MarshalIndent(map[string]any{
		"pending": t.Pending, "approve": t.Approve, "preview": t.Preview, "retract": t.Retract, "files": t.Files, "missing": t.Missing,
		"closing": t.Closing, "warnings": t.Warnings,
	}, "", " ")
	require.NoError(tb, err)
	return strings.ReplaceAll(string(raw), t.Dir, "")
}

// same compares artifacts; PDFs, which hold the time, by what is to be read in them.
func (j *job) same(path, other string) {
	j.tb.Helper()
	a, err := os.ReadFile(path)
	require.NoError(j.tb, err)
	b, err := os.ReadFile(other)
	require.NoError(j.tb, err)
	if filepath.Ext(path) == ".pdf" {
		assert.Equal(j.tb, testkit.PDFText(j.tb, j.pdf, a), testkit.PDFText(j.tb, j.pdf, b))
		return
	}
	assert.True(j.tb, bytes.Equal(a, b), "%s differs in a child", filepath.Base(path))
}

// pass runs until the goal waits or ends, each pass twice: the second finds what the first has left, and comes
// to the same.
func (j *job) pass() error {
	j.tb.Helper()
	for range 10 {
		err := j.once()
		if errors.Is(err, goals.ErrAgain) {
			for _, id := range j.last.Retract {
				delete(j.answers, id)
			}
			continue
		}
		first, before := j.last, tree(j.tb, j.dir)
		second := j.once()
		assert.Equal(j.tb, fmt.Sprint(err), fmt.Sprint(second), "a pass again")
		assert.Equal(j.tb, before, tree(j.tb, j.dir), "a pass again changes nothing")
		for _, t := range []*goals.Task{first, j.last} {
			t.Convert, t.Report = nil, nil
		}
		assert.Equal(j.tb, first, j.last)
		return err
	}
	j.tb.Fatal("the goal takes answers back for ever")
	return nil
}

// tree lists the files of a folder with what is in them.
func tree(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	out := map[string]string{}
	require.NoError(tb, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = string(data)
		return err
	}))
	return out
}

// asked runs until questions are asked, which must be these.
func (j *job) asked(ids ...string) map[string]goals.Slot {
	j.tb.Helper()
	require.ErrorIs(j.tb, j.pass(), goals.ErrWaiting)
	slots := map[string]goals.Slot{}
	var got []string
	for _, slot := range j.last.Pending {
		got = append(got, slot.SlotID)
		slots[slot.SlotID] = slot
		assert.NotEmpty(j.tb, slot.Question)
		if slot.SuggestedValue != nil {
			assert.NoError(j.tb, slot.Validate(slot.SuggestedValue), "the suggestion is an answer")
		}
	}
	require.Equal(j.tb, ids, got)
	return slots
}

// answer answers a question that is open.
func (j *job) answer(id string, value any) {
	j.tb.Helper()
	raw, err := json.Marshal(value)
	require.NoError(j.tb, err)
	index := slices.IndexFunc(j.last.Pending, func(s goals.Slot) bool { return s.SlotID == id })
	require.GreaterOrEqual(j.tb, index, 0, "%s is asked", id)
	require.NoError(j.tb, j.last.Pending[index].Validate(raw))
	j.answers[id] = raw
}

// accept takes every suggestion, and leaves out what needs no answer.
func (j *job) accept() {
	j.tb.Helper()
	for _, slot := range j.last.Pending {
		if slot.SuggestedValue == nil && !slot.Required {
			continue
		}
		require.NotNil(j.tb, slot.SuggestedValue, slot.SlotID)
		j.answers[slot.SlotID] = slot.SuggestedValue
	}
}

func (j *job) confirm() {
	j.tb.Helper()
	require.ErrorIs(j.tb, j.pass(), goals.ErrReady)
	j.confirmed = true
}

// done runs to the end; the artifacts by name.
func (j *job) done() map[string][]byte {
	j.tb.Helper()
	require.NoError(j.tb, j.pass())
	require.NotEmpty(j.tb, j.last.Files)
	assert.True(j.tb, j.last.Files[0].Primary)
	assert.NotEmpty(j.tb, j.last.Closing)
	return j.read(j.last.Files)
}

func (j *job) read(files []goals.File) map[string][]byte {
	j.tb.Helper()
	out := map[string][]byte{}
	for _, f := range files {
		data, err := os.ReadFile(f.Path)
		require.NoError(j.tb, err)
		require.NotContains(j.tb, out, f.Name, "a name is used once")
		assert.NotEmpty(j.tb, f.Mime)
		assert.Equal(j.tb, filepath.Base(f.Name), f.Name)
		assert.True(j.tb, strings.HasPrefix(f.Path, j.dir), "artifacts lie in the job's folder")
		out[f.Name] = data
		keep(j.tb, f.Name, data)
	}
	return out
}

// shown is what is to be approved with a slot.
func (j *job) shown(slotID string) []byte {
	j.tb.Helper()
	require.Len(j.tb, j.last.Approve, 1)
	assert.Equal(j.tb, slotID, j.last.Approve[0].SlotID)
	for _, data := range j.read([]goals.File{j.last.Approve[0].File}) {
		return data
	}
	return nil
}

// keep leaves outputs for people to look at where GOALS_KEEP names a folder.
func keep(tb testing.TB, name string, data []byte) {
	tb.Helper()
	if dir := os.Getenv("GOALS_KEEP"); dir != "" {
		require.NoError(tb, os.WriteFile(filepath.Join(dir, strings.ReplaceAll(tb.Name(), "/", "_")+"-"+name), data, 0o600))
	}
}

func keepPicture(tb testing.TB, name string, m image.Image) {
	tb.Helper()
	var out bytes.Buffer
	require.NoError(tb, png.Encode(&out, m))
	keep(tb, name+".png", out.Bytes())
}

func decimal(n int) string { return strconv.Itoa(n) }
