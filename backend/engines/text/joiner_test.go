package text

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Texts that come in many pieces are not copied for each.
func TestJoinedTexts_AreNotCopiedEachTime(t *testing.T) {
	const pieces, most = 1000, 100 // allocations
	t.Run("runs", func(t *testing.T) {
		var got []run
		allocations := testing.AllocsPerRun(1, func() {
			r := &runReader{docxReader: &docxReader{story: &story{}}}
			for range pieces {
				r.add("ab", style{})
			}
			r.add("c", style{bold: true})
			r.add("d", style{bold: true})
			got = r.out
		})
		require.Len(t, got, 2)
		assert.Equal(t, strings.Repeat("ab", pieces), got[0].text)
		assert.Equal(t, "cd", got[1].text)
		assert.Less(t, allocations, float64(most))
	})
	t.Run("lines of code", func(t *testing.T) {
		g := &listGatherer{}
		allocations := testing.AllocsPerRun(1, func() {
			g = &listGatherer{}
			for range pieces {
				g.addCode("ab")
			}
			g.add(rule{})
			g.addCode("c")
			g.addCode("")
			g.addCode("d")
		})
		assert.Equal(t, []block{preformatted{text: strings.Repeat("ab\n", pieces-1) + "ab"}, rule{}, preformatted{text: "c\n\nd"}}, g.out)
		assert.Less(t, allocations, float64(pieces+most)) // one for each block that is put into the list
	})
}
