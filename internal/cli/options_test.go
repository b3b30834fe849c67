package cli

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/option"
)

func TestConvert_RefusesOptionsByName(t *testing.T) {
	folder(t, "a.md", "p.txt")
	require.NoError(t, os.WriteFile("two.txt", []byte("hunter2\nhunter2\n"), 0o600))
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"no value":       {[]string{"--option", "paper"}, `"paper" is not NAME=VALUE, such as paper=A4`},
		"unknown":        {[]string{"--option", "papre=A4"}, "no option papre; did you mean paper? (it takes"},
		"out of bounds":  {[]string{"--margins", "300mm"}, "option margins: 300 is not from 0 to 100"},
		"twice":          {[]string{"--option", "paper=A4", "--option", "paper=A5"}, "paper is given twice"},
		"flag and name":  {[]string{"--paper", "A4", "--option", "paper=A4"}, "--paper and --option paper are the same"},
		"pages by both":  {[]string{"--pages", "1", "--option", "pages=1"}, "--pages and --option pages are the same"},
		"a bad range":    {[]string{"--option", "pages=x"}, "is not a range"},
		"a bad document": {[]string{"--paper", "A99"}, `option paper: "A99"`},

		"password in clear":      {[]string{"--option", "password=hunter2"}, "a password is not given in clear; password=@FILE names a file"},
		"no such password file":  {[]string{"--password-file", "gone.txt"}, "option password: gone.txt does not exist"},
		"two lines of passwords": {[]string{"--encrypt-file", "two.txt"}, "two.txt is not the file of a password: it has a line break"},
		"a password twice":       {[]string{"--password-file", "p.txt", "--option", "password=@p.txt"}, "--password-file and --option password are the same"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{{"convert", "a.md", "--to", "pdf"}, {"batch", ".", "--to", "pdf", "-o", "out"}} {
				code, _, stderr := command(t.Context(), t, nil, Env{}, "", append(args, test.args...)...)
				assert.Equal(t, ExitUsage, code)
				assert.Contains(t, stderr, test.says)
				assert.NotContains(t, stderr, "hunter2")
			}
		})
	}
}

// The same work has the same name, whichever way its options are written; other options are other work.
func TestOptions_NameTheRun(t *testing.T) {
	folder(t, "a.md")
	id := func(options option.Values) string {
		items, err := plan(request{inputs: []string{"a.md"}, to: "pdf", onExist: onExistFail, options: conversionOptions{values: options}})
		require.NoError(t, err)
		assert.Equal(t, options, items[0].input.Options)
		return items[0].workflowID
	}
	none := id(nil)
	assert.NotEqual(t, none, id(option.Values{"paper": "A4"}))
	assert.NotEqual(t, id(option.Values{"paper": "A5"}), id(option.Values{"paper": "A4"}))
	assert.Equal(t, id(option.Values{"paper": "A4", "scale": "90"}), id(option.Values{"scale": "90", "paper": "A4"}))

	batch := func(options option.Values) string {
		r := goodBatch()
		r.source, r.options.values = ".", options
		item, err := r.item()
		require.NoError(t, err)
		return item.workflowID
	}
	assert.NotEqual(t, batch(nil), batch(option.Values{"paper": "A4"}))
}
