package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
)

func TestSealedIDsNameNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	line := func(id string) string { return id + " " + strings.Repeat("A", 43) + "=\n" }
	require.NoError(t, os.WriteFile(path, []byte(line("new")+line("old")), 0o600))
	keys, err := sealing.Load(path)
	require.NoError(t, err)
	sealed, plain := &Session{Keys: keys}, &Session{}
	const id = "convert-payroll-to-pdf-0123456789ab"
	assert.Equal(t, id, plain.sealedID(id))
	assert.Equal(t, "convert-1442e87bb05ff5ccc2e3039c", sealed.sealedID(id), "the same command finds the same work")
	assert.NotEqual(t, sealed.sealedID(id), sealed.sealedID(id+"c"))

	assert.Equal(t, "payloads are sealed with key new of "+path+"; opened with old, too", sealingCheck(keys).Detail)
	assert.Contains(t, sealingCheck(nil).Detail, "off")
}

func TestTheFlagStandsForTheVariable(t *testing.T) {
	getenv := func(name string) string { return "of " + name }
	var flag KeyFile
	assert.Equal(t, "of "+config.EncryptionKeyFile, flag.Getenv(getenv)(config.EncryptionKeyFile))
	flag.path = "keys"
	assert.Equal(t, "keys", flag.Getenv(getenv)(config.EncryptionKeyFile))
	assert.Equal(t, "of HOME", flag.Getenv(getenv)("HOME"))
}
