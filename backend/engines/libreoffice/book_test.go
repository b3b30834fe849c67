package libreoffice_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/libreoffice"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// The file of a stranger is read where the other engines read theirs, not in the service's own process.
func TestConvert_ReadsCSVByTheOtherEngines(t *testing.T) {
	refused := engines.Errorf(engines.CodeUnsupportedInput, "no table")
	var asked engines.Request
	engine := libreoffice.New(func(_ context.Context, in engines.Request) (engines.Result, error) {
		asked = in
		return engines.Result{}, refused
	})

	_, err := testkit.Convert(t, engine, "csv", "pdf", []byte("a;b\n"), func(in *engines.Request) {
		in.Owner, in.Options = "anna", option.Values{option.NameDelimiter: "semicolon", option.NamePDFA: "2b"}
	})

	require.ErrorIs(t, err, refused)
	assert.Equal(t, []string{"csv", "xlsx", "anna"}, []string{asked.Source, asked.Target, asked.Owner})
	assert.Equal(t, option.Values{option.NameDelimiter: "semicolon"}, asked.Options, "those of the PDF are for later")
}
