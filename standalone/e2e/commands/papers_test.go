package commands

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/testkit/papers"
	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

const root = "../../.."

// What the README and docs/ tell users to type exists.
func TestPapers_Commands(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	program := &papers.Program{Name: "standalone", Help: func(t *testing.T, words ...string) string {
		t.Helper()
		code, out, errs := b.Run(append([]string{"help"}, words...)...)
		require.Zero(t, code, errs)
		return out
	}}

	assert.Greater(t, papers.CheckCommands(t, root, program), 30)

	flags := append(program.Flags(t, "bench"), "--addr", "--files") // of starter inbox
	papers.CheckMentions(t, root, flags)
}
