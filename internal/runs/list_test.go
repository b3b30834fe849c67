package runs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

func idsOf(found []runs.Run) []string {
	ids := []string{}
	for _, r := range found {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestPage_NewestFirstHoweverTheyEnded(t *testing.T) {
	at := time.Now()
	client, _ := clientOf(
		(&runstest.Run{Kind: runs.Conversion, ID: "old, ended last", StartedAt: at.Add(-900 * time.Hour), ClosedAt: at}).End(nil),
		&runstest.Run{Kind: runs.Conversion, ID: "older, open", StartedAt: at.Add(-9000 * time.Hour)},
		(&runstest.Run{Kind: runs.Conversion, ID: "new", StartedAt: at.Add(-2 * time.Minute), ClosedAt: at.Add(-time.Minute)}).End(nil),
		(&runstest.Run{Kind: runs.Conversion, ID: "ahead of this clock", StartedAt: at.Add(time.Hour), ClosedAt: at.Add(time.Hour)}).End(nil),
	)

	page, err := client.Page(t.Context(), runs.Filter{}, 1, 10)

	require.NoError(t, err)
	assert.Equal(t, []string{"ahead of this clock", "new", "old, ended last", "older, open"}, idsOf(page.Runs))
	assert.Equal(t, 4, page.Total)
}

func TestPage_IsFullWhateverIsPicked(t *testing.T) {
	at, all := time.Now(), make([]*runstest.Run, 0, 800)
	for i := range 800 {
		r := &runstest.Run{Kind: runs.Batch, ID: fmt.Sprintf("b-%04d", i), StartedAt: at.Add(-time.Duration(i) * time.Minute), Batch: batch.Memo{Name: "docs"}}
		if i%20 == 0 {
			r.Labels, r.Batch = []string{"team=legal"}, batch.Memo{Name: "Contracts of May", Failed: 1}
		}
		all = append(all, r.End(nil))
	}
	client, _ := clientOf(all...)
	for name, c := range map[string]struct {
		filter       runs.Filter
		number, size int
		first, last  string
		here, total  int
	}{
		"all":             {runs.Filter{}, 1, 50, "b-0000", "b-0049", 50, 800},
		"third page":      {runs.Filter{}, 3, 50, "b-0100", "b-0149", 50, 800},
		"last page":       {runs.Filter{}, 3, 300, "b-0600", "b-0799", 200, 800},
		"label":           {runs.Filter{Labels: []string{"team=legal"}}, 1, 30, "b-0000", "b-0580", 30, 40},
		"label, page 2":   {runs.Filter{Labels: []string{"team=legal"}}, 2, 30, "b-0600", "b-0780", 10, 40},
		"name":            {runs.Filter{Name: "contracts"}, 1, 30, "b-0000", "b-0580", 30, 40},
		"id":              {runs.Filter{Name: "B-01"}, 1, 10, "b-0100", "b-0109", 10, 100},
		"partial":         {runs.Filter{State: workflows.StatePartial}, 1, 30, "b-0000", "b-0580", 30, 40},
		"since":           {runs.Filter{Since: at.Add(-119 * time.Minute)}, 1, 50, "b-0000", "b-0049", 50, 120},
		"label and since": {runs.Filter{Since: at.Add(-119 * time.Minute), Labels: []string{"team=legal"}}, 1, 50, "b-0000", "b-0100", 6, 6},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := client.Page(t.Context(), c.filter, c.number, c.size)

			require.NoError(t, err)
			ids := idsOf(page.Runs)
			require.Len(t, ids, c.here)
			assert.Equal(t, []any{c.first, c.last, c.total, false}, []any{ids[0], ids[len(ids)-1], page.Total, page.More})
		})
	}
	t.Run("behind the end", func(t *testing.T) {
		page, err := client.Page(t.Context(), runs.Filter{}, 100, 50)

		require.NoError(t, err)
		assert.Empty(t, page.Runs)
	})
}

func TestList_GoalsThatEndedAsCancelled(t *testing.T) {
	client, _ := clientOf(
		(&runstest.Run{Kind: runs.Goal, ID: "by policy", State: workflows.StateCancelled}).End(nil),
		(&runstest.Run{Kind: runs.Goal, ID: "done", State: workflows.StateCompleted}).End(nil),
		&runstest.Run{Kind: runs.Goal, ID: "cancelled"},
		&runstest.Run{Kind: runs.Goal, ID: "open"},
	)
	require.NoError(t, client.Cancel(t.Context(), "cancelled"))

	found, err := client.List(t.Context(), runs.Filter{State: workflows.StateCancelled}, 10)

	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"by policy", "cancelled"}, idsOf(found))
	for _, r := range found {
		assert.Equal(t, workflows.StateCancelled, r.State(), r.ID)
	}
}

func TestFind(t *testing.T) {
	client, _ := clientOf(
		(&runstest.Run{Kind: runs.Conversion, ID: "convert-a-md-to-pdf-0123", File: "a.md", Format: "pdf", StartedAt: now}).End(nil),
		(&runstest.Run{Kind: runs.Conversion, ID: "convert-a-md-to-html-4567", File: "a.md", Format: "html", StartedAt: now.Add(time.Hour)}).End(nil),
		(&runstest.Run{Kind: runs.Batch, ID: "docs", RunID: "first", Batch: batch.Memo{Name: "docs"}, StartedAt: now}).End(nil),
		&runstest.Run{Kind: runs.Batch, ID: "docs", RunID: "second", Batch: batch.Memo{Name: "docs"}, StartedAt: now.Add(time.Hour)},
		&runstest.Run{Kind: runs.Batch, ID: "docs-2", Batch: batch.Memo{Name: "Minutes"}, StartedAt: now},
	)
	for name, c := range map[string]struct {
		text string
		want []string // one: found; several: the candidates; none: there is no such run
	}{
		"id that others begin with": {"docs", []string{"docs"}},
		"beginning of one":          {"convert-a-md-to-p", []string{"convert-a-md-to-pdf-0123"}},
		"beginning of two":          {"convert-a-md", []string{"convert-a-md-to-html-4567", "convert-a-md-to-pdf-0123"}},
		"name":                      {"Minutes", []string{"docs-2"}},
		"name of two":               {"a.md", []string{"convert-a-md-to-html-4567", "convert-a-md-to-pdf-0123"}},
		"middle of an id":           {"a-md", nil},
		"part of a name":            {"Minute", nil},
		"nothing":                   {"", nil},
		"a quote":                   {"it's", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := client.Find(t.Context(), c.text)
			switch len(c.want) {
			case 0:
				require.ErrorIs(t, err, runs.ErrNoSuchRun)
			case 1:
				require.NoError(t, err)
				assert.Equal(t, c.want[0], d.ID)
			default:
				var several *runs.AmbiguousError
				require.ErrorAs(t, err, &several)
				assert.Equal(t, c.want, idsOf(several.Found))
			}
		})
	}
}
