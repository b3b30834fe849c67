package manifest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/manifest"
)

// Whoever reads a plan from mark to mark reads every item once, whatever the size of a page.
func TestAPlanIsReadFromMarkToMark(t *testing.T) {
	names := make([]string, 23)
	for i := range names {
		names[i] = fmt.Sprintf("doc-%02d.md", i)
	}
	p := newPlace(t, names...)
	p.spec.MarkEvery = 5
	plan, all := p.make(t)
	require.Len(t, plan.Marks, 5)
	var read []manifest.Item
	for i, from := range plan.Marks {
		end := plan.End
		if i+1 < len(plan.Marks) {
			end = plan.Marks[i+1]
		}
		part, next, err := manifest.Anywhere.ReadPage(plan.Path(), from, end, 200)
		require.NoError(t, err)
		assert.Equal(t, end, next)
		assert.Len(t, part, min(5, 23-5*i))
		read = append(read, part...)
	}
	assert.Equal(t, all, read)
}

// A failure counts for the part that has the item's last word.
func TestFailuresOfSomeParts(t *testing.T) {
	p := newPlace(t, "a.md", "b.md", "c.md", "d.md")
	plan, _ := p.make(t)
	failed := func(index int) manifest.Entry {
		return manifest.Entry{Index: index, Status: manifest.StatusFailed, Error: &manifest.Fault{Code: "X"}}
	}
	parts := map[string][]manifest.Entry{
		"s00001-000001": {failed(0), failed(1)},
		"s00002-000001": {failed(2), failed(3)},
		"s00003-000001": {failed(1), {Index: 2, Status: manifest.StatusCompleted}},
	}
	for name, entries := range parts {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, manifest.Anywhere.WritePart(plan.Folder, name, entries))
		})
	}
	for want, prefixes := range map[string][]string{
		"[0]": {"s00001-"}, "[3]": {"s00002-"}, "[1]": {"s00003-"}, "[0 3]": {"s00001-", "s00002-"}, "[0 1 3]": nil,
	} {
		t.Run(want, func(t *testing.T) {
			again, err := manifest.Anywhere.PlanFailed(t.Context(), plan, prefixes, nil)
			require.NoError(t, err)
			var got []int
			for _, item := range items(t, again) {
				got = append(got, item.Index)
			}
			assert.Equal(t, want, fmt.Sprint(got), "%v", prefixes)
		})
	}
}
