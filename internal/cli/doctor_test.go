package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEnginesAreATable(t *testing.T) {
	var out bytes.Buffer
	e := &Env{Stdout: &out, Engines: func(context.Context) []Engine {
		return []Engine{
			{Name: "text", Found: true, Routes: 12, Serves: 10, Adds: 9},
			{Name: "vips", Version: "vips-8.14\x1b[2J" + strings.Repeat(".", 99), Found: true, Install: "libvips-tools", Routes: 80, Serves: 44, Adds: 44},
			{Name: "pandoc", Install: "pandoc", Routes: 42, Adds: 25},
		}
	}}
	require.NoError(t, e.printEngines(t.Context(), false))
	lines := strings.Split(out.String(), "\n")
	assert.Equal(t, []string{"ENGINE", "VERSION", "SERVES", "ALONE", "INSTALL"}, strings.Fields(lines[1]))
	assert.Equal(t, []string{"text", "built", "in", "10", "pairs", "9", "-"}, strings.Fields(lines[2]))
	assert.NotContains(t, lines[3], "\x1b")
	assert.Less(t, len(lines[3]), 100)
	assert.Equal(t, []string{"pandoc", "missing", "-", "would", "add", "25,", "help", "with", "17", "pandoc"}, strings.Fields(lines[4]))
	out.Reset()
	require.NoError(t, e.printEngines(t.Context(), true))
	assert.JSONEq(t, `{"engine":"pandoc","found":false,"install":"pandoc","routes":42,"serves":0,"adds":25}`, strings.Split(out.String(), "\n")[2])
	out.Reset()
	require.NoError(t, (&Env{Stdout: &out}).printEngines(t.Context(), false))
	assert.Empty(t, out.String(), "a main without a service has no engines")
}
