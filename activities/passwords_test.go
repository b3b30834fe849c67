package activities

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/roots"
)

// Options name files, and only what is sent has what they hold. What cannot be read is named by its path, never by its content.
func TestWithPasswords(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	file := func(folder, name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return "@" + path
	}
	good, outside := file(dir, "good", "hunter2 \r\n"), file(other, "outside", "hunter2")
	a := New(API{}, 0, nil, WithRoots(roots.New([]string{dir}, nil)))

	given := option.Values{"password": good, "paper": "A4"}
	got, err := a.withPasswords(given)
	require.NoError(t, err)
	assert.Equal(t, option.Values{"password": "hunter2 ", "paper": "A4"}, got)
	assert.Equal(t, good, given["password"], "what is in history stays")

	for name, test := range map[string]struct{ value, code string }{
		"in clear":  {"hunter2", CodeBadArgument},
		"gone":      {"@" + filepath.Join(dir, "gone"), CodePasswordFile},
		"empty":     {file(dir, "empty", ""), CodePasswordFile},
		"two lines": {file(dir, "two", "hunter2\nhunter2"), CodePasswordFile},
		"elsewhere": {outside, CodeOutsideRoots},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.withPasswords(option.Values{"encrypt": test.value})
			var refused *localError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, test.code, refused.code, refused.text)
			assert.Contains(t, refused.text, "encrypt")
			assert.NotContains(t, refused.text, "hunter2")
			assert.False(t, refused.retry)
		})
	}
}
