package fidelity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/backend/engines/fidelity"
)

func TestCompare_ShowsWhereWordsAreMissing(t *testing.T) {
	content := func(text string) fidelity.Content { return fidelity.Content{Words: strings.Fields(text), Width: -1} }
	const sum = "item net gross valve 100 119 pipe 20 24 the end of the table is here and the next price is 100 again for all"

	for name, test := range map[string]struct {
		output string
		want   []fidelity.Difference
	}{
		"nothing": {sum, nil},
		"numbers that run together": {strings.Replace(sum, "20 24", "2024", 1), []fidelity.Difference{{
			Source: "item net gross valve 100 119 pipe 20 24 the end of the table is here and", Output: "item net gross valve 100 119 pipe 2024 the end of the table is here", Missing: []string{"20", "24"},
		}}},
		"one of two": {strings.Replace(sum, "100 119", "119", 1), []fidelity.Difference{{
			Source: "item net gross valve 100 119 pipe 20 24 the end of the", Output: "item net gross valve 119 pipe 20 24 the end of the", Missing: []string{"100"},
		}}},
		"everything": {"", []fidelity.Difference{{
			Source: sum, Missing: strings.Fields(sum),
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, fidelity.Compare(content(sum), content(test.output)).Differences)
		})
	}

	var far []string
	for range 100 {
		far = append(far, "lost one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen")
	}
	source := strings.Join(far, " ")
	some := fidelity.Compare(content(source), content(strings.ReplaceAll(source, "lost ", ""))).Differences
	assert.Len(t, some, 12, "not the document again")
}
