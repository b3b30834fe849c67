package chromium_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/chromium"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func owned(owner string) func(*engines.Request) {
	return func(in *engines.Request) { in.Owner = owner }
}

func TestBrowser_StaysOpenForItsOwner(t *testing.T) {
	engine, resting := chromium.NewWatched()
	testkit.Needed(t, engine, "CONVILYN_TEST_CHROMIUM")

	for range 3 {
		_, err := testkit.Convert(t, engine, "md", "pdf", []byte(many), owned("anna"))
		require.NoError(t, err)
	}
	of := resting("anna")
	require.NotNil(t, of)
	assert.Equal(t, 3, of.Uses())
	assert.Nil(t, resting("bert"))
	assert.False(t, of.Busy(), "nothing of a page is left in it")

	home := of.Home
	require.NoError(t, engine.Close())
	assert.NoDirExists(t, home)
	<-of.Ended()
}

// The browser is lost, not the page, and the page is the same by a call.
func TestBrowser_ThatDies(t *testing.T) {
	engine, resting := chromium.NewWatched()
	testkit.Needed(t, engine, "CONVILYN_TEST_CHROMIUM")
	page := []byte("<title>Long</title><style>@page{margin:3cm}</style>" + strings.Repeat("<h2>Ærø</h2><p>A paragraph of <b>some</b> words.", 2_000))
	open, err := testkit.Convert(t, engine, "html", "pdf", page)
	require.NoError(t, err)
	of := resting("")
	require.NotNil(t, of)
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		assert.Eventually(t, of.Busy, testkit.Patience, time.Millisecond)
		of.Kill()
	}()

	alone, err := testkit.Convert(t, engine, "html", "pdf", page)

	require.NoError(t, err)
	<-killed
	<-of.Ended()
	assert.Nil(t, resting(""))
	reader := testkit.PDF(t)
	assert.Equal(t, testkit.PDFText(t, reader, open.Data[0]), testkit.PDFText(t, reader, alone.Data[0]))
	assert.InDelta(t, len(open.Data[0]), len(alone.Data[0]), 2_000, "what is asked for is the same")
}

// A browser that a page has taken over says what it likes.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":{"stream":"1"}}` + "\x00"))
	f.Add([]byte("{\x00"))
	f.Add(bytes.Repeat([]byte("x"), 17<<20))
	f.Fuzz(func(t *testing.T, said []byte) {
		require.Error(t, chromium.Read(said))
	})
}
