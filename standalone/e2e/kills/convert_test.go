package kills

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/standalone/e2e/fixture"
)

// filesOfKills is how many files are converted at once; CONVILYN_TEST_KILLS=all has more of them.
func filesOfKills() int {
	if fixture.All("KILLS") {
		return 50
	}
	return 24
}

func TestFaultsOnEveryRoute(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	faults := b.Write("faults.yaml", `
seed: 11
rules:
  - {route: "* /**", probability: 0.05, answer: {lose_reply: true}}
  - {route: "GET /**", probability: 0.05, answer: {cut_body: true}}
  - {route: "* /**", probability: 0.3, answer: {status: 503}}
`)
	files := filesOfKills()
	args := append([]string{"convert", "--to", "html", "-o", b.Out, "--json", "--faults", faults}, b.Documents(files)...)
	code, stdout, stderr := b.Run(args...)
	require.Equal(t, 0, code, stderr)
	all := fixture.Results(t, stdout)
	require.Len(t, all, files)
	tried := 0
	for _, r := range all {
		require.Equal(t, "completed", r.Status)
		tried = max(tried, r.Attempts)
	}
	assert.Greater(t, tried, 1, "the faults did strike")
	b.CheckOutputs(files)
	assert.Equal(t, files, b.Jobs())
}

func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	b := fixture.New(t)
	files := filesOfKills()
	args := append([]string{"convert", "--to", "html", "-o", b.Out, "--json"}, b.Documents(files)...)
	for _, lines := range []int{files / 10, files / 4, files / 2} {
		b.KillAfter(lines, args...)
	}
	code, stdout, stderr := b.Run(args...)
	require.Equal(t, 0, code, stderr)
	all := fixture.Results(t, stdout)
	require.Len(t, all, files)
	for _, r := range all {
		require.Equal(t, "completed", r.Status, "%+v", r)
	}
	b.CheckOutputs(files)
	assert.Equal(t, files, b.Jobs(), "every file was converted once")
}
