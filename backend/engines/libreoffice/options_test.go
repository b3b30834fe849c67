package libreoffice_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/finish"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

func TestOptions_OfOfficeDocuments(t *testing.T) {
	office := need(t)
	registry := engines.NewRegistry(t.Context(), office, finish.New())
	made := func(source, target string, content []byte, options option.Values) (testkit.Converted, error) {
		engine, _, err := registry.Find(source, target, options.Names()...)
		require.NoError(t, err)
		return testkit.Convert(t, engine, source, target, content, func(in *engines.Request) { in.Options = options })
	}

	for _, source := range []string{"csv", "rtf"} {
		content := map[string]string{"csv": "a,b\n1,2\n", "rtf": `{\rtf1 word}`}[source]
		archived, err := made(source, "pdf", []byte(content), option.Values{"pdfa": "2b"})
		require.NoError(t, err)
		assert.Regexp(t, `pdfaid:part>2<`, archived.Text(), source)
		plain, err := made(source, "pdf", []byte(content), nil)
		require.NoError(t, err)
		assert.NotContains(t, plain.Text(), "pdfaid", source)
		_, err = made(source, "pdf", []byte(content), option.Values{"pdfa": "2b", "footer": "x"})
		require.ErrorContains(t, err, "pdfa does not go together with footer")
	}

	ods, err := made("csv", "ods", []byte("a,b\n1,2\n"), nil)
	require.NoError(t, err)
	table, err := made("ods", "csv", ods.Data[0], option.Values{"delimiter": "semicolon"})
	require.NoError(t, err)
	assert.Equal(t, "a;b\n1;2\n", table.Text())
}
