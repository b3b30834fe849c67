package bench

import (
	"bytes"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/client"
)

func TestInputsAreRealAndDiffer(t *testing.T) {
	first, err := picture(1)
	require.NoError(t, err)
	second, err := picture(2)
	require.NoError(t, err)
	assert.NotEqual(t, first, second)
	config, err := jpeg.DecodeConfig(bytes.NewReader(first))
	require.NoError(t, err)
	assert.Equal(t, []int{1600, 1200}, []int{config.Width, config.Height})
	again, err := picture(1)
	require.NoError(t, err)
	assert.Equal(t, first, again, "every run measures the same")

	in := inputs{filepath.Join(t.TempDir(), "in"), 3}
	size, err := kindNamed(t, "free").write(in)
	require.NoError(t, err)
	assert.Positive(t, size)
	entries, err := os.ReadDir(in.folder)
	require.NoError(t, err)
	require.Len(t, entries, 3)
	assert.Equal(t, "file-000002.md", entries[2].Name())
	_, err = kindNamed(t, "free").write(in)
	assert.ErrorContains(t, err, "make a folder for inputs")
}

func TestKindsArePairsThatTheClientKnows(t *testing.T) {
	assert.Equal(t, []string{"free", "costly", "orchestration"}, Kinds())
	for _, k := range kinds {
		_, err := client.FamilyFor(k.source, k.target)
		assert.NoError(t, err, k.name)
	}
}
