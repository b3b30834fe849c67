package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPrintList_AlignsWideNames(t *testing.T) {
	columns := list[[2]string]{heading: []string{"FILE", "STATE"}, cells: func(r [2]string) []string { return r[:] }}
	for name, file := range map[string]string{
		"latin": "report.docx", "CJK": "日本語.docx", "emoji": "🎉👩‍👩‍👧.md", "combining": "Cafe\u0301.md", "mixed": "ｆｕｌｌ幅.txt",
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer

			require.NoError(t, printList(&Env{Stdout: &out}, columns, [][2]string{{"a-plain-name-for-width.txt", "state"}, {file, "state"}}, false))

			for line := range strings.Lines(out.String()) {
				at := strings.Index(strings.ToLower(line), "state")
				require.Positive(t, at)
				assert.Equal(t, 28, runewidth.StringWidth(line[:at]), "%q", line)
			}
		})
	}
}
