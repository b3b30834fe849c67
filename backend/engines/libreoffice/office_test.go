package libreoffice_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/engines/tables"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func owned(owner string) func(*engines.Request) {
	return func(in *engines.Request) { in.Owner = owner }
}

// opened is the office of an owner that rests. None does where programs have no root of their own.
func opened[O any](t *testing.T, resting func(owner string) *O, owner string) *O {
	t.Helper()
	if !sandbox.Rooted() {
		require.Nil(t, resting(owner))
		t.Skip("programs have no root of their own on this machine")
	}
	of := resting(owner)
	require.NotNil(t, of)
	return of
}

func TestOffice_StaysOpenForItsOwner(t *testing.T) {
	engine, resting := libreoffice.NewWatched(tables.New().Convert)
	testkit.Needed(t, engine, "CONVILYN_TEST_LIBREOFFICE")
	letter := testkit.Examples(t, "letter.docx")

	for _, target := range []string{"pdf", "odt", "rtf"} {
		_, err := testkit.Convert(t, engine, "docx", target, letter, owned("anna"))
		require.NoError(t, err, target)
	}
	of := opened(t, resting, "anna")
	assert.Equal(t, 3, of.Uses())
	assert.Nil(t, resting("bert"))

	_, err := testkit.Convert(t, engine, "docx", "txt", letter, owned("bert"))
	require.NoError(t, err)
	assert.NotSame(t, of, resting("bert"), "nobody gets the office of somebody else")
	assert.Equal(t, 3, of.Uses())
	assert.False(t, of.Busy(), "nothing of a document is left in it")

	home := of.Home
	require.NoError(t, engine.Close())
	assert.NoDirExists(t, home)
	<-of.Ended()
}

// slow takes a second or more to print.
func slow() []byte {
	var rows bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&rows, "%d,a cell of some words,%d\n", i, i*i)
	}
	return rows.Bytes()
}

// The office is lost, not the document.
func TestOffice_ThatDies(t *testing.T) {
	for name, working := range map[string]bool{"while it rests": false, "while it works": true} {
		t.Run(name, func(t *testing.T) {
			if !working {
				testkit.SkipLong(t, "one that works dies, too")
			}
			engine, resting := libreoffice.NewWatched(tables.New().Convert)
			testkit.Needed(t, engine, "CONVILYN_TEST_LIBREOFFICE")
			_, err := testkit.Convert(t, engine, "csv", "ods", []byte("a,b\n"))
			require.NoError(t, err)
			of := opened(t, resting, "")
			killed := make(chan struct{})
			kill := func() {
				defer close(killed)
				if working {
					assert.Eventually(t, of.Busy, testkit.Patience, time.Millisecond)
				}
				of.Kill()
			}
			if working {
				go kill()
			} else {
				kill()
			}

			out, err := testkit.Convert(t, engine, "csv", "pdf", slow())

			require.NoError(t, err)
			assert.NotEmpty(t, out.Data)
			<-killed
			<-of.Ended()
			assert.NotSame(t, of, resting(""))
		})
	}
}

// It goes with a document that it cannot read, and the refusal is that of a call.
func TestOffice_LeavesWithADocumentThatIsBroken(t *testing.T) {
	testkit.SkipLong(t, "it starts LibreOffice three times")
	engine, resting := libreoffice.NewWatched(tables.New().Convert)
	testkit.Needed(t, engine, "CONVILYN_TEST_LIBREOFFICE")
	_, err := testkit.Convert(t, engine, "csv", "ods", []byte("a,b\n"))
	require.NoError(t, err)
	opened(t, resting, "")

	_, err = testkit.Convert(t, engine, "doc", "pdf", append([]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), make([]byte, 4096)...))
	e, ok := engines.AsError(err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, engines.CodeConversionFailed, e.Code)
	assert.Contains(t, e.Message, "source file could not be loaded")
	assert.Nil(t, resting(""))

	_, err = testkit.Convert(t, engine, "csv", "ods", []byte("a,b\n"))
	require.NoError(t, err)
}

// Whoever has no time left loses the office with the document.
func TestOffice_IsEndedWithTheCall(t *testing.T) {
	engine, resting := libreoffice.NewWatched(tables.New().Convert)
	testkit.Needed(t, engine, "CONVILYN_TEST_LIBREOFFICE")
	_, err := testkit.Convert(t, engine, "csv", "ods", []byte("a,b\n"))
	require.NoError(t, err)
	of := opened(t, resting, "")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		assert.Eventually(t, of.Busy, testkit.Patience, time.Millisecond)
	}()

	dir := t.TempDir()
	input := dir + "/in"
	require.NoError(t, os.WriteFile(input, slow(), 0o600))
	_, err = engine.Convert(ctx, engines.Request{Source: "csv", Target: "pdf", InputPath: input, OutDir: t.TempDir(), Stem: "s", Progress: func(int, string) {}})

	require.ErrorIs(t, err, context.Canceled)
	<-of.Ended()
	assert.Nil(t, resting(""))
}
